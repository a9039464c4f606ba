"""What is kept of a conversation from one turn to the next: what it was about, what waits.

A question back waits for the next turn only, and no longer than `PATIENCE`: a yes to a question
that was asked two hours ago must not open the door. What was spoken of is "it" for `REMEMBERED`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from qingyu.act.answers import Language, Pending
from qingyu.act.calls import Call
from qingyu.act.understood import Do, Focus, Understood, Which

PATIENCE = timedelta(minutes=2)
REMEMBERED = timedelta(minutes=15)


@dataclass(frozen=True)
class Confirm:
    """orders: what will be done after a yes. undo: the last turn will be taken back."""

    orders: tuple[Do, ...]
    since: datetime
    undo: bool = False

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(call for do in self.orders for call in do.calls)


@dataclass(frozen=True)
class Choice:
    """rest: what else was asked for and waits with it, because it wants a yes."""

    which: Which
    since: datetime
    rest: Understood = ()


@dataclass
class Dialogue:
    """context: the turn before, for the skill model. turns: answers so far. spoken: when. done: the
    answer to the last turn in which something was done or planned."""

    language: Language = "en"
    focus: Focus = field(default_factory=Focus)
    context: str = ""
    waiting: Confirm | Choice | None = None
    turns: int = 0
    spoken: datetime | None = None
    done: str = ""

    def begin_turn(self, now: datetime) -> None:
        """Forget what was spoken of too long ago."""
        if self.spoken is not None and not timedelta(0) <= now - self.spoken <= REMEMBERED:
            self.focus, self.context, self.done = Focus(), "", ""
        self.spoken = now

    def take_waiting(self, now: datetime) -> Confirm | Choice | None:
        """What waits, which does so no more."""
        waiting, self.waiting = self.waiting, None
        if waiting is None or not timedelta(0) <= now - waiting.since <= PATIENCE:
            return None
        return waiting

    def pending(self) -> Pending:
        if isinstance(self.waiting, Confirm):
            return "confirm"
        return "which" if isinstance(self.waiting, Choice) else ""
