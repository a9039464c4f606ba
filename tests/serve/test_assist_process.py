"""`qingyu serve --assist` as a process: sealed, kept over a restart, stopped in time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import httpx
import pytest

from qingyu.act.chat_model import ModelChat
from qingyu.cli import main
from qingyu.errors import QingyuError
from qingyu.models.store import home_folder
from qingyu.serve.home_loading import ServedChat
from serve.serving import serving
from serve.test_server import process


@pytest.mark.model
def test_a_household_behind_the_seal(default_model_path: Path) -> None:
    flags = ("--model", str(default_model_path), "--port", "0", "--require-seal")
    with process(*flags) as server:
        server.ready()
        plain = next(line for line in server.lines if line.startswith("sealed"))
    with process(*flags, "--assist", "attic_flat", "--skill", "none") as server:
        url = server.ready()
        # The household takes nothing of the locks away.
        assert plain in server.lines
        answer = httpx.post(url + "/assist/say", json={"text": "打开圆顶灯"}, timeout=30).json()
        assert answer["text"] == "已打开圆顶灯。"
        watcher = httpx.Client(timeout=30)
        with watcher.stream("GET", url + "/assist/events") as stream:
            assert stream.status_code == 200
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 5
        watcher.close()
    folder = home_folder() / "act"
    assert {one.name for one in folder.iterdir()} >= {"attic_flat.json", "attic_flat.sqlite"}
    assert folder.stat().st_mode & 0o777 == 0o700
    with process(*flags, "--assist", "attic_flat", "--skill", "none") as server:
        url = server.ready()
        values = httpx.get(url + "/assist/state").json()["values"]
        assert values["light.den_ceiling"]["state"]["value"] == "on"
        assert httpx.post(url + "/assist/undo", json={}).json()["text"]
        assert server.stop() == 0


ADAPTER = """
import asyncio
from qingyu.act.adapters.link import Answer

async def run(link, settings):
    async def do(order):
        link.values(order.entity, order.wanted)
        return Answer(outcome="done")
    link.on_call(do)
    link.entity({"id": "light.real", "names": ["真灯", "real lamp"], "state": "off"})
    link.connected(True)
    link.settled()
    await asyncio.Event().wait()
"""


@pytest.mark.model
def test_real_devices_behind_the_seal(
    default_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "modules" / "bulb"
    folder.mkdir(parents=True)
    (folder / "house.py").write_text(ADAPTER, "utf-8")
    paths = [str(folder.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    file = tmp_path / "real.yaml"
    file.write_text(
        "name: real\nconnections: [{adapter: bulb.house, addresses: ['127.0.0.1:1']}]\n"
    )
    flags = ("--model", str(default_model_path), "--port", "0", "--require-seal")
    with process(*flags, "--assist", str(file), "--skill", "none") as server:
        url = server.ready()
        assert [one["id"] for one in httpx.get(url + "/assist/state").json()["devices"]] == [
            "light.real"
        ]
        answer = httpx.post(url + "/assist/say", json={"text": "打开真灯"}, timeout=30).json()
        assert answer["text"] == "已打开真灯。"
        assert server.stop() == 0


def test_conversation_is_held_by_the_model_that_is_served() -> None:
    with serving({"Hi": "Hello there"}) as server:
        chat = ServedChat(server.service)
        assert isinstance(chat, ModelChat)
        assert chat.answer("Hi", "en") == "Hello there"
        assert server.scheduler.stats().running == 0
        engine, server.service.engine = server.service.engine, None
        with pytest.raises(QingyuError, match="still loading"):
            chat.answer("Hi", "en")
        server.service.engine = engine


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--skill", "none"), "--assist"),
        (("--assist", "castle"), "castle"),
        (("--assist", "attic_flat", "--skill", "nowhere.gguf"), "nowhere"),
    ],
)
def test_what_cannot_be_is_an_error(
    flags: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["serve", "--port", "0", *flags]) == 1
    assert word in capsys.readouterr().err
