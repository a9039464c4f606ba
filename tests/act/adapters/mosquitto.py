"""A real Mosquitto on loopback, and devices on it that do what they are told.

with Mosquitto(tmp_path) as broker: ...         # broker.port; broker.restart()
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

_PLACES = (os.environ.get("MOSQUITTO", ""), "mosquitto", "/usr/sbin/mosquitto",
           "/usr/local/sbin/mosquitto")  # fmt: skip


def _program() -> str:
    found = next((path for one in _PLACES if one and (path := shutil.which(one))), None)
    assert found is not None, "no Mosquitto; bring it with: make broker"
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def until(condition: Callable[[], bool], seconds: float = 30.0, what: str = "") -> None:
    """Wait for something that another process or thread brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what or "it did not happen in time"
        time.sleep(0.01)


class Mosquitto:
    """persistent: retained messages and sessions outlive a restart."""

    def __init__(self, folder: Path, *, persistent: bool = True, extra: str = "") -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)  # as root it becomes another user
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"listener {self.port} 127.0.0.1\n"
            f"allow_anonymous true\npersistence {str(persistent).lower()}\n"
            f"persistence_location {folder}/\nuser root\n{extra}"
        )

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [_program(), "-c", str(self._file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._listens, what="Mosquitto did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "Mosquitto ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Devices:
    """A gateway with devices behind it: announces them, does what it is told and says so.

    executed: every command that arrived, (topic, payload). quality: of service, by topic.
    answers: a command's topic to a function from its payload to (topic, payload) of the report,
    None to stay silent.
    """

    def __init__(self, port: int) -> None:
        self.executed: list[tuple[str, str]] = []
        self.quality: dict[str, int] = {}
        self.answers: dict[str, Callable[[str], tuple[str, str] | None]] = {}
        self.announced: dict[str, str] = {}
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="gateway", clean_session=False
        )
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port, keepalive=10)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def announce(self, topic: str, config: dict[str, Any] | None) -> None:
        """A discovery message, retained."""
        payload = "" if config is None else json.dumps(config, ensure_ascii=False)
        self.announced[topic] = payload
        self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(10)

    def say(self, topic: str, payload: str | dict[str, Any], *, retain: bool = True) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self._client.publish(topic, text, qos=1, retain=retain)

    def connected(self) -> bool:
        return bool(self._client.is_connected()) and self._subscribed.is_set()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([("cmd/#", 2), ("homeassistant/status", 1)])

    def _on_message(self, client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        payload = message.payload.decode()
        if message.topic == "homeassistant/status":
            for topic, config in self.announced.items():
                client.publish(topic, config, qos=1, retain=True)
            return
        assert not message.retain, "a command must not be retained"
        self.executed.append((message.topic, payload))
        self.quality[message.topic] = message.qos
        answer = self.answers.get(message.topic, lambda text: None)(payload)
        if answer is not None:
            client.publish(*answer, qos=1, retain=True)


@contextmanager
def devices(port: int) -> Iterator[Devices]:
    one = Devices(port)
    try:
        yield one
    finally:
        one.close()


def lamp(gateway: Devices, name: str, **more: Any) -> None:
    """A lamp with brightness that speaks JSON and does what it is told."""
    gateway.announce(
        f"homeassistant/light/{name}/config",
        {
            "schema": "json", "~": f"dev/{name}", "cmd_t": f"cmd/{name}", "stat_t": "~/state",
            "brightness": True, "uniq_id": name, "name": None,
            "dev": {"ids": [name], "name": f"{name} lamp"}, **more,
        },
    )  # fmt: skip
    now: dict[str, Any] = {"state": "OFF", "brightness": 255}
    gateway.say(f"dev/{name}/state", now)

    def answer(payload: str) -> tuple[str, str]:
        now.update(json.loads(payload))
        return f"dev/{name}/state", json.dumps(now)

    gateway.answers[f"cmd/{name}"] = answer
