"""What a caller asks of one generation, checked.

    Request.of(max_tokens=100, temperature=0.7, stop=["\\n"])

`Options` are the keyword arguments of `Model.generate`, `Model.chat`, their async twins and
`Session.add`: one list for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from qingyu.engine.sampling import Sampling
from qingyu.engine.stops import checked_stops
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

Progress = Callable[[int, int], None]


class Options(TypedDict, total=False):
    """Keyword arguments of a generation.

    max_tokens: most tokens to generate; None: until the model ends or the context is full.
        More than the context has room for is allowed: the result's `limited_by` then says
        "context".
    sampling: a `Sampling`; the keywords of its fields (temperature ... seed), given beside or
        instead of it, override its fields. Neither: greedy.
    stop: a string or several; the text ends before the first that appears.
    stop_tokens: token ids that end the text, besides the model's own end tokens.
    progress: called after each forward of the prompt with (tokens done, tokens of the prompt).
    """

    max_tokens: int | None
    sampling: Sampling | None
    temperature: float | None
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[int, float] | None
    seed: int | None
    stop: str | Sequence[str] | None
    stop_tokens: Iterable[int]
    progress: Progress | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """`Options`, checked; see there."""

    max_tokens: int | None = None
    sampling: Sampling
    stop: tuple[str, ...] = ()
    stop_tokens: frozenset[int] = frozenset()
    progress: Progress | None = None

    @classmethod
    def of(
        cls,
        *,
        max_tokens: int | None = None,
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        stop_tokens: Iterable[int] = (),
        progress: Progress | None = None,
        **fields: Any,
    ) -> Request:
        """Raises InvalidRequestError naming the value, TypeError for an unknown keyword."""
        if max_tokens is not None and (
            not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1
        ):
            raise InvalidRequestError(
                pick(
                    f"max_tokens is {max_tokens!r}; it must be an integer of at least 1",
                    f"max_tokens 为 {max_tokens!r}；应为不小于 1 的整数",
                )
            )
        return cls(
            max_tokens=max_tokens,
            sampling=replace(sampling, **fields) if sampling else Sampling(**fields),
            stop=checked_stops(stop),
            stop_tokens=frozenset(stop_tokens),
            progress=progress,
        )
