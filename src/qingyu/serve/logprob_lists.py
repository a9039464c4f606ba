"""Log-probabilities in the older shape of OpenAI's API: four lists side by side.

    lists = LogprobLists(tokenizer)
    whole = joined([lists.prompt(tokens, infos, echo), lists.answer(infos)])

For one choice, in the order of its text. It knows no HTTP.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from qingyu.engine.results import TokenInfo

if TYPE_CHECKING:
    from qingyu.models.tokenizer import Tokenizer

# JSON has no -inf, and OpenAI's API uses this number for it.
_LEAST = -9999.0

Lists = dict[str, list[Any]]


class LogprobLists:
    """See the module. `text_offset` counts the characters of the choice's text before a token;
    tokens that are parts of one character have its place."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0

    def prompt(self, tokens: Sequence[int], infos: Sequence[TokenInfo], echo: str) -> Lists:
        """Of the prompt, whose first token has no log-probability. echo: its text, which may
        leave out a token or a space at its beginning."""
        raws = [self._tokenizer.token_bytes(token) for token in tokens]
        left_out = len(b"".join(raws).decode("utf-8", "replace")) - len(echo)
        lists = joined([])
        for raw, info in zip(raws, (None, *infos), strict=True):
            self._add(lists, raw, info, max(0, self._offset - left_out))
            self._offset += len(self._decoder.decode(raw))
        self._decoder.reset()
        self._offset = len(echo)
        return lists

    def answer(self, infos: Iterable[TokenInfo]) -> Lists:
        """Of the next tokens of the answer."""
        lists = joined([])
        for info in infos:
            self._add(lists, info.raw, info, self._offset)
            if not self._tokenizer.is_special(info.token):
                self._offset += len(self._decoder.decode(info.raw))
        return lists

    def _add(self, lists: Lists, raw: bytes, info: TokenInfo | None, offset: int) -> None:
        name = raw.decode("utf-8", "replace")
        lists["tokens"].append(name)
        lists["text_offset"].append(offset)
        if info is None:
            lists["token_logprobs"].append(None)
            lists["top_logprobs"].append(None)
            return
        own = max(info.logprob, _LEAST)
        top: dict[str, float] = {}
        # Parts of characters look alike: of those the likeliest counts.
        for _, other, value in info.top:
            top.setdefault(other.decode("utf-8", "replace"), max(value, _LEAST))
        if info.top:
            top.setdefault(name, own)
        lists["token_logprobs"].append(own)
        lists["top_logprobs"].append(top)


def joined(parts: Iterable[Lists]) -> Lists:
    """Several pieces as one; of none, empty lists."""
    lists: Lists = {
        name: [] for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    }
    for part in parts:
        for name, values in part.items():
            lists[name] += values
    return lists
