"""The fast path: what people mostly say, understood in milliseconds and without a model.

    fast = FastPath(world)
    fast.understand("把客厅的灯关掉", state, speaker="bedroom")   # Calls, Question or None

Names of devices come first, then our own sentences (`sentences/`), then Home Assistant's. It
prefers silence to a guess: where a word of the sentence is left over, where two readings differ,
or where it is not clear which device is meant, the answer is None, and the model's turn comes.
Times ("in ten minutes"), wishes and references to earlier turns are none of its business.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from typing import Any

from hassil.intents import Intents
from hassil.recognize import RecognizeResult, recognize_all
from hassil.util import merge_dict

from qingyu.act.calls import Call, refusal
from qingyu.act.fast.home import home_intents, translated
from qingyu.act.fast.meaning import Answer, Calls, Meaning
from qingyu.act.fast.slots import Slots
from qingyu.act.fast.stop import Stopping
from qingyu.act.fast.targets import Said
from qingyu.act.spoken.spelling import clauses, clean, has_hanzi, simplified
from qingyu.act.state import State
from qingyu.act.understood import Question
from qingyu.act.world import World
from qingyu.act.yaml_file import read_yaml
from qingyu.errors import DataError

__all__ = ["Calls", "FastPath", "Question"]
Reading = tuple[tuple[int, int], Answer | None]
"""How good it is (the more letters are names and the fewer any words, the better), its meaning."""
_ARTICLE = re.compile(r"^(?:the|my|our|an?) ", re.IGNORECASE)
_THEN = re.compile(r"然后|\bthen\b")


@cache
def own_intents(language: str) -> Intents:
    """Our templates of "zh" or "en". Raises DataError where a file is no YAML."""
    table: dict[str, Any] = {}
    with as_file(files("qingyu.act.fast") / "sentences" / language) as folder:
        for path in sorted(folder.glob("*.yaml")):
            merge_dict(table, read_yaml(path, DataError))
    return Intents.from_dict(table)


class FastPath:
    """Understands sentences in one household. Making one costs milliseconds, the templates of
    both languages are read once per process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._slots = Slots(world)
        self._stopping = Stopping(world)
        for language in ("zh", "en"):
            own_intents(language)
            home_intents(language)

    def understand(
        self, text: str, state: State, *, speaker: str = "", focus: Sequence[str] = ()
    ) -> Answer | None:
        """What a sentence asks for: calls (the guard's to check), a question about a state, or
        None. speaker: id of the area where the person is, "" if unknown. focus: ids of what the
        turn before was about: "next song" is for the player that was spoken of."""
        parts = clauses(text)
        meaning = Meaning(self.world, state, speaker, focus)
        if any(map(self._stopping.is_said, parts)):
            return self._stop(parts, meaning)
        found = self._clause(clean(text), meaning)
        actions = {one.action for one in found.calls} if isinstance(found, Calls) else set()
        if found is not None and "send" in actions:
            return _dictated(found, text)
        # An item of a list may be any words, also those of a second order.
        if len(parts) > 1 and (found is None or actions & {"add", "remove"}):
            return self._all(parts, meaning)
        return found

    def _stop(self, parts: list[str], meaning: Meaning) -> Calls:
        """Every robot, at once; then what else was said, if all of it is clear."""
        stops = tuple(Call("stop", one.id) for one in self._stopping.robots)
        rest = [one for one in parts if not self._stopping.is_said(one)]
        more = self._all(rest, meaning) if rest else None
        return Calls(stops + (more.calls if more else ()))

    def _all(self, parts: list[str], meaning: Meaning) -> Calls | None:
        """Several things in one sentence, or None where one of them is not clear."""
        calls: list[Call] = []
        for part in parts:
            found = self._clause(part, meaning)
            if not isinstance(found, Calls):
                return None
            calls += found.calls
        # Two orders for one device are a slip of the tongue or depend on each other.
        return Calls(tuple(calls)) if len({one.entity for one in calls}) == len(calls) else None

    def _clause(self, text: str, meaning: Meaning) -> Answer | None:
        for language in ("zh", "en") if has_hanzi(text) else ("en",):
            readings = self._readings(text, language, meaning)
            if readings:
                return self._best(readings, meaning.state)
        return None

    def _readings(self, text: str, language: str, meaning: Meaning) -> list[Reading]:
        """Every way to read all of a text."""
        lists = self._slots.within(text)
        found = []
        for result in recognize_all(text, own_intents(language), lists, language=language):
            found.append((_rank(result), meaning.of(result.intent.name, _said(result))))
        if found:
            return found
        for result in recognize_all(text, home_intents(language), lists, language=language):
            domain = str((result.context or {}).get("domain", ""))
            ours = translated(result.intent.name, _said(result), domain)
            # A name alone is no order.
            if _rank(result)[0] < len(_ARTICLE.sub("", text).replace(" ", "")):
                found.append((_rank(result), meaning.of(*ours) if ours else None))
        return found

    def _best(self, readings: list[Reading], state: State) -> Answer | None:
        """The one meaning of the best readings: a device's name wins over a class."""
        best = max(rank for rank, _ in readings)
        answers: list[Answer] = []
        for rank, answer in readings:
            if rank == best and answer is not None and answer not in answers:
                answers.append(answer)
        if len(answers) > 1:
            answers = [one for one in answers if self._possible(one, state)]
        return answers[0] if len(answers) == 1 else None

    def _possible(self, answer: Answer, state: State) -> bool:
        if isinstance(answer, Question):
            return True
        verdicts = [refusal(self.world, state, one) for one in answer.calls]
        return all(one is None or one.outcome == "out_of_range" for one in verdicts)


def _said(result: RecognizeResult) -> Said:
    return {
        one.name: one.value if one.value is not None else one.text for one in result.entities_list
    }


def _rank(result: RecognizeResult) -> tuple[int, int]:
    names = wild = 0
    for one in result.entities_list:
        letters = len(one.text.replace(" ", ""))
        names += letters if one.name in ("name", "name2", "name3") else 0
        wild += letters if one.is_wildcard else 0
    return names, -wild


def _dictated(found: Answer, text: str) -> Calls | None:
    """A message exactly as it was said, with its marks and last words, which cleaning took."""
    assert isinstance(found, Calls)
    (call,) = found.calls
    words = str(call.arguments["text"]).strip()
    narrow, same = unicodedata.normalize("NFKC", text), simplified(text)
    # The template's text is without marks and, in Chinese, spaces: its beginning is verbatim.
    begins = next((words[:n] for n in range(len(words), 0, -1) if words[:n] in same), "")
    if not begins or same.count(begins) != 1 or _THEN.search(narrow):
        return None
    exact = text if len(text) == len(narrow) else narrow
    said = exact[same.index(begins) :].strip(" 。.")
    return Calls((Call(call.action, call.entity, {**call.arguments, "text": said}),))
