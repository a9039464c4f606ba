"""A server with a household to speak to: the simulator, no skill model, the real clock.

with assisting(tmp_path, "attic_flat") as house:
    house.say("打开圆顶灯")["steps"]
    house.devices.change("light.den_ceiling", state="off")     # somebody presses a switch
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from qingyu.act.assistant import Assistant
from qingyu.act.households import open_household
from qingyu.act.records.database import Database
from qingyu.act.simulator import Simulator
from qingyu.act.talk import Chat
from qingyu.serve.home import Home
from qingyu.serve.settings import ServeSettings
from serve.serving import Server, serving


class House(NamedTuple):
    server: Server
    assistant: Assistant
    devices: Simulator

    def get(self, path: str) -> Any:
        answer = httpx.get(self.server.url + path, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, status: int = 200, **body: Any) -> Any:
        answer = self.server.post(path, body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def say(self, text: str, status: int = 200, **fields: Any) -> Any:
        return self.post("/assist/say", status, text=text, **fields)


@contextlib.contextmanager
def assisting(
    folder: Path,
    world: str = "attic_flat",
    *,
    skill: Any = None,
    chat: Chat | None = None,
    settings: ServeSettings | None = None,
) -> Iterator[House]:
    household = open_household(world)
    devices = Simulator(household)
    with (
        Database(folder / "act.sqlite") as database,
        Assistant(household, devices, database, skill=skill, chat=chat) as assistant,
    ):
        assistant.start()
        home = Home(assistant)
        try:
            with serving(home=home, settings=settings) as server:
                yield House(server, assistant, devices)
        finally:
            home.close()


class Events:
    """What /assist/events tells, read in a thread until the end of the test."""

    def __init__(self, server: Server) -> None:
        self.told: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._client = httpx.Client(timeout=30)
        self._stream = self._client.stream("GET", server.url + "/assist/events")
        self._answer = self._stream.__enter__()
        assert self._answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(httpx.HTTPError, RuntimeError):
            for line in self._answer.iter_lines():
                if line.startswith("data: "):
                    with self._news:
                        self.told.append(json.loads(line[6:]))
                        self._news.notify_all()

    def next(self, kind: str) -> dict[str, Any]:
        """The first event of a kind that was not taken yet; those before it are left out."""

        def found() -> bool:
            return any(one["type"] == kind for one in self.told)

        with self._news:
            assert self._news.wait_for(found, 10), [one["type"] for one in self.told]
            while True:
                one = self.told.pop(0)
                if one["type"] == kind:
                    return one

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # To close it would not wake the thread that reads.
            stream = self._answer.extensions["network_stream"]
            stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._client.close()
