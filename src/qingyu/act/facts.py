"""What a turn came to, in the order it is told: replies are made from nothing else.

[Step(...), Verdict(outcome="out_of_range", ...), Planned(schedule)]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qingyu.act.answers import Step
from qingyu.act.calls import Call, Verdict
from qingyu.act.records.memory import Memorized
from qingyu.act.records.schedules import Schedule
from qingyu.act.records.undo import Left
from qingyu.act.understood import Absent, Agenda, Clock, Question, Unable
from qingyu.act.world import Record


@dataclass(frozen=True)
class Planned:
    schedule: Schedule


@dataclass(frozen=True)
class Sure:
    """A yes is wanted for these calls. because: devices a scene would open or unlock. when: as a
    schedule has it, "" for now. undo: they take something back."""

    calls: tuple[Call, ...]
    because: tuple[str, ...] = ()
    when: str = ""
    days: str = "once"
    undo: bool = False


@dataclass(frozen=True)
class Asked:
    """Which of these is meant."""

    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Dropped:
    """These waited for a yes, and will not be done."""

    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Undone:
    """What was taken back. left: what stays, and why. cancelled: schedules."""

    steps: tuple[Step, ...]
    left: tuple[Left, ...] = ()
    cancelled: int = 0


@dataclass(frozen=True)
class Rang:
    """The time of an entry came. id: of the timer, alarm, reminder or calendar it is in."""

    id: str
    entry: Record


@dataclass(frozen=True)
class Learned:
    """what: as it is remembered now. forgotten: it was, and is no more."""

    what: Memorized
    forgotten: bool = False


@dataclass(frozen=True)
class Note:
    """Something that has no facts but itself.

    quiet: nothing was said; lost: nobody understood it; talk: it is conversation, and there is
    nobody to hold it; nothing_waits: a yes or no to no question; fine: a no that was heard;
    nothing_to_undo; unknown_name: nothing to forget or to name; taken_name: one that has another
    meaning; timed_routine: one with a time in it; passed, no_sun: a time that is over, or by a sun
    nobody knows; too_long: more words than an order has.
    """

    what: Literal[
        "quiet",
        "lost",
        "talk",
        "nothing_waits",
        "fine",
        "nothing_to_undo",
        "unknown_name",
        "taken_name",
        "timed_routine",
        "passed",
        "no_sun",
        "too_long",
    ]


@dataclass(frozen=True)
class Said:
    """Words that are there already: of the chat model, or of an error."""

    text: str


Fact = (
    Step | Verdict | Planned | Sure | Asked | Dropped | Undone | Rang | Learned | Note | Said
    | Question | Agenda | Absent | Unable | Clock
)  # fmt: skip
