"""What stands between the assistant and the things it moves: the contract of an adapter.

    class Mine:                                     # a simulator, MQTT, Home Assistant, MCP ...
        def state(self) -> State: ...
        def carry_out(self, call: Call) -> Report: ...
        def listen(self, callback: Callable[[Changes], None]) -> Callable[[], None]: ...
        def close(self) -> None: ...

An adapter does one call at a time and says what came of it; it asks no guard, keeps no journal
and knows no words. It is for one `World`, and speaks of devices by that world's ids only. An
embedded one that needs nothing: `qingyu.act.simulator`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from qingyu.act.calls import Call
from qingyu.act.state import Changes, State

Outcome = Literal["done", "failed", "no_answer"]
Callback = Callable[[Changes], None]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a call.

    outcome: "done", the device says so; "failed", it or the way to it says no, and `detail` says
    why, for people; "no_answer", nothing came in time, so it may or may not have happened.
    changed: {entity: {"state" or attribute: value}} of all that is different now because of it,
    as the vocabulary has it; also where a device failed halfway. Empty where nothing is.
    """

    outcome: Outcome
    changed: Changes = field(default_factory=dict)
    detail: str = ""


class Devices(Protocol):
    """Any thread may call any of these. None of them raises for what a device does or does not."""

    def state(self) -> State:
        """How things are as far as is known, at once and without asking a device: every entity of
        the world, with the values of its file for what never reported."""
        ...

    def carry_out(self, call: Call) -> Report:
        """Do a call that the guard passed, and wait for the device, a few seconds at most.

        When this returns, `state` has what the report says changed.
        """
        ...

    def listen(self, callback: Callback) -> Callable[[], None]:
        """Call back after every change, also of those that somebody else made; from any thread,
        when `state` has it already, one at a time. The result ends it."""
        ...

    def close(self) -> None:
        """Let go of connections and threads; nothing is carried out afterwards."""
        ...


@runtime_checkable
class Hearsay(Protocol):
    """What an adapter also has whose devices may not have said yet how they are."""

    def heard(self, entity: str) -> bool:
        """Whether the state of a device came from it; until then it is a guess."""
        ...
