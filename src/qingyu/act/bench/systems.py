"""Who is asked: anything that starts a conversation in a household and answers turn by turn.

    session = FastSystem().start(world, case)
    reply = session.say("把书桌灯打开")
    session.state, session.schedules, session.done

The fast path and the assistant are here; models with a tool prompt are `tool_system`. Requests
of these two go through the guard; the devices are the simulator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from qingyu.act.actions import apply
from qingyu.act.bench.cases import Case
from qingyu.act.bench.judging import Scheduled
from qingyu.act.bench.plain_replies import (
    asked_for_yes,
    facts,
    is_no,
    is_yes,
    not_understood,
    of_verdicts,
)  # fmt: skip
from qingyu.act.calls import Call, Verdict
from qingyu.act.fast.path import Calls, FastPath
from qingyu.act.guard import check
from qingyu.act.state import State
from qingyu.act.world import World


class Session(Protocol):
    """One conversation in one household."""

    @property
    def state(self) -> State:
        """How things are now."""
        ...

    @property
    def schedules(self) -> Sequence[Scheduled]:
        """All that was put off until now."""
        ...

    @property
    def done(self) -> Sequence[Call]:
        """All calls that were carried out until now, in order."""
        ...

    @property
    def garbled(self) -> int:
        """How many texts of a model were outside its grammar; 0 without a model."""
        ...

    @property
    def note(self) -> str:
        """How the last reply came about, for people."""
        ...

    def say(self, text: str) -> str:
        """The reply to a turn, when everything is done that was to be done."""
        ...


class System(Protocol):
    @property
    def identity(self) -> Mapping[str, Any]:
        """All that decides the answers, as JSON; "system" and "name" are for people."""
        ...

    def start(self, world: World, case: Case) -> Session:
        """A conversation that begins as the case does. What can be done before anybody speaks
        is done here: it is not in the latency."""
        ...


@cache
def code_hash(folder: Path = Path(__file__).parents[1]) -> str:
    """SHA-256 of all that acting is made of but the benchmark: who changes a template or a rule
    must not be shown the answers from before."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] != "bench" and "__pycache__" not in parts:
            digest.update(f"{'/'.join(parts)}\n{path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


class FastSystem:
    """The fast path, the guard and the simulator, and nothing else."""

    def __init__(self) -> None:
        self.identity: Mapping[str, Any] = {
            "system": "fast",
            "name": "fast path",
            "code": code_hash(),
        }
        self._paths: dict[int, FastPath] = {}

    def start(self, world: World, case: Case) -> Session:
        if id(world) not in self._paths:
            self._paths[id(world)] = FastPath(world)
        return _FastSession(self._paths[id(world)], case)


class _FastSession:
    schedules: Sequence[Scheduled] = ()
    garbled = 0

    def __init__(self, fast: FastPath, case: Case) -> None:
        self.state = case.beginning
        self.done: list[Call] = []
        self.note = ""
        self._fast = fast
        self._speaker = case.speaker
        self._language = case.language
        self._waiting: tuple[Call, ...] = ()

    def say(self, text: str) -> str:
        waiting, self._waiting = self._waiting, ()
        if waiting and is_yes(text):
            self.note = "yes"
            return self._do(waiting, confirmed=True)
        if waiting and is_no(text):
            self.note = "no"
            return of_verdicts(self._fast.world, (), self._language)
        found = self._fast.understand(text, self.state, speaker=self._speaker)
        self.note = str(found)
        if found is None:
            return not_understood(self._language)
        if isinstance(found, Calls):
            return self._do(found.calls, confirmed=False)
        return facts(self._fast.world, self.state, found.entities, found.key, self._language)

    def _do(self, calls: Sequence[Call], *, confirmed: bool) -> str:
        """What is fine is done; where a part wants a yes, all that can be done waits for it."""
        world = self._fast.world
        verdicts = [check(world, self.state, one, confirmed=confirmed) for one in calls]
        if any(one.outcome == "risky" for one in verdicts):
            self._waiting = tuple(one.call for one in verdicts if one.outcome in ("risky", "fine"))
            return asked_for_yes(world, verdicts, self._language)
        final: list[Verdict] = []
        for call in calls:
            verdict = check(world, self.state, call, confirmed=confirmed)
            final.append(verdict)
            if verdict.outcome == "fine":
                self.state = apply(world, self.state, call)
                self.done.append(call)
        return of_verdicts(world, final, self._language)
