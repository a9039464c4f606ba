"""A household that is only on paper: every kind of device, done at once. The default.

    devices = Simulator(world)                          # as the household's file says things are
    devices = Simulator(world, file=home / "flat.json") # goes on where it was the last time
    devices.carry_out(Call("turn_on", "light.desk"))    # Report(outcome="done", changed=...)
    devices.unplugged.add("light.desk")                 # does not answer from now on

One object may be used by many threads. Of two processes with one file, the later writer wins.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

from qingyu.act.actions import apply
from qingyu.act.calls import Call
from qingyu.act.devices import Callback, Report
from qingyu.act.state import Changes, State, changes, from_json, initial, merged
from qingyu.act.world import Value, World
from qingyu.errors import ActionError, WorldError
from qingyu.text import pick


class Simulator:
    """An implementation of `Devices`. unplugged: ids that give no answer."""

    def __init__(self, world: World, *, state: State | None = None, file: Path | None = None):
        """file: where things stand is kept, made where there is none. Raises WorldError where it
        is damaged or cannot be written."""
        self.world = world
        self.unplugged: set[str] = set()
        self._file = file
        self._lock = threading.RLock()
        self._listeners: list[Callback] = []
        if state is None:
            state = initial(world) if file is None else _read(world, file)
        self._state = state

    def state(self) -> State:
        return self._state

    def carry_out(self, call: Call) -> Report:
        if call.entity in self.unplugged:
            return Report(outcome="no_answer", detail=pick("unplugged", "已断电"))
        with self._lock:
            try:
                after = apply(self.world, self._state, call)
            except ActionError as error:
                return Report(outcome="failed", detail=str(error))
            changed = self._become(after)
        return Report(outcome="done", changed=changed)

    def change(self, entity: str, **values: Value) -> None:
        """Somebody presses a switch, or a sensor reports. Raises WorldError for what cannot be."""
        one = self.world.entity(entity)
        if one is None:
            raise WorldError(pick(f"there is no {entity}", f"没有 {entity}"))
        with self._lock:
            checked = merged(self.world, one, self._state.of(entity), values)
            self._become(self._state.updated(entity, checked))

    def listen(self, callback: Callback) -> Callable[[], None]:
        def end() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        with self._lock:
            self._listeners.append(callback)
        return end

    def close(self) -> None:
        with self._lock:
            self._listeners.clear()

    def _become(self, after: State) -> Changes:
        changed = changes(self._state, after, memory=True)
        if changed:
            if self._file is not None:
                _write(self._file, after)
            self._state = after
            for callback in tuple(self._listeners):
                callback(changed)
        return changed


def _read(world: World, file: Path) -> State:
    try:
        return from_json(world, json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return initial(world)
    except (OSError, ValueError, WorldError) as error:
        raise WorldError(
            pick(
                f"{file}: the state kept there cannot be read ({error}); delete the file to begin"
                " anew",
                f"{file}：无法读取保存的状态（{error}）；删除该文件即可重新开始",
            )
        ) from None


def _write(file: Path, state: State) -> None:
    """All of it or nothing: a new file takes the old one's place."""
    new = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new.touch(mode=0o600)
        new.write_text(json.dumps(state.as_json(), ensure_ascii=False), encoding="utf-8")
        os.replace(new, file)
    except OSError as error:
        raise WorldError(
            pick(
                f"{file} cannot be written ({error.strerror})",
                f"无法写入 {file}（{error.strerror}）",
            )
        ) from None
