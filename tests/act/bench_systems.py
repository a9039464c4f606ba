"""Systems for the tests of act-bench: one that knows the right calls, and ways to spoil it.

run(selection, Scripted(), folder)                   # all right
run(selection, Scripted(spoil=some), folder)         # spoil(world, case, session) after the turns
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qingyu.act.actions import apply
from qingyu.act.bench.cases import Case
from qingyu.act.bench.judging import Scheduled
from qingyu.act.calls import Call
from qingyu.act.state import State
from qingyu.act.world import World
from tests.act.reachable import reach, reach_one


class Scripted:
    """Does in the last turn what the case wants, and says what it wants to hear."""

    def __init__(self, spoil: Callable[[World, Case, ScriptedSession], None] | None = None) -> None:
        self.identity: Mapping[str, Any] = {"system": "scripted", "name": "scripted"}
        self.asked: list[str] = []
        self.spoil = spoil

    def start(self, world: World, case: Case) -> ScriptedSession:
        self.asked.append(case.id)
        return ScriptedSession(world, case, self.spoil)


class ScriptedSession:
    def __init__(
        self,
        world: World,
        case: Case,
        spoil: Callable[[World, Case, ScriptedSession], None] | None,
    ) -> None:
        self.state: State = case.beginning
        self.done: list[Call] = []
        self.schedules: Sequence[Scheduled] = ()
        self.garbled = 0
        self.note = "as the case says"
        self._world, self._case, self._spoil = world, case, spoil
        self._turns = 0

    def do(self, call: Call) -> None:
        self.state = apply(self._world, self.state, call)
        self.done.append(call)

    def say(self, text: str) -> str:
        case, world = self._case, self._world
        assert text == case.say[self._turns]
        self._turns += 1
        if self._turns < len(case.say):
            return "?"
        calls = next(one for one in reach(case, world) if one is not None)
        for call in calls:
            self.do(call)
        if case.schedule is not None:
            later = reach_one(world, self.state, case.schedule.want, {})
            assert later
            self.schedules = (Scheduled(case.schedule.when, tuple(later)),)
        if self._spoil is not None:
            self._spoil(world, case, self)
        return " ".join(group[0] for group in (*case.reply, *case.asks))
