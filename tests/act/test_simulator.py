"""The simulator keeps the contract of `devices`, and its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.act.calls import Call
from qingyu.act.devices import Devices
from qingyu.act.simulator import Simulator
from qingyu.act.state import Changes
from qingyu.act.world import World
from qingyu.errors import WorldError

ON = Call("set", "light.desk", {"brightness": 40})


def test_what_is_done_is_reported_and_so(world: World) -> None:
    devices: Devices = Simulator(world)
    heard: list[Changes] = []
    end = devices.listen(heard.append)
    report = devices.carry_out(ON)
    assert report.outcome == "done"
    assert report.changed == {"light.desk": {"state": "on", "brightness": 40}}
    assert devices.state().get("light.desk", "brightness") == 40
    assert heard == [report.changed]
    assert devices.carry_out(ON).changed == {}
    end()
    devices.carry_out(Call("turn_off", "light.desk"))
    assert len(heard) == 1


def test_what_cannot_be_done_or_does_not_answer(world: World) -> None:
    devices = Simulator(world)
    report = devices.carry_out(Call("set", "light.desk", {"brightness": 400}))
    assert report.outcome == "failed"
    assert "out_of_range" in report.detail
    devices.unplugged.add("light.desk")
    assert devices.carry_out(ON).outcome == "no_answer"
    assert devices.state().get("light.desk") == "off"


def test_somebody_presses_a_switch(world: World) -> None:
    devices = Simulator(world)
    heard: list[Changes] = []
    devices.listen(heard.append)
    devices.change("light.desk", state="on")
    assert heard == [{"light.desk": {"state": "on"}}]
    with pytest.raises(WorldError, match="brightness"):
        devices.change("light.desk", brightness=400)
    with pytest.raises(WorldError, match=r"light\.none"):
        devices.change("light.none", state="on")


def test_the_file_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    file = tmp_path / "homes" / "state.json"
    Simulator(world, file=file).carry_out(ON)
    assert Simulator(world, file=file).state().get("light.desk", "brightness") == 40
    assert [one.name for one in file.parent.iterdir()] == ["state.json"]
    file.write_text("{", encoding="utf-8")
    with pytest.raises(WorldError, match="delete the file"):
        Simulator(world, file=file)
