"""An assistant in a small flat for tests: the simulator, a clock that stands, given forms.

talk = Talking(tmp_path, forms={"再亮一点": "more it brightness"})
talk("打开看书灯", "再亮一点").text          # the last answer
talk.changed                                # against the beginning
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

from qingyu.act.answers import Answer, Language
from qingyu.act.assistant import Assistant
from qingyu.act.forms.reader import Form, parse_form
from qingyu.act.households import open_household
from qingyu.act.marks.mark import Marked
from qingyu.act.records.database import Database
from qingyu.act.simulator import Simulator
from qingyu.act.state import Changes, changes
from qingyu.act.talk import Chat

ON_STATE = {"state": "on"}
ON = {"light.den_ceiling": ON_STATE}
NOW = datetime.datetime(2026, 11, 26, 19, 30)


class Forms:
    """A skill that knows some sentences by heart."""

    def __init__(self, forms: Mapping[str, str]) -> None:
        self._forms = forms
        self.contexts: list[str] = []
        self.seen: list[str] = []

    def form(self, context: str, marked: Marked) -> Form | None:
        self.contexts.append(context)
        self.seen.append(marked.text)
        found = self._forms.get(marked.said)
        return parse_form(found) if found is not None else None


class Talking:
    def __init__(
        self,
        folder: Path,
        *,
        world: str = "attic_flat",
        forms: Mapping[str, str] | None = None,
        chat: Chat | None = None,
        speaker: str | None = None,
    ) -> None:
        self.world = open_household(world)
        self.devices = Simulator(self.world)
        self.database = Database(folder / "act.sqlite")
        self.skill = Forms(forms) if forms is not None else None
        self.now = NOW
        self.speaker = self.world.speaker if speaker is None else speaker
        self.assistant = Assistant(
            self.world,
            self.devices,
            self.database,
            skill=self.skill,
            chat=chat,
            clock=lambda: self.now,
        )
        self.beginning = self.devices.state()

    def __call__(self, *sentences: str, language: Language | None = None) -> Answer:
        for sentence in sentences:
            answer = self.assistant.say(sentence, self.speaker, language)
        return answer

    @property
    def changed(self) -> Changes:
        return changes(self.beginning, self.devices.state())

    def later(self, **wait: float) -> None:
        self.now += datetime.timedelta(**wait)

    def close(self) -> None:
        self.assistant.close()
        self.database.close()


Start = Callable[..., Talking]
