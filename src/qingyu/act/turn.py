"""One turn: what was understood is guarded, done, planned, asked back, and its facts collected.

    turn = Turn(records, dialogue, text="开灯", who="fast", now=now)
    turn.process(parts)
    turn.facts, turn.steps      # for the reply

Where one call of a turn wants a yes, all calls of it wait for that, but for a robot's stop; what
cannot be done at all is told at once. Where one part is ambiguous, the others are done unless they
want a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from qingyu.act.answers import Step
from qingyu.act.calls import Call, Verdict
from qingyu.act.carrying import Carrier, is_halt
from qingyu.act.dialogue import Choice, Confirm, Dialogue
from qingyu.act.facts import (
    Asked,
    Dropped,
    Fact,
    Learned,
    Note,
    Planned,
    Said,
    Sure,
    Undone,
)  # fmt: skip
from qingyu.act.liking import as_liked
from qingyu.act.marks.words import CLASS_WORDS
from qingyu.act.records.journal import Journal, Who
from qingyu.act.records.journal import Turn as Entered
from qingyu.act.records.memory import Memory
from qingyu.act.records.schedules import Schedule, Schedules
from qingyu.act.spoken.spelling import simplified
from qingyu.act.understood import (
    Absent,
    Agenda,
    Clock,
    Do,
    No,
    Part,
    Question,
    Talk,
    Teach,
    Unable,
    Understood,
    Undo,
    Which,
    Yes,
)  # fmt: skip
from qingyu.act.world import World, plain
from qingyu.errors import InvalidRequestError

_HELD = ("fine", "risky")
_KINDS_OF_THINGS = frozenset(one for words in CLASS_WORDS.values() for one in words) | {
    "所有", "全部", "一切", "它", "这个", "那个", "all", "everything", "it", "this", "that",
}  # fmt: skip


@dataclass(frozen=True)
class Records:
    """What a turn works with."""

    world: World
    carrier: Carrier
    journal: Journal
    schedules: Schedules
    memory: Memory


class Turn:
    """facts, verdicts, steps, planned, dropped: what came of it. taught: the names changed.
    halted: whether a robot was told to stop since the sentence was said."""

    def __init__(
        self,
        records: Records,
        dialogue: Dialogue,
        *,
        text: str,
        who: Who,
        now: datetime,
        halted: Callable[[], bool],
    ) -> None:
        self._records, self._dialogue = records, dialogue
        self.text, self._who, self._now, self._halted = text, who, now, halted
        self._entered: Entered | None = None
        self.facts: list[Fact] = []
        self.verdicts: list[Verdict] = []
        self.steps: list[Step] = []
        self.planned: list[Schedule] = []
        self.dropped: tuple[Call, ...] = ()
        self.taught = False

    def process(self, parts: Understood, *, confirmed: bool = False) -> None:
        """All parts, in order. confirmed: the person said yes to the risky ones of them."""
        routine = [one for one in parts if isinstance(one, Teach) and one.what == "routine"]
        if routine:
            orders = [one for one in parts if isinstance(one, Do)]
            if any(one.when is not None for one in orders):
                self.facts.append(Note("timed_routine"))
                return
            calls = tuple(call for one in orders for call in one.calls)
            known = routine[0].calls or calls or self._dialogue.focus.calls
            self._learn_routine(routine[0], known)
            return
        world, state = self._records.world, self._records.carrier.devices.state()
        parts = tuple(
            as_liked(one, world, state, self._records.memory) if isinstance(one, Do) else one
            for one in self._after_stops(parts)
        )
        orders = [one for one in parts if isinstance(one, Do)]
        held = () if confirmed else self._held(orders)
        unclear = [one for one in parts if isinstance(one, Which)]
        for part in parts:
            if isinstance(part, Do):
                if not held:
                    self._do(part, confirmed)
            else:
                self._other(part)
        if unclear:  # one question at a time
            which, *others = unclear
            self._dialogue.waiting = Choice(which, self._now, rest=(*held, *others))
            self.facts.append(Asked(which.candidates))
        elif held:
            self._ask(held)

    def _after_stops(self, parts: Understood) -> Understood:
        """Robots that shall stop do so now, whatever else is asked for and waits for a yes; what
        is left of the parts."""
        left: list[Part] = []
        for part in parts:
            if isinstance(part, Do) and part.when is None:
                stops = tuple(filter(is_halt, part.calls))
                others = tuple(one for one in part.calls if one not in stops)
                if stops:
                    self._do(Do(stops), confirmed=False)
                    part = replace(part, calls=others)
                    if not others:
                        continue
            left.append(part)
        return tuple(left)

    def _held(self, orders: Sequence[Do]) -> tuple[Do, ...]:
        """All that will be done after a yes, if one of it wants that, else nothing.

        What the guard refuses is told here already, so that nobody says yes to it.
        """
        carrier = self._records.carrier
        now = [call for one in orders if one.when is None for call in one.calls]
        foreseen = list(carrier.foresee(now))
        risky = any(one.outcome == "risky" for one in foreseen)
        held: list[Do] = []
        refused: list[Verdict] = []
        for order in orders:
            if order.when is None:
                verdicts, foreseen = foreseen[: len(order.calls)], foreseen[len(order.calls) :]
            else:
                verdicts = list(carrier.foresee_later(order.calls))
                risky = risky or any(one.outcome == "risky" for one in verdicts)
            refused += [one for one in verdicts if one.outcome not in _HELD]
            calls = tuple(one.call for one in verdicts if one.outcome in _HELD)
            if calls:
                held.append(Do(calls, order.when, order.days))
        if not risky:
            return ()
        self.verdicts += refused
        self.facts += refused
        return tuple(held)

    def _ask(self, held: tuple[Do, ...]) -> None:
        """Ask whether to do what wants a yes."""
        self._dialogue.waiting = Confirm(held, self._now)
        carrier = self._records.carrier
        for order in held:
            foresee = carrier.foresee if order.when is None else carrier.foresee_later
            verdicts = foresee(order.calls)
            because = tuple(id for one in verdicts for id in one.because)
            self.verdicts += verdicts
            self.facts.append(Sure(order.calls, because, str(order.when or ""), order.days))

    def _do(self, order: Do, confirmed: bool) -> None:
        if order.when is not None:
            self._plan(order, confirmed)
            return
        again: list[Call] = []
        for call in order.calls:
            result = self._carry_out(self._enter, call, confirmed)
            if isinstance(result, Step):
                self.verdicts.append(Verdict(outcome="fine", call=call))
                self.steps.append(result)
                self.facts.append(result)
            elif result.outcome == "risky":  # the house has changed within this turn
                again.append(call)
            else:
                self.verdicts.append(result)
                self.facts.append(result)
        if again:
            self._ask((Do(tuple(again)),))

    def _plan(self, order: Do, confirmed: bool) -> None:
        records = self._records
        calls = []
        for verdict in records.carrier.foresee_later(order.calls):
            self.verdicts.append(verdict)
            if verdict.outcome in _HELD:
                calls.append(verdict.call)
            else:
                self.facts.append(verdict)
        if not calls:
            return
        assert order.when is not None
        if order.when.base in ("sunrise", "sunset") and records.world.sun is None:
            self.facts.append(Note("no_sun"))
            return
        past = order.when.due(self._now, records.world.sun) < self._now
        if past and order.days == "once":
            self.facts.append(Note("passed"))
            return
        try:
            planned = records.schedules.add(
                order.when,
                calls,
                said=self._now,
                sun=records.world.sun,
                text=self.text,
                turn=self._enter().id,
                days=order.days,
                confirmed=confirmed,
            )
        except InvalidRequestError as error:
            self.facts.append(Said(str(error)))
            return
        self.planned.append(planned)
        self.facts.append(Planned(planned))

    def _other(self, part: Part) -> None:
        match part:
            case Question() | Agenda() | Absent() | Unable() | Clock():
                self.facts.append(part)
            case Talk():
                self.facts.append(Note("talk"))
            case Yes() | No():
                self.facts.append(Note("nothing_waits"))
            case Undo():
                self.undo()
            case Teach():
                self._teach(part)

    def undo(self, agreed: tuple[Call, ...] | None = None) -> None:
        """Take the last turn back as far as that goes; risky steps of it want a yes. agreed: the
        calls that got it. Where it takes other ones by now, for something else was done since,
        this is asked anew."""
        records = self._records
        state = records.carrier.devices.state()
        plan = records.journal.undo(records.world, state)
        if plan is None:
            self.facts.append(Note("nothing_to_undo"))
            return
        foreseen = records.carrier.foresee(plan.calls)
        other = agreed is not None and agreed != plan.calls
        if other or (agreed is None and any(one.outcome == "risky" for one in foreseen)):
            self.verdicts += foreseen
            self._dialogue.waiting = Confirm((Do(plan.calls),), self._now, undo=True)
            because = tuple(id for one in foreseen for id in one.because)
            self.facts.append(Sure(plan.calls, because, undo=True))
            return
        entered = records.journal.turn(who="undo", text=self.text, at=self._now)
        for call in plan.calls:
            result = self._carry_out(lambda: entered, call, agreed is not None)
            if isinstance(result, Step):
                self.verdicts.append(Verdict(outcome="fine", call=call))
                self.steps.append(result)
            else:
                self.verdicts.append(result)
                if result.outcome != "already":
                    self.facts.append(result)
        cancelled = 0
        for id in plan.schedules:
            try:
                records.schedules.cancel(id)
                cancelled += 1
            except InvalidRequestError:  # it fired in this very moment
                continue
        records.journal.undone(plan.turn, by=entered)
        self.facts.append(Undone(tuple(self.steps), plan.left, cancelled))

    def drop(self, waiting: Confirm | Choice) -> None:
        """What waited will not be done."""
        if isinstance(waiting, Confirm):
            self.dropped = waiting.calls
            self.facts.append(Dropped(waiting.calls))
        else:
            self.facts.append(Note("fine"))

    def _teach(self, part: Teach) -> None:
        memory, now = self._records.memory, self._now
        ids = part.about or (self._dialogue.focus.ids if part.what == "name" else ())
        try:
            if part.what == "name":
                if len(ids) != 1:
                    self.facts.append(Note("unknown_name"))
                    return
                if self._is_taken(part.name, ids[0]):
                    self.facts.append(Note("taken_name"))
                    return
                self.facts.append(Learned(memory.nickname(ids[0], part.name, at=now)))
            elif part.what == "prefer":
                about = ids[0] if ids else ""
                self.facts.append(Learned(memory.prefer(about, part.key, part.value, at=now)))
            else:
                self._forget(part)
        except InvalidRequestError as error:
            self.facts.append(Said(str(error)))
            return
        self.taught = True

    def _is_taken(self, name: str, about: str) -> bool:
        """Whether a name means something else already, so that nobody could say that any more: a
        kind of things, or another thing by the name that it has in the household's file."""
        world, words = self._records.world, plain(simplified(name))
        taught = {(one.about, plain(one.name)) for one in self._records.memory.nicknames()}
        names = {one.id: one.names for one in world.entities}
        names |= {one.id: one.names for one in world.areas}
        names |= {one.id: one.names for one in world.floors}
        names |= {one.value: one.names for one in world.contacts}
        others = [
            id
            for id, known in names.items()
            if id != about and words in {plain(simplified(one)) for one in known}
        ]
        return words in _KINDS_OF_THINGS or any((id, plain(name)) not in taught for id in others)

    def _forget(self, part: Teach) -> None:
        memory = self._records.memory
        words = plain(part.name)
        known = [
            one
            for one in memory.list()
            if plain(one.name) == words or (getattr(one, "about", "") or "-") in part.about
        ]
        for one in known:
            self.facts.append(Learned(memory.forget(one.id), forgotten=True))
        if not known:
            self.facts.append(Note("unknown_name"))

    def _learn_routine(self, part: Teach, calls: tuple[Call, ...]) -> None:
        """The guard is asked when it is used; only what can never be done is no part of it."""
        verdicts = self._records.carrier.foresee_later(calls)
        refused = [one for one in verdicts if one.outcome not in _HELD]
        kept = [one.call for one in verdicts if one.outcome in _HELD]
        self.facts += refused
        self.verdicts += refused
        if not kept:
            if not refused:
                self.facts.append(Note("unknown_name"))
            return
        try:
            learned = self._records.memory.routine(part.name, kept, at=self._now)
        except InvalidRequestError as error:
            self.facts.append(Said(str(error)))
            return
        self.facts.append(Learned(learned))
        self.taught = True

    def _carry_out(
        self, enter: Callable[[], Entered], call: Call, confirmed: bool
    ) -> Step | Verdict:
        return self._records.carrier.carry_out(
            enter, call, confirmed=confirmed, halted=self._halted
        )

    def _enter(self) -> Entered:
        """This turn in the journal, once there is something to write."""
        if self._entered is None:
            self._entered = self._records.journal.turn(who=self._who, text=self.text, at=self._now)
        return self._entered
