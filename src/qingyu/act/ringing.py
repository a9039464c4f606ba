"""Timers, alarms, reminders and events of a calendar ring: each waits among the schedules.

    follow(schedules, world, state, now)      # after something changed, and before firing
    for schedule that fires with `rings`:
        rung_entry(schedule)                  # ("timer.kitchen", {"seconds": 600, "label": "tea"})
        removals(schedule, schedules, world, state)   # calls that take off the list what is over

An entry waits from when it is first seen; one that is gone from its list rings no more. What
comes again stays on the list, and events of a calendar do.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from qingyu.act.calls import RECORDS, Call, matching
from qingyu.act.records.schedules import Schedule, Schedules
from qingyu.act.state import State
from qingyu.act.values import MOMENT
from qingyu.act.when import When, parse_when
from qingyu.act.world import Record, World
from qingyu.errors import QingyuError

_LOG = logging.getLogger(__name__)
RINGING = ("timer", "alarm", "reminder", "calendar")
_REMOVE = {"timer": "cancel", "alarm": "remove", "reminder": "remove"}


def follow(
    schedules: Schedules, world: World, state: State, now: datetime, *, text: str = ""
) -> None:
    """Let every entry wait that does not yet, and forget those that are gone. text: the sentence
    that led to new ones. Raises RecordsError where the database cannot be written."""
    entries = dict(_entries(world, state))
    known = schedules.rings()
    for key in known.keys() - entries.keys():
        schedules.forget_ring(key)
    for key, (id, entry) in entries.items():
        if key in known:
            continue
        when, days = _when(entry)
        if when.moment is not None and when.moment < now:
            continue
        entity = world.entity(id)
        assert entity is not None
        try:
            schedules.add(
                when,
                (),
                said=now,
                days=days,
                text=text or entity.names[0],
                rings=key,
                confirmed=True,
            )
        except QingyuError as error:  # a thousand wait already
            _LOG.warning("%s does not ring: %s", entity.id, error)


def rung_entry(schedule: Schedule) -> tuple[str, Record]:
    """The device and the entry that a schedule rings for."""
    id, entry, _ = schedule.rings.split("\n")
    return id, json.loads(entry)


def removals(
    schedule: Schedule, schedules: Schedules, world: World, state: State
) -> tuple[Call, ...]:
    """The call that takes an entry off its list, where all that it would take off have rung."""
    id, entry = rung_entry(schedule)
    domain = id.partition(".")[0]
    entity = world.entity(id)
    if domain not in _REMOVE or entity is None or schedule.days != "once":
        return ()
    call = Call(_REMOVE[domain], id, {key: one for key, one in entry.items() if one != ""})
    waiting = {key for key, one in schedules.rings().items() if one.status == "pending"}
    keys = [key for key, (owner, _) in _entries(world, state) if owner == id]
    taken = {keys[place] for place in matching(entity, state, call)}
    return () if taken & waiting or not taken else (call,)


def _entries(world: World, state: State) -> Iterator[tuple[str, tuple[str, Record]]]:
    """Each entry with a key of its own: the device, what it says, which of several alike."""
    for domain in RINGING:
        for entity in world.select(domain=domain):
            found = state.get(entity.id, RECORDS[domain])
            count: Counter[str] = Counter()
            for entry in found if isinstance(found, tuple) else ():
                assert not isinstance(entry, str)
                said = json.dumps(dict(entry), ensure_ascii=False, sort_keys=True)
                yield f"{entity.id}\n{said}\n{count[said]}", (entity.id, entry)
                count[said] += 1


def _when(entry: Record) -> tuple[When, str]:
    if "seconds" in entry:
        return When(base="said", seconds=int(float(str(entry["seconds"])))), "once"
    if "time" in entry:
        return parse_when(str(entry["time"])), str(entry.get("days", "once"))
    return When(base="moment", moment=datetime.strptime(str(entry["at"]), MOMENT)), "once"
