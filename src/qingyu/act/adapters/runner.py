"""Keeps one adapter running in a process of its own, and talks to it.

    runner = Runner(connection, on_message=print)   # opens the door: before the assistant is sealed
    runner.start()                              # afterwards, or at once
    runner.call(order)                          # Answer(outcome="done"); from any thread
    runner.close()

A process that ends, says what is no message, or no longer answers is started anew, after a pause
that grows with each time. What it was told to do meanwhile is answered "no_answer", and is never
told again: it may have been done.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qingyu.act.adapters.door import open_door
from qingyu.act.adapters.link import Answer, Order
from qingyu.act.adapters.wire import Message, Wire, WireError
from qingyu.act.world import Connection
from qingyu.errors import WorldError
from qingyu.text import language, pick

_LOG = logging.getLogger(__name__)
_PING_SECONDS = 5.0
_SILENT_SECONDS = 20.0
"""An adapter that has not said anything for so long, asked every few seconds, is stuck."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
_STEADY_SECONDS = 60.0
"""After so long a run the pause begins small again."""
_GRACE_SECONDS = 1.0
"""How much later than the adapter the assistant stops to wait for an answer."""


@dataclass
class _Waiting:
    """A call on its way."""

    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None


class Runner:
    """on_message: called with each message that is no answer, one at a time, and with
    {"type": "down"} when the process ended. Attributes: sealed, how the process is locked (as
    `SealStatus.as_dict` gives it, None before it said so); starts, how often it was started.
    Raises WorldError where no process can be started."""

    def __init__(
        self,
        connection: Connection,
        *,
        on_message: Callable[[Message], None],
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.connection = connection
        self.sealed: dict[str, Any] | None = None
        self.starts = 0
        self._settings = dict(connection.settings if settings is None else settings)
        self._on_message = on_message
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._last_id = 0
        self._heard = 0.0
        self._thread: threading.Thread | None = None
        try:
            self._door = open_door(connection.addresses)
        except OSError as error:
            name = connection.adapter
            raise WorldError(
                pick(
                    f"the adapter {name} cannot be started: {error.strerror}",
                    f"无法启动适配器 {name}：{error.strerror}",
                )
            ) from None

    @property
    def process(self) -> int | None:
        """The number of the process that runs now."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Once. From here on there is a process, and threads that look after it."""
        name = f"adapter {self.connection.adapter}"
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)
        self._thread.start()

    def call(self, order: Order) -> Answer:
        """Have something done, and wait for what comes of it: order.seconds and a bit at most."""
        waiting = _Waiting()
        with self._lock:
            wire = self._wire
            self._last_id += 1
            id = self._last_id
            if wire is not None:
                self._waiting[id] = waiting
        if wire is None:
            return Answer(
                outcome="failed", detail=pick("its adapter is not running", "适配器未运行")
            )
        try:
            wire.send({"type": "call", "id": id, "order": {**vars(order)}})
        except OSError:
            waiting.done.set()  # whether it got that far is not to be known
        waiting.done.wait(order.seconds + _GRACE_SECONDS)
        with self._lock:
            self._waiting.pop(id, None)
        return waiting.answer or Answer(outcome="no_answer")

    def close(self) -> None:
        self._closing.set()
        self._end_process()
        if self._thread is not None:
            self._thread.join(_SILENT_SECONDS)
        self._door.close()

    def _keep(self) -> None:
        """The thread: one process after the other."""
        pause = _FIRST_PAUSE
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._run_once()
            except (OSError, WireError) as error:
                _LOG.warning("adapter %s: %s", self.connection.adapter, error)
            self._clean_up()
            steady = time.monotonic() - began > _STEADY_SECONDS
            pause = _FIRST_PAUSE if steady else min(pause * 2, _LONGEST_PAUSE)
            self._closing.wait(pause)

    def _run_once(self) -> None:
        """Start a process, and listen to it until it ends. Raises OSError, WireError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        numbers = [theirs.fileno(), self._door.channel.fileno()]
        command = [sys.executable, "-m", "qingyu.act.adapters.worker", *map(str, numbers)]
        wire = Wire(ours)
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=numbers,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "QINGYU_LANG": language()},
            )
        self.starts += 1
        self._heard = time.monotonic()
        wire.send(
            {
                "type": "start",
                "adapter": self.connection.adapter,
                "settings": self._settings,
                "addresses": [list(one) for one in self.connection.addresses],
                "named": sorted(self.connection.devices),
            }
        )
        with self._lock:
            self._wire = wire
        if self._closing.is_set():
            return
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(wire, over), daemon=True)
        watch.start()
        try:
            while (message := wire.receive()) is not None:
                self._heard = time.monotonic()
                self._take(message)
        finally:
            over.set()
            watch.join()

    def _take(self, message: Message) -> None:
        match message["type"]:
            case "pong":
                return
            case "sealed":
                self.sealed = message["status"]
            case "answer":
                with self._lock:
                    waiting = self._waiting.get(message.get("id", 0))
                if waiting is not None:
                    waiting.answer = _answer(message)
                    waiting.done.set()
                return
        self._on_message(message)

    def _watch(self, wire: Wire, over: threading.Event) -> None:
        """Asks now and then; ends a process that has nothing to say."""
        while not over.wait(_PING_SECONDS):
            if time.monotonic() - self._heard > _SILENT_SECONDS:
                _LOG.warning("adapter %s: no answer", self.connection.adapter)
                self._end_process()
                return
            with contextlib.suppress(OSError):
                wire.send({"type": "ping"})

    def _end_process(self) -> None:
        with self._lock:
            wire, process = self._wire, self._process
        if wire is not None:
            with contextlib.suppress(OSError):
                wire.shut()
        if process is not None:
            process.kill()

    def _clean_up(self) -> None:
        with self._lock:
            wire, self._wire = self._wire, None
            waiting, self._waiting = self._waiting, {}
            process = self._process
        for one in waiting.values():
            one.done.set()
        if wire is not None:
            wire.close()
        if process is not None:
            # Its end of the pair is closed or it is stuck: either way there is nothing to wait for.
            process.kill()
            process.wait()
        self._on_message({"type": "down"})


def _answer(message: Message) -> Answer:
    """Raises WireError."""
    outcome, detail = message.get("outcome"), message.get("detail", "")
    if outcome not in ("done", "failed", "no_answer") or not isinstance(detail, str):
        raise WireError(f"no answer: {message}")
    return Answer(outcome=outcome, detail=detail[:500])
