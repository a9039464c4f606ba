"""From a call to what happened: past the guard, into the journal, to the device, and back.

    carrier = Carrier(world, devices, journal)
    carrier.foresee(calls)                          # what the guard would say, nothing is done
    carrier.carry_out(turn, call, confirmed=True)   # Step, or the Verdict that stopped it

What was begun is on the disk before a device is told; what came of it before anybody hears so.
"""

from __future__ import annotations

from collections.abc import Sequence

from qingyu.act.actions import apply
from qingyu.act.answers import Step
from qingyu.act.calls import Call, Verdict, refusal
from qingyu.act.devices import Devices, Hearsay, Report
from qingyu.act.guard import check
from qingyu.act.journal import Journal, Turn
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
                other = [each for each in options if each != call.arguments.get("value")]
                rest = {"state": other[0]} if other else {}
            state = state.updated(id, rest)
        speeds = self.world.select(domain="sensor", kind="speed")
        for one in speeds:  # what the car does then is not known now
            state = state.updated(one.id, {"state": 0})
        return state

    def carry_out(
        self, turn: Turn | None, call: Call, *, confirmed: bool = False
    ) -> Step | Verdict:
        """Do one call. A Verdict that is not fine means that nothing was done. turn: None only for
        a robot's stop that could not be written down.

        Raises RecordsError where the journal cannot be written: then nothing was done either,
        but for such a stop.
        """
        before = self.devices.state()
        verdict = check(self.world, before, call, confirmed=confirmed)
        if verdict.outcome == "already" and self._is_guess(call):
            verdict = Verdict(outcome="fine", call=call)
        if verdict.outcome != "fine":
            return verdict
        entry: int | None = None
        try:
            if turn is not None:
                expected = apply(self.world, before, call)
                entry = self._journal.begin(turn, call, before, expected)
        except RecordsError:
            if not is_halt(call):
                raise
        report = self._tell(call)
        after = patched(before, report.changed)
        if entry is not None:
            failed = report.outcome != "done"
            detail = report.detail or ("no answer" if report.outcome == "no_answer" else "")
            self._journal.finish(entry, before, after, failed=failed, detail=detail)
        return Step(
            call=call,
            outcome=report.outcome,
            before=_values_of(before, report.changed),
            after=report.changed,
            detail=report.detail,
        )

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
    """A state with some values changed; devices it does not have are left out."""
    for id, values in changed.items():
        if id in state.entities:
            state = state.updated(id, values)
    return state


def _values_of(state: State, changed: Changes) -> Changes:
    return {
        id: {key: state.entities[id][key] for key in values if key in state.entities[id]}
        for id, values in changed.items()
        if id in state.entities
    }
