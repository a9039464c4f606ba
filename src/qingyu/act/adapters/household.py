"""A household with real devices: what adapters find joins what its file describes.

    household = Household(read_world(path))     # opens the doors: before the process is sealed
    household.start(); household.wait()         # adapters run, devices are found
    household.world                             # with the devices there are now
    household.carry_out(Call("turn_on", "light.desk"))

An implementation of `qingyu.act.devices.Devices` and `Hearsay`. What the file itself describes
(timers, lists, a simulated lamp) is done by the simulator; each device that was found, by the
adapter that found it. Nothing an adapter says is taken on trust: descriptions and values are
checked as a household's file is, and what does not fit is left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qingyu.act.actions import apply
from qingyu.act.adapters.link import Order
from qingyu.act.adapters.runner import Runner
from qingyu.act.adapters.wire import Message
from qingyu.act.calls import Call
from qingyu.act.devices import Callback, Report
from qingyu.act.simulator import Simulator
from qingyu.act.state import Changes, State, changes, checked, initial, same
from qingyu.act.values import is_number, tidy
from qingyu.act.world import Area, Connection, Entity, Value, World
from qingyu.act.world_file import make_entity
from qingyu.errors import ActionError, WorldError
from qingyu.text import pick

_LOG = logging.getLogger(__name__)
SECONDS = 5.0
"""How long a device is waited for."""
_TOGETHER_SECONDS = 0.1
"""Devices that are found within so short a time change the world once."""
_MOST_DEVICES = 5000
_MOST_NAMES = 20
_LONGEST_NAME = 60
_KEEPS_MODE = "climate"
_SECRETS = ("password", "token")
"""Settings that may stand in a file of their own, named by `password_file` and so on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Status:
    """Of one connection. connected: whether its devices can be reached; detail: why not, for
    people. sealed: the locks on its process, as `SealStatus.as_dict`, None before it runs."""

    adapter: str
    addresses: tuple[tuple[str, int], ...]
    connected: bool
    detail: str
    num_devices: int
    sealed: Mapping[str, Any] | None


class _Adapter:
    """A runner and what it said."""

    def __init__(self, place: int, connection: Connection, take: Callable[[int, Message], None]):
        self.runner = Runner(
            connection,
            on_message=lambda message: take(place, message),
            settings=_settings(connection),
        )
        self.connected = False
        self.detail = ""
        self.settled = threading.Event()


class Household:
    """Raises WorldError where an adapter cannot be started or a password's file not be read."""

    def __init__(
        self,
        world: World,
        *,
        state: State | None = None,
        file: Path | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """state, file: of the simulator. seconds: how long a device is waited for."""
        self._file_world = self._world = world
        self._seconds = seconds
        self._simulator = Simulator(world, state=state, file=file)
        self._lock = threading.RLock()
        self._listeners: list[Callback] = []
        self._world_listeners: list[Callable[[World], None]] = []
        self._found: dict[str, tuple[Entity, str, int, str]] = {}
        """By our id: the device, its area's name, which adapter found it, its id there."""
        self._ids: dict[tuple[int, str], str] = {}
        self._values: dict[str, Mapping[str, Value]] = {}
        self._heard: set[str] = set()
        self._stale = threading.Event()
        self._fresh = threading.Condition()
        self._building = False
        self._closed = threading.Event()
        self._news: queue.SimpleQueue[Changes | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._adapters: list[_Adapter] = []
        try:
            for place, one in enumerate(world.connections):
                self._adapters.append(_Adapter(place, one, self._take))
        except WorldError:
            for adapter in self._adapters:
                adapter.runner.close()
            raise
        self._simulator.listen(self._news.put)

    @property
    def world(self) -> World:
        """What there is now."""
        return self._world

    def start(self) -> None:
        """Run the adapters. Once; after `seal.prepare` where the process is to be sealed."""
        for work in (self._keep_fresh, self._keep_telling):
            thread = threading.Thread(target=work, name="household", daemon=True)
            thread.start()
            self._threads.append(thread)
        for one in self._adapters:
            one.runner.start()

    def wait(self, seconds: float = 10.0) -> bool:
        """Until every adapter told its devices; whether they did in time."""
        until = time.monotonic() + seconds
        told = all(one.settled.wait(until - time.monotonic()) for one in self._adapters)
        with self._fresh:
            return told and self._fresh.wait_for(
                lambda: not self._stale.is_set() and not self._building,
                max(until - time.monotonic(), 0),
            )

    def status(self) -> tuple[Status, ...]:
        """Of each connection, in the file's order."""
        with self._lock:
            return tuple(
                Status(
                    adapter=one.runner.connection.adapter,
                    addresses=one.runner.connection.addresses,
                    connected=one.connected,
                    detail=one.detail,
                    num_devices=sum(found[2] == place for found in self._found.values()),
                    sealed=one.runner.sealed,
                )
                for place, one in enumerate(self._adapters)
            )

    def heard(self, entity: str) -> bool:
        """Whether a device ever said how it is. What `state` has of one that never did is a
        guess: to be told something anew does it no harm."""
        return entity not in self._found or entity in self._heard

    def state(self) -> State:
        with self._lock:
            return State({**self._simulator.state().entities, **self._values})

    def carry_out(self, call: Call) -> Report:
        with self._lock:
            found = self._found.get(call.entity)
            world, before = self._world, self.state()
        if found is None:
            return self._simulator.carry_out(call)
        try:
            after = apply(world, before, call)
        except ActionError as error:
            return Report(outcome="failed", detail=str(error))
        order = Order(
            entity=found[3],
            action=call.action,
            arguments=dict(call.arguments),
            wanted=_wanted(found[0], before, after, call),
            seconds=self._seconds,
        )
        answer = self._adapters[found[2]].runner.call(order)
        changed = {
            id: values
            for id, values in changes(before, self._kept(before), memory=True).items()
            if id == call.entity
        }
        return Report(outcome=answer.outcome, changed=changed, detail=answer.detail)

    def listen(self, callback: Callback) -> Callable[[], None]:
        def end() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        with self._lock:
            self._listeners.append(callback)
        return end

    def on_world(self, callback: Callable[[World], None]) -> None:
        """Call back with the new world whenever devices came, went or changed their names."""
        with self._lock:
            self._world_listeners.append(callback)

    def close(self) -> None:
        self._closed.set()
        self._stale.set()
        for one in self._adapters:
            one.runner.close()
        self._news.put(None)
        for thread in self._threads:
            thread.join()
        with self._lock:
            self._listeners.clear()
            self._world_listeners.clear()
        self._simulator.close()

    def _kept(self, before: State) -> State:
        """How things are now, of the devices there were before."""
        now = self.state()
        return State({id: now.entities.get(id, old) for id, old in before.entities.items()})

    def _take(self, place: int, message: Message) -> None:
        """What an adapter says, from its runner's thread."""
        adapter = self._adapters[place]
        try:
            match message["type"]:
                case "entity":
                    self._take_entity(place, message["entity"], str(message.get("area", "")))
                case "gone":
                    self._take_gone(place, message["id"])
                case "values":
                    assumed = message.get("assumed") is True
                    self._take_values(place, message["id"], message["values"], assumed)
                case "connected":
                    adapter.connected = message["now"] is True
                    adapter.detail = str(message.get("detail", ""))[:500]
                case "down":
                    adapter.connected = False
                    adapter.detail = pick("its process ended", "进程已结束")
                case "settled":
                    adapter.settled.set()
        except (WorldError, AttributeError, KeyError, TypeError, ValueError) as error:
            _LOG.warning("adapter %s: %s", adapter.runner.connection.adapter, error)

    def _take_entity(self, place: int, values: Mapping[str, Any], area: str) -> None:
        """Raises WorldError, TypeError."""
        theirs, area = values["id"], _tidied(area)
        if not isinstance(theirs, str):
            raise TypeError("an id that is no text")
        with self._lock:
            id = self._ids.get((place, theirs))
            if id is None:
                if len(self._found) >= _MOST_DEVICES:
                    raise WorldError(f"more than {_MOST_DEVICES} devices")
                id = self._free_id(theirs, place)
            own = self._adapters[place].runner.connection.devices.get(theirs)
            entity = _sayable(make_entity(self._file_world, {**values, "id": id}))
            if own is not None:
                names = (*own.names, *(one for one in entity.names if one not in own.names))
                entity = dataclasses.replace(entity, names=names, area=own.area)
            self._ids[(place, theirs)] = id
            known = self._values.get(id, {})
            self._found[id] = (entity, area, place, theirs)
            beginning = initial(dataclasses.replace(self._file_world, entities=(entity,))).of(id)
            # A device that is described anew is still as it was.
            self._values[id] = {key: known.get(key, value) for key, value in beginning.items()}
        self._stale.set()

    def _free_id(self, theirs: str, place: int) -> str:
        taken = {*self._found, *(one.id for one in self._file_world.entities)}
        id, number = theirs, place + 1
        while id in taken:
            id, number = f"{theirs}_{number}", number + 1
        return id

    def _take_gone(self, place: int, theirs: str) -> None:
        with self._lock:
            id = self._ids.pop((place, theirs), None)
            if id is None:
                return
            self._found.pop(id)
            self._heard.discard(id)
        self._stale.set()

    def _take_values(
        self, place: int, theirs: str, values: Mapping[str, Any], assumed: bool
    ) -> None:
        """Raises WorldError for a value that cannot be; the rest is taken."""
        with self._lock:
            id = self._ids.get((place, theirs))
            if id is None:
                return
            entity = self._found[id][0]
            before = self._values[id]
            new: dict[str, Value] = {}
            for key, value in values.items():
                try:
                    new[key] = fitted(self._world, entity, key, value)
                except WorldError as error:
                    _LOG.info("%s", error)
            if entity.domain == _KEEPS_MODE and "state" in new:
                last = new["state"] if new["state"] != "off" else before.get("state")
                if last not in ("off", None) and entity.supports("last_mode"):
                    new["last_mode"] = last
            if "state" in new and not assumed:
                self._heard.add(id)
            changed = {key: one for key, one in new.items() if not same(before.get(key), one)}
            if changed:
                self._values[id] = {**before, **changed}
                self._news.put({id: changed})

    def _keep_telling(self) -> None:
        """The thread that calls back: nobody who listens can hold up an adapter's answers."""
        while (changed := self._news.get()) is not None:
            with self._lock:
                listeners = tuple(self._listeners)
            for callback in listeners:
                try:
                    callback(changed)
                except Exception:
                    _LOG.exception("a listener failed")

    def _keep_fresh(self) -> None:
        """The thread that builds the world anew."""
        while True:
            self._stale.wait()
            self._building = True
            self._closed.wait(_TOGETHER_SECONDS)
            self._stale.clear()
            if self._closed.is_set():  # asked after the clearing: `close` sets both, in this order
                return
            with self._lock:
                self._values = {id: one for id, one in self._values.items() if id in self._found}
                self._world = joined(
                    self._file_world, [(one[0], one[1]) for one in self._found.values()]
                )
                listeners = tuple(self._world_listeners)
            for callback in listeners:
                try:
                    callback(self._world)
                except Exception:
                    _LOG.exception("a listener failed")
            with self._fresh:
                self._building = False
                self._fresh.notify_all()


def _sayable(entity: Entity) -> Entity:
    """With names as people say them; they come from strangers, and go to terminals and pages."""
    names = tuple(filter(None, map(_tidied, entity.names)))
    words = {
        key: tuple(filter(None, map(_tidied, some))) for key, some in entity.option_names.items()
    }
    names = names or (entity.id.partition(".")[2].replace("_", " "),)
    return dataclasses.replace(entity, names=names[:_MOST_NAMES], option_names=words)


def _tidied(name: str) -> str:
    """Without control characters, with single spaces, not too long."""
    letters = "".join(one if one.isprintable() else " " for one in name)
    return " ".join(letters.split())[:_LONGEST_NAME].strip()


def joined(world: World, found: list[tuple[Entity, str]]) -> World:
    """A household's file with devices that were found, each with the name of its area. An area
    that the file does not have is made."""
    areas = list(world.areas)
    entities = list(world.entities)
    for entity, name in found:
        if name and not entity.area:
            known = dataclasses.replace(world, areas=tuple(areas)).areas_named(name)
            if not known:
                known = (Area(id=_area_id(name, areas), names=(name,)),)
                areas += known
            entity = dataclasses.replace(entity, area=known[0].id)
        entities.append(entity)
    return dataclasses.replace(world, areas=tuple(areas), entities=tuple(entities))


def _area_id(name: str, areas: list[Area]) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    if not slug or any(one.id == slug for one in areas):
        slug = f"{slug}_{hashlib.sha256(name.encode('utf-8')).hexdigest()[:6]}".strip("_")
    return slug


def fitted(world: World, entity: Entity, key: str, value: object) -> Value:
    """A value as the vocabulary has it: numbers within the range and in its steps, for devices
    have other ones. Raises WorldError for what cannot be."""
    attribute = entity.attribute(key)
    if attribute is not None and attribute.numeric and is_number(value):
        assert isinstance(value, int | float)
        low, high = entity.range_of(key, attribute)
        value = value if low is None else max(value, low)
        value = value if high is None else min(value, high)
        if attribute.step:
            value = round(value / attribute.step) * attribute.step
        value = tidy(value)
    return checked(world, entity, key, value)


def _wanted(entity: Entity, before: State, after: State, call: Call) -> dict[str, Value]:
    """What changes, and what was asked for even where it is so already."""
    now, then = before.of(entity.id), after.of(entity.id)
    wanted = {key: value for key, value in then.items() if not same(now.get(key), value)}
    parameters = entity.vocabulary.actions[call.action].parameters
    for name, value in call.arguments.items():
        key = parameters[name].sets or name
        if key in then and same(then[key], value):
            wanted[key] = value
    wanted.pop("last_mode", None)
    if not wanted and "state" in then:
        wanted["state"] = then["state"]
    return wanted


def _settings(connection: Connection) -> dict[str, Any]:
    """A connection's settings with the secrets that their files hold. Raises WorldError."""
    settings = dict(connection.settings)
    for key in _SECRETS:
        file = settings.pop(f"{key}_file", None)
        if file is None:
            continue
        path = Path(str(file)).expanduser()
        try:
            settings[key] = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WorldError(
                pick(
                    f"{key}_file: {path} cannot be read ({error})",
                    f"{key}_file：无法读取 {path}（{error}）",
                )
            ) from None
    return settings
