"""From a call to what happened: past the guard, into the journal, to the device, and back.

    carrier = Carrier(world, devices, journal)
    carrier.foresee(calls)                          # what the guard would say, nothing is done
    carrier.carry_out(enter, call, confirmed=True)  # Step, or the Verdict that stopped it

What was begun is on the disk before a device is told, but for a robot's stop; what came of it,
before anybody hears so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from qingyu.act.actions import apply
from qingyu.act.answers import Step
from qingyu.act.calls import Call, Verdict, refusal
from qingyu.act.devices import Devices, Hearsay, Report
from qingyu.act.guard import check
from qingyu.act.records.journal import Journal, Turn
from qingyu.act.state import Changes, State
from qingyu.act.world import Value, World
from qingyu.errors import QingyuError, RecordsError
from qingyu.text import pick

_AT_REST: dict[str, dict[str, Value]] = {
    "lock": {"state": "locked"},
    "cover": {"state": "closed", "position": 0},
    "dialer": {"state": "idle", "contact": ""},
    "robot": {"state": "standing", "target": "", "place": ""},
}


class Carrier:
    def __init__(self, world: World, devices: Devices, journal: Journal) -> None:
        self.world, self.devices, self._journal = world, devices, journal

    def foresee(self, calls: Sequence[Call]) -> tuple[Verdict, ...]:
        """The guard's verdicts on calls one after the other, each as if those before were done."""
        state = self.devices.state()
        verdicts = []
        for call in calls:
            verdict = check(self.world, state, call)
            if verdict.outcome in ("fine", "risky"):
                state = apply(self.world, state, call)
            verdicts.append(verdict)
        return tuple(verdicts)

    def foresee_later(self, calls: Sequence[Call]) -> tuple[Verdict, ...]:
        """The same for calls of a schedule: whether they can be done at all, and whether they may
        want a yes when the time comes, however things are by then."""
        state = self.devices.state()
        verdicts = []
        for call in calls:
            verdict = refusal(self.world, state, call)
            if verdict is None:
                verdict = check(self.world, self._at_rest(state, call), call)
                if verdict.outcome != "risky":
                    verdict = Verdict(outcome="fine", call=call)
            verdicts.append(verdict)
        return tuple(verdicts)

    def _at_rest(self, state: State, call: Call) -> State:
        """As if all were shut and still that the call is about: nothing is "already so" then."""
        entity = self.world.entity(call.entity)
        assert entity is not None
        for id in (call.entity, *entity.sets):
            one = self.world.entity(id)
            assert one is not None
            now = state.of(id)
            rest = {k: v for k, v in _AT_REST.get(one.domain, {}).items() if k in now}
            if one.domain == "select":
                options = one.options.get("state", ())
                wanted = call.arguments.get("value", entity.sets.get(id, {}).get("state"))
                other = [each for each in options if each != wanted]
                rest = {"state": other[0]} if other else {}
            state = state.updated(id, rest)
        speeds = self.world.select(domain="sensor", kind="speed")
        for one in speeds:  # what the car does then is not known now
            if one.id in state.entities:
                state = state.updated(one.id, {"state": 0})
        return state

    def carry_out(
        self,
        enter: Callable[[], Turn],
        call: Call,
        *,
        confirmed: bool = False,
        halted: Callable[[], bool] = lambda: False,
    ) -> Step | Verdict:
        """Do one call. A Verdict that is not fine means that nothing was done. enter: gives the
        turn in the journal. halted: whether somebody said stop since this was asked for; then no
        robot moves.

        Raises RecordsError where the journal cannot be written: then nothing was done either. A
        robot's stop is done first and written down where that is possible.
        """
        before = self.devices.state()
        verdict = check(self.world, before, call, confirmed=confirmed)
        if is_halt(call) and verdict.outcome in ("fine", "already"):
            return self._halt(enter, call, before)
        if verdict.outcome == "already" and self._is_guess(call):
            verdict = Verdict(outcome="fine", call=call)
        if verdict.outcome != "fine":
            return verdict
        entry = self._journal.begin(enter(), call, before, apply(self.world, before, call))
        # Asked as late as can be: writing to the disk takes its time.
        if call.entity.startswith("robot.") and halted():
            detail = pick("somebody said stop", "已叫停")
            self._journal.finish(entry, before, before, failed=True, detail=detail)
            return Verdict(outcome="not_now", call=call, reason="halted")
        report = self._tell(call)
        self._finish(entry, before, report)
        return _step(call, before, report)

    def _halt(self, enter: Callable[[], Turn], call: Call, before: State) -> Step | Verdict:
        """A stop is told whatever is believed of the robot, and waits for no disk."""
        report = self._tell(call)
        with suppress(RecordsError):
            entry = self._journal.begin(enter(), call, before, patched(before, report.changed))
            self._finish(entry, before, report)
        if report.outcome == "done" and not report.changed:
            return Verdict(outcome="already", call=call)
        return _step(call, before, report)

    def _finish(self, entry: int, before: State, report: Report) -> None:
        failed = report.outcome != "done"
        detail = report.detail or ("no answer" if report.outcome == "no_answer" else "")
        after = patched(before, report.changed)
        self._journal.finish(entry, before, after, failed=failed, detail=detail)

    def _is_guess(self, call: Call) -> bool:
        """Whether how a device is was never heard from it: then "already so" is not known."""
        return isinstance(self.devices, Hearsay) and not self.devices.heard(call.entity)

    def _tell(self, call: Call) -> Report:
        try:
            return self.devices.carry_out(call)
        except (
            QingyuError
        ) as error:  # against the contract; it is a device that failed all the same
            return Report(outcome="failed", detail=str(error))

    def close_unfinished(self, entries: Sequence[int], state: State) -> None:
        """Calls a process began and never finished: whether they happened is not known."""
        for entry in entries:
            self._journal.finish(
                entry,
                state,
                state,
                failed=True,
                detail=pick("ended in the middle of it", "中途被终止"),
            )


def is_halt(call: Call) -> bool:
    """Whether it is a robot's stop, which nothing may come before."""
    return call.action == "stop" and call.entity.startswith("robot.")


def patched(state: State, changed: Changes) -> State:
    """A state with some values changed; what it does not have, devices or values, is left out: a
    device may have been described anew meanwhile."""
    for id, values in changed.items():
        known = state.entities.get(id, {})
        if known:
            state = state.updated(id, {key: one for key, one in values.items() if key in known})
    return state


def _step(call: Call, before: State, report: Report) -> Step:
    return Step(
        call=call,
        outcome=report.outcome,
        before=_values_of(before, report.changed),
        after=report.changed,
        detail=report.detail,
    )


def _values_of(state: State, changed: Changes) -> Changes:
    return {
        id: {key: state.entities[id][key] for key in values if key in state.entities[id]}
        for id, values in changed.items()
        if id in state.entities
    }
