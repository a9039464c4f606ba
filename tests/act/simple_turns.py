"""The plainest assistant that can be: forms resolved, calls through guard and simulator.

talk = Talk(world, state, speaker, now)
talk.say(form, marked); talk.state, talk.schedules, talk.parts, talk.verdicts
"""

from __future__ import annotations

import datetime

from qingyu.act.actions import apply
from qingyu.act.bench.judging import Scheduled
from qingyu.act.calls import Call, Verdict
from qingyu.act.forms.reader import Form
from qingyu.act.guard import check
from qingyu.act.marks.mark import Marked
from qingyu.act.resolving.resolve import resolve
from qingyu.act.state import State
from qingyu.act.understood import Do, Focus, No, Understood, Undo, Yes
from qingyu.act.world import World


class Talk:
    """parts and verdicts are of the last turn."""

    def __init__(self, world: World, state: State, speaker: str, now: datetime.datetime) -> None:
        self.world, self.state, self.speaker, self.now = world, state, speaker, now
        self.focus = Focus()
        self.schedules: list[Scheduled] = []
        self.pending: list[Call] = []
        self.parts: Understood = ()
        self.verdicts: list[Verdict] = []

    def say(self, form: Form, marked: Marked) -> None:
        self.parts = resolve(
            form, marked, self.world, self.state,
            speaker=self.speaker, now=self.now, focus=self.focus,
        )  # fmt: skip
        self.focus = self.focus.after(self.parts)
        self.verdicts = []
        pending, self.pending = self.pending, []
        for part in self.parts:
            match part:
                case Yes():
                    for call in pending:
                        self._do(call, confirmed=True)
                case No() | Undo():
                    pass
                case Do(calls, None):
                    for call in calls:
                        self._do(call)
                case Do(calls, when) if when is not None:
                    self.schedules.append(Scheduled(when, calls))

    def _do(self, call: Call, *, confirmed: bool = False) -> None:
        verdict = check(self.world, self.state, call, confirmed=confirmed)
        self.verdicts.append(verdict)
        if verdict.outcome == "fine":
            self.state = apply(self.world, self.state, call)
        elif verdict.outcome == "risky":
            self.pending.append(call)
