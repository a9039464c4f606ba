"""qingyu assist: one sentence, a conversation from a pipe, the commands."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from qingyu.cli import common, main
from qingyu.models.store import home_folder
from tests.cli.scripted import Install, Run


def test_one_sentence_and_what_changed(cli: Run) -> None:
    outcome = cli("assist", "打开圆顶灯")
    assert outcome.code == 0
    assert outcome.out == "已打开圆顶灯。\n"
    assert "dome light · state: off → on" in outcome.err
    assert "turn_on light.den_ceiling: fine" in outcome.err


def test_what_the_skill_model_lacks_is_said(cli: Run) -> None:
    """The home of these tests has no default model."""
    assert "qingyu pull default" in cli("assist", "打开圆顶灯").err
    assert "qingyu pull" not in cli("assist", "打开圆顶灯", "--skill", "none").err


def test_json(cli: Run) -> None:
    record = cli("assist", "Set the dome light to 130 percent", "--json").json
    assert record["steps"] == []
    assert record["verdicts"][0]["outcome"] == "out_of_range"
    assert (record["verdicts"][0]["low"], record["verdicts"][0]["high"]) == (1, 100)


def test_the_household_stays_as_it_was_left(cli: Run) -> None:
    cli("assist", "打开圆顶灯")
    assert "已经开着" in cli("assist", "打开圆顶灯").out
    assert "已打开" in cli("assist", "--fresh", "打开圆顶灯").out


def test_a_conversation_from_a_pipe(cli: Run) -> None:
    outcome = cli("assist", stdin="解锁入户锁\n是\n/undo\n/quit\n打开圆顶灯\n")
    assert outcome.out.splitlines() == [
        "解锁入户锁，确认吗？",
        "已解锁入户锁。",
        "已撤销：入户锁锁着。",
    ]


def test_where_the_speaker_is(cli: Run) -> None:
    assert "sleeping nook" in cli("assist", "turn on the reading lamp", "--speaker", "-").out
    outcome = cli("assist", "turn on the reading lamp", "--speaker", "睡角", "--json")
    assert outcome.json["steps"][0]["call"]["entity"] == "light.nook_reading"
    outcome = cli("assist", "x", "--speaker", "moon")
    assert outcome.code == 1
    assert "den, nook, galley" in outcome.err


@pytest.mark.parametrize("world", ["lakeside_house", "city_car", "amei_phone", "scout"])
def test_the_households_that_ship(cli: Run, world: str) -> None:
    outcome = cli("assist", "--world", world, stdin="/state\n")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) > 5


def test_a_household_of_one_s_own(cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\nentities:\n  - {id: light.one, names: [豆灯, bean], state: 'off'}\n"
    )
    assert cli("assist", "--world", str(file), "打开豆灯").out == "已打开豆灯。\n"
    file.write_text("name: mine\nentities:\n  - {id: lamp.one, names: [豆灯], state: 'off'}\n")
    outcome = cli("assist", "--world", str(file), "打开豆灯")
    assert outcome.code == 1
    assert "lamp.one" in outcome.err
    outcome = cli("assist", "--world", "city_cat", "打开豆灯")
    assert outcome.code == 1
    assert "city_car" in outcome.err


def test_commands(cli: Run) -> None:
    lines = [
        "十分钟后关掉起居间的看书灯",
        "/schedules",
        "/schedules cancel 2",
        "/schedules",
        "以后把圆顶灯叫大饼",
        "/memory",
        "/memory forget 1",
        "打开圆顶灯",
        "/journal",
        "/state den",
        "/speaker nook",
        "/nonsense",
        "/schedules cancel x",
    ]
    outcome = cli("assist", stdin="\n".join(lines))
    assert "turn_off light.den_reading" in outcome.out
    assert "cancelled: 十分钟后关掉起居间的看书灯" in outcome.err
    assert "nothing is planned" in outcome.err
    assert "大饼" in outcome.out
    assert "nothing is remembered" in outcome.err
    assert "done" in outcome.out
    assert "brightness=70" in outcome.out
    assert "no command /nonsense" in outcome.err
    assert "'x' is no number" in outcome.err


def test_a_conversation_as_json(cli: Run) -> None:
    outcome = cli("assist", "--json", stdin="打开圆顶灯\n关掉圆顶灯\n")
    records = [json.loads(line) for line in outcome.out.splitlines()]
    assert [one["steps"][0]["call"]["action"] for one in records] == ["turn_on", "turn_off"]


def test_conversation_goes_to_a_chat_model(cli: Run, scripted: Install) -> None:
    model = scripted("Under ", "the bed.")
    model.info = dataclasses.replace(model.info, context=1000)
    outcome = cli("assist", "--chat", "default", "where do monsters live")
    assert outcome.out == "Under the bed.\n"
    messages = model.requests[0][1]
    assert [one["role"] for one in messages] == ["system", "user"]
    assert "dome light" not in str(messages)


def test_a_household_s_name_is_no_path(cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: ../../mine\nentities:\n  - {id: light.a, names: [豆灯], state: 'off'}\n")
    cli("assist", "--world", str(file), "打开豆灯")
    kept = home_folder() / "act"
    assert sorted(one.name for one in kept.iterdir() if one.suffix != ".sqlite") == ["_mine.json"]
    assert (kept / "_mine.json").stat().st_mode & 0o77 == 0


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


def test_real_devices(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "modules" / "bulb"
    folder.mkdir(parents=True)
    (folder / "house.py").write_text(ADAPTER, "utf-8")
    paths = [str(folder.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    file = tmp_path / "real.yaml"
    file.write_text(
        "name: real\nconnections: [{adapter: bulb.house, addresses: ['127.0.0.1:1']}]\n"
    )
    outcome = cli("assist", "--world", str(file), "打开真灯")
    assert outcome.out == "已打开真灯。\n"
    assert "bulb.house 127.0.0.1:1: 1 devices" in outcome.err


def test_it_is_sealed_once_the_ways_to_its_devices_are_open(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed: list[str] = []
    monkeypatch.setattr("qingyu.serve.seal.inherited.close_sockets", lambda: None)
    monkeypatch.setattr(common, "lock_now", lambda: sealed.append("now"))
    monkeypatch.setattr(common, "locks_late", False)
    main.lock(["assist", "打开圆顶灯"])
    assert common.locks_late
    assert sealed == []
    assert cli("assist", "打开圆顶灯").out == "已打开圆顶灯。\n"
    assert sealed == ["now"]
