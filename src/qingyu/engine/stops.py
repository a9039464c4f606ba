"""Ends a text where a stop string appears, however tokens cut it.

    stops = StopStrings(["\\n\\n"])
    stops.push("one\\n"), stops.push("\\ntwo")     # ("one", False), ("", True)

Text that may still become a stop string is held back, and released as soon as it cannot.
This module does not know tokens: the caller pushes text.
"""

from __future__ import annotations

from collections.abc import Sequence

from qingyu.errors import InvalidRequestError
from qingyu.text import pick

# A request's stop strings are looked for after every token: both bounds keep that cheap.
MAX_STOPS = 64
MAX_STOP_CHARACTERS = 1024


def checked_stops(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    """Stop strings as a tuple without repetitions; InvalidRequestError for an empty one,
    one longer than 1024 characters, or more than 64."""
    if stop is None:
        return ()
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if len(stops) > MAX_STOPS:
        raise InvalidRequestError(
            pick(
                f"{len(stops)} stop strings; at most {MAX_STOPS} are possible",
                f"停止串有 {len(stops)} 个；最多 {MAX_STOPS} 个",
            )
        )
    for text in stops:
        if not isinstance(text, str) or not text:
            raise InvalidRequestError(
                pick(
                    f"stop has {text!r}; each stop must be a string of at least one character",
                    f"stop 中有 {text!r}；每个停止串至少要有一个字符",
                )
            )
        if len(text) > MAX_STOP_CHARACTERS:
            raise InvalidRequestError(
                pick(
                    f"a stop string has {len(text)} characters; at most {MAX_STOP_CHARACTERS}",
                    f"有停止串长 {len(text)} 个字符；最多 {MAX_STOP_CHARACTERS} 个",
                )
            )
    return tuple(dict.fromkeys(stops))


class StopStrings:
    """Watches one text. `matched` is the stop string that ended it, or None.

    The stop that is complete first wins, the longer one when two end together, so the result
    does not depend on how the text was cut into pieces.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._longest_held = max((len(stop) for stop in stops), default=1) - 1
        self._held = ""
        self.matched: str | None = None

    def push(self, text: str) -> tuple[str, bool]:
        """Text that may be shown now, and whether a stop string ended the text."""
        if not self._stops:
            return text, False
        text = self._held + text
        best: tuple[int, int, str] | None = None
        for stop in self._stops:
            start = text.find(stop)
            if start >= 0 and (best is None or (start + len(stop), start) < best[:2]):
                best = (start + len(stop), start, stop)
        if best is not None:
            self.matched = best[2]
            self._held = ""
            return text[: best[1]], True
        keep = self._unfinished(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def release(self) -> str:
        """What is still held back, when the text ends for another reason."""
        text, self._held = self._held, ""
        return text

    def _unfinished(self, text: str) -> int:
        """Length of the longest end of text that begins a stop string."""
        for length in range(min(self._longest_held, len(text)), 0, -1):
            tail = text[len(text) - length :]
            if any(len(stop) > length and stop.startswith(tail) for stop in self._stops):
                return length
        return 0
