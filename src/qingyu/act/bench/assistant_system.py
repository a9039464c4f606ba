"""The assistant as people have it: its own journal, schedules and memory, on the simulator.

    with AssistantSystem(skill=skill, identity={"skill": "…"}) as system:
        session = system.start(world, case)

Each case has a new database in a temporary folder, so nothing is remembered from one to the
next. The clock stands where the household's does.
"""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qingyu.act.assistant import Assistant
from qingyu.act.bench.cases import Case
from qingyu.act.bench.judging import Scheduled
from qingyu.act.bench.systems import Session, code_hash
from qingyu.act.calls import Call
from qingyu.act.records.database import Database
from qingyu.act.simulator import Simulator
from qingyu.act.state import Changes, State
from qingyu.act.when import parse_when
from qingyu.act.world import World


class AssistantSystem:
    """skill: its model, as `qingyu.act.hearing.Skill`; None: what words and templates in code
    understand. identity: of the skill model, as JSON."""

    def __init__(self, *, skill: Any = None, identity: Mapping[str, Any] | None = None) -> None:
        name = "assistant" if skill is not None else "assistant without a model"
        self.identity: Mapping[str, Any] = {
            "system": "assistant",
            "name": name,
            "code": code_hash(),
            "skill": dict(identity or {}),
        }
        self._skill = skill
        self._folder = tempfile.TemporaryDirectory(prefix="qingyu-act-bench-")
        self._database: Database | None = None
        self._count = 0

    def start(self, world: World, case: Case) -> Session:
        self._close_database()
        self._count += 1
        self._database = Database(Path(self._folder.name) / f"{self._count}.sqlite")
        devices = _Recorder(Simulator(world, state=case.beginning))
        now = world.now or datetime.datetime.now()
        assistant = Assistant(world, devices, self._database, skill=self._skill, clock=lambda: now)
        return _AssistantSession(assistant, devices, case)

    def close(self) -> None:
        self._close_database()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _close_database(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database.path.unlink(missing_ok=True)
            self._database = None


class _Recorder:
    """Devices that remember what they were told."""

    def __init__(self, devices: Any) -> None:
        self._devices = devices
        self.done: list[Call] = []

    def state(self) -> State:
        state: State = self._devices.state()
        return state

    def carry_out(self, call: Call) -> Any:
        report = self._devices.carry_out(call)
        if report.outcome == "done":
            self.done.append(call)
        return report

    def listen(self, callback: Callable[[Changes], None]) -> Callable[[], None]:
        end: Callable[[], None] = self._devices.listen(callback)
        return end

    def close(self) -> None:
        self._devices.close()


class _AssistantSession:
    garbled = 0

    def __init__(self, assistant: Any, devices: _Recorder, case: Case) -> None:
        self._assistant = assistant
        self._devices = devices
        self._speaker = case.speaker
        self.note = ""

    @property
    def state(self) -> State:
        return self._devices.state()

    @property
    def done(self) -> Sequence[Call]:
        return self._devices.done

    @property
    def schedules(self) -> Sequence[Scheduled]:
        return [
            Scheduled(parse_when(one.moment), one.calls) for one in self._assistant.schedules.list()
        ]

    def say(self, text: str) -> str:
        answer = self._assistant.say(text, speaker=self._speaker)
        self.note = f"{answer.path}: {answer.form}" if answer.form else str(answer.path)
        return str(answer.text)
