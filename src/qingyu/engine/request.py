"""What a caller asks of one generation, checked.

    Request.of(max_tokens=100, temperature=0.7, stop=["\\n"])

`Options` are the keyword arguments of `Model.generate`, `Model.chat`, their async twins and
`Session.add`: one list for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from qingyu.engine.sampling import Sampling
from qingyu.engine.stops import checked_stops
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.constraint import Grammar

# Alternatives recorded beside each token.
MAX_LOGPROBS = 20

Progress = Callable[[int, int], None]


class Options(TypedDict, total=False):
    """Keyword arguments of a generation.

    max_tokens: most tokens to generate; None: until the model ends or the context is full.
        More than the context has room for is allowed: the result's `limited_by` then says
        "context". 0 is possible with prompt_logprobs: then nothing is generated.
    sampling: a `Sampling`; the keywords of its fields (temperature ... seed), given beside or
        instead of it, override its fields. Neither: greedy.
    stop: a string or several; the text ends before the first that appears.
    stop_tokens: token ids that end the text, besides the model's own end tokens.
    schema, regex, lark, choices, constraint: at most one; the text must follow it. A JSON
        schema (dict, JSON text or pydantic class), a regular expression, a grammar in
        llguidance's dialect of Lark, a list of texts, or a ready `Grammar`.
    logprobs: record the log-probability of each token, and of so many of the likeliest (0 to
        20), before sampling settings and constraint; None: do not.
    prompt_logprobs: the same of the prompt's own tokens; all of them are computed then, but for
        what begins as a prompt whose log-probabilities are known.
    adapter: name of one of the model's adapters to compute with; None: the model as it is.
    speculate: guess tokens ahead where it has paid; the result is the same.
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
    schema: Any
    regex: str | None
    lark: str | None
    choices: Sequence[str] | None
    constraint: Grammar | None
    logprobs: int | None
    prompt_logprobs: int | None
    adapter: str | None
    speculate: bool
    progress: Progress | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """`Options`, checked; see there."""

    max_tokens: int | None = None
    sampling: Sampling
    stop: tuple[str, ...] = ()
    stop_tokens: frozenset[int] = frozenset()
    grammar: Grammar | None = None
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    adapter: str | None = None
    speculate: bool = True
    progress: Progress | None = None

    @classmethod
    def of(
        cls,
        *,
        max_tokens: int | None = None,
        sampling: Sampling | None = None,
        stop: str | Sequence[str] | None = None,
        stop_tokens: Iterable[int] = (),
        schema: Any = None,
        regex: str | None = None,
        lark: str | None = None,
        choices: Sequence[str] | None = None,
        constraint: Grammar | None = None,
        logprobs: int | None = None,
        prompt_logprobs: int | None = None,
        adapter: str | None = None,
        speculate: bool = True,
        progress: Progress | None = None,
        **fields: Any,
    ) -> Request:
        """Raises InvalidRequestError naming the value, TypeError for an unknown keyword."""
        least = 1 if prompt_logprobs is None else 0
        if max_tokens is not None and (
            not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < least
        ):
            raise InvalidRequestError(
                pick(
                    f"max_tokens is {max_tokens!r}; it must be an integer of at least {least}",
                    f"max_tokens 为 {max_tokens!r}；应为不小于 {least} 的整数",
                )
            )
        for name, value in (("logprobs", logprobs), ("prompt_logprobs", prompt_logprobs)):
            if value is not None and (
                not isinstance(value, int)
                or isinstance(value, bool)
                or not 0 <= value <= MAX_LOGPROBS
            ):
                raise InvalidRequestError(
                    pick(
                        f"{name} is {value!r}; it must be 0 to {MAX_LOGPROBS}",
                        f"{name} 为 {value!r}；应在 0 到 {MAX_LOGPROBS} 之间",
                    )
                )
        return cls(
            max_tokens=max_tokens,
            sampling=replace(sampling, **fields) if sampling else Sampling(**fields),
            stop=checked_stops(stop),
            stop_tokens=frozenset(stop_tokens),
            grammar=_grammar(
                schema=schema, regex=regex, lark=lark, choices=choices, constraint=constraint
            ),
            logprobs=logprobs,
            prompt_logprobs=prompt_logprobs,
            adapter=adapter,
            speculate=speculate,
            progress=progress,
        )


def checked_tokens(
    tokens: Sequence[int] | NDArray[np.integer], vocab_size: int, *, what: str = "prompt"
) -> list[int]:
    """Token ids as a list of int. Raises InvalidRequestError when empty or out of range."""
    array = np.asarray(tokens)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise InvalidRequestError(
            pick(
                f"{what} must be at least one token: a sequence of integers, not empty",
                f"{what} 至少要有一个词元：非空的整数序列",
            )
        )
    smallest, largest = int(array.min()), int(array.max())
    if smallest < 0 or largest >= vocab_size:
        wrong = smallest if smallest < 0 else largest
        raise InvalidRequestError(
            pick(
                f"{what} has token {wrong}, which is not in the vocabulary of {vocab_size}",
                f"{what} 中的词元 {wrong} 不在大小为 {vocab_size} 的词表中",
            )
        )
    ids: list[int] = array.tolist()
    return ids


def _grammar(**given: Any) -> Grammar | None:
    """The one grammar asked for; InvalidRequestError for two."""
    named = {name: value for name, value in given.items() if value is not None}
    if not named:
        return None
    if len(named) > 1:
        listed = ", ".join(named)
        raise InvalidRequestError(
            pick(
                f"{listed} were given together; a text can follow one of them",
                f"同时给出了 {listed}；一段文本只能遵循其中之一",
            )
        )
    # Loads llguidance: only those who ask for a constraint wait for it.
    from qingyu.engine.constraint import Grammar

    ((name, value),) = named.items()
    if name == "schema":
        return Grammar.json_schema(value)
    if name == "regex":
        return Grammar.regex(value)
    if name == "lark":
        return Grammar.lark(value)
    if name == "choices":
        return Grammar.choice(value)
    assert isinstance(value, Grammar), value
    return value
