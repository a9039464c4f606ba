"""SentencePiece-style tokenizing: merge the neighbours that make the best-scored token.

    spm = SentencePiece(vocabulary, unknown_id)
    spm.encode("▁Hello▁world")

Exact to llama.cpp's: characters are symbols; of all neighbours whose joined text is a token
the pair with the highest score (the leftmost of equals) is joined, until none is left; a
character that is no token becomes its UTF-8 bytes. Knows nothing of special tokens or of the
space before a text; `qingyu.models.tokenizer` does.
"""

from __future__ import annotations

import heapq
import re
from functools import lru_cache

from qingyu.models.vocabulary import BYTE, CONTROL, UNKNOWN, Vocabulary

SPACE = "▁"


class SentencePiece:
    """Cuts text (spaces already written as ▁) into token ids."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        texts, kinds = vocabulary.texts, vocabulary.kinds
        # Control, unknown and byte tokens are not text: "</s>" typed by a user stays text.
        hidden = (UNKNOWN, CONTROL, BYTE)
        self._ids = {
            text: i
            for i, (text, kind) in enumerate(zip(texts, kinds, strict=True))
            if kind not in hidden
        }
        self._scores = vocabulary.scores
        self._bytes = _byte_ids(vocabulary)
        self._unknown = vocabulary.unknown_id
        # When no token crosses from a letter to a following space, no merge does, and the
        # words of a text are independent: each is looked up once.
        self._by_words = not any(SPACE in text.lstrip(SPACE) for text in self._ids)
        self._word = lru_cache(maxsize=1 << 14)(self._merge)

    def encode(self, text: str) -> list[int]:
        """Token ids of the text."""
        if not self._by_words:
            return self._merge(text)
        result: list[int] = []
        for word in re.findall(f"{SPACE}*[^{SPACE}]+|{SPACE}+", text):
            # long pieces (text without spaces) are not worth their room in the cache
            result += self._word(word) if len(word) <= 32 else self._merge(word)
        return result

    def missing(self, text: str) -> str | None:
        """The first character no token and no bytes can express, if any."""
        if len(self._bytes) == 256 or self._unknown is not None:
            return None
        for character in text:
            if character not in self._ids and not all(
                byte in self._bytes for byte in character.encode()
            ):
                return character
        return None

    def _merge(self, text: str) -> list[int]:
        ids, scores = self._ids, self._scores
        symbols: list[str] = list(text)
        count = len(symbols)
        after = list(range(1, count + 1))
        before = list(range(-1, count - 1))
        heap: list[tuple[float, int, int, str]] = []

        def offer(left: int, right: int) -> None:
            joined = symbols[left] + symbols[right]
            token = ids.get(joined)
            if token is not None:
                heapq.heappush(heap, (-scores[token], left, right, joined))

        for i in range(count - 1):
            offer(i, i + 1)
        while heap:
            _, left, right, joined = heapq.heappop(heap)
            # stale when either side has been joined to something else since
            if not symbols[left] or not symbols[right] or symbols[left] + symbols[right] != joined:
                continue
            symbols[left] = joined
            symbols[right] = ""
            following = after[right]
            after[left] = following
            if following < count:
                before[following] = left
                offer(left, following)
            if before[left] >= 0:
                offer(before[left], left)
        result: list[int] = []
        for symbol in symbols:
            if symbol:
                token = ids.get(symbol)
                if token is not None:
                    result.append(token)
                else:
                    result += self._spell(symbol)
        return result

    def _spell(self, character: str) -> list[int]:
        raw = character.encode()
        if all(byte in self._bytes for byte in raw):
            return [self._bytes[byte] for byte in raw]
        assert self._unknown is not None, "missing() was not asked"
        return [self._unknown]


def _byte_ids(vocabulary: Vocabulary) -> dict[int, int]:
    """Byte -> id of its token, which is written <0x0A>."""
    result = {}
    for i, (text, kind) in enumerate(zip(vocabulary.texts, vocabulary.kinds, strict=True)):
        if kind == BYTE and (match := re.fullmatch(r"<0x([0-9A-F]{2})>", text)):
            result[int(match[1], 16)] = i
    return result
