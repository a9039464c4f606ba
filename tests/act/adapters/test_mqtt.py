"""MQTT devices against a real Mosquitto: 200 of them, both ways, the broker restarted meanwhile."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qingyu.act.adapters.household import Household
from qingyu.act.calls import Call
from qingyu.act.devices import Report
from qingyu.act.world_file import make_world
from tests.act.adapters.mosquitto import Devices, Mosquitto, devices, lamp, until

NUM_EACH = 50
ROOMS = ("客厅", "书房", "厨房", "Attic")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as one:
        yield one


@pytest.fixture
def gateway(broker: Mosquitto) -> Iterator[Devices]:
    with devices(broker.port) as one:
        yield one


Start = Callable[..., Household]


@pytest.fixture
def start(broker: Mosquitto) -> Iterator[Start]:
    running = []

    def go(seconds: float = 5.0, **settings: Any) -> Household:
        address = f"127.0.0.1:{broker.port}"
        world = make_world(
            {
                "name": "home",
                "areas": [{"id": "hall", "names": ["客厅", "hall"]}],
                "connections": [{"adapter": "mqtt", "addresses": [address], "settings": settings}],
            }
        )
        household = Household(world, seconds=seconds)
        running.append(household)
        household.start()
        return household

    yield go
    for one in running:
        one.close()


def switch(gateway: Devices, name: str, **more: Any) -> None:
    gateway.announce(
        f"homeassistant/switch/{name}/config",
        {"cmd_t": f"cmd/{name}", "stat_t": f"dev/{name}", "uniq_id": name, "name": name, **more},
    )
    gateway.say(f"dev/{name}", "OFF")
    gateway.answers[f"cmd/{name}"] = lambda payload: (f"dev/{name}", payload)


def house(gateway: Devices) -> None:
    """200 devices: lamps, switches, thermometers and blinds."""
    for number in range(NUM_EACH):
        area = ROOMS[number % len(ROOMS)]
        lamp(gateway, f"lamp{number}", dev={"name": f"灯{number}", "sa": area})
        quality = number % 3  # at most once, or exactly once
        switch(gateway, f"plug{number}", dev={"name": "插座", "sa": area}, qos=quality)
        gateway.announce(
            f"homeassistant/sensor/t{number}/config",
            {
                "stat_t": f"dev/t{number}", "val_tpl": "{{ value_json.t | float | round(1) }}",
                "unit_of_meas": "°C", "dev_cla": "temperature", "name": "温度",
                "dev": {"name": f"探头{number}", "sa": area},
            },
        )  # fmt: skip
        gateway.say(f"dev/t{number}", {"t": 20 + number / 10})
        gateway.announce(
            f"homeassistant/cover/blind{number}/config",
            {
                "cmd_t": f"cmd/blind{number}", "stat_t": f"dev/blind{number}", "name": "卷帘",
                "pos_t": f"dev/blind{number}/at", "set_pos_t": f"cmd/blind{number}/at",
                "dev": {"name": f"窗{number}", "sa": area}, "dev_cla": "blind",
            },
        )  # fmt: skip
        gateway.say(f"dev/blind{number}", "closed")
        gateway.say(f"dev/blind{number}/at", "0")
        gateway.answers[f"cmd/blind{number}"] = lambda payload, number=number: (
            f"dev/blind{number}",
            "opening" if payload == "OPEN" else "closing",
        )


def do(household: Household, action: str, entity: str, **arguments: Any) -> Report:
    return household.carry_out(Call(action, entity, arguments))


def test_200_devices_both_ways_and_the_broker_restarted(
    broker: Mosquitto, gateway: Devices, start: Start
) -> None:
    house(gateway)
    home = start()
    assert home.wait(30)
    assert len(home.world.entities) == 4 * NUM_EACH
    assert {area.names[0] for area in home.world.areas} == set(ROOMS)
    assert len(home.world.select(area="hall")) == 52  # 13 of each kind
    assert home.state().get("sensor.t7") == 20.7
    (named,) = home.world.named("窗3卷帘")
    assert (named.id, named.kind) == ("cover.blind3", "blind")

    # Commands, each carried out once, and what the devices say of themselves.
    for number in range(NUM_EACH):
        report = do(home, "set", f"light.lamp{number}", brightness=40)
        assert report.outcome == "done", report
        assert report.changed == {f"light.lamp{number}": {"state": "on", "brightness": 40}}
    gateway.say("dev/plug9", "ON")
    gateway.say("dev/t9", {"t": 33.34})
    until(lambda: home.state().get("switch.plug9") == "on")
    until(lambda: home.state().get("sensor.t9") == 33.3)
    report = do(home, "open", "cover.blind1")
    assert report.outcome == "done"
    assert home.state().get("cover.blind1") == "open"

    # The broker goes while commands are on their way.
    before = len(gateway.executed)
    reports: list[tuple[int, Report]] = []

    def tell_all() -> None:
        for number in range(NUM_EACH):
            reports.append((number, do(home, "turn_on", f"switch.plug{number}")))

    teller = threading.Thread(target=tell_all)
    teller.start()
    until(lambda: len(gateway.executed) > before + 5)
    broker.stop()
    teller.join(60)
    assert not home.status()[0].connected
    report = do(home, "turn_on", "light.lamp3")
    assert (report.outcome, report.detail) == ("failed", "the MQTT broker is not connected")
    told = len(gateway.executed)
    broker.start()
    until(lambda: home.status()[0].connected and gateway.connected())
    assert [one.id for one in home.world.entities if one.domain == "light"]
    assert len(home.world.entities) == 4 * NUM_EACH

    # It works again, and what was told before is not told again.
    until(lambda: do(home, "turn_off", "light.lamp1").outcome == "done")
    assert do(home, "turn_off", "light.lamp2").outcome == "done"
    gateway.say("dev/t11", {"t": 9})
    until(lambda: home.state().get("sensor.t11") == 9)
    # Only what the broker promised to deliver exactly once may have been late.
    later = [one for one in gateway.executed[told:] if one[0].startswith("cmd/plug")]
    assert not [topic for topic, _ in later if int(topic.removeprefix("cmd/plug")) % 3 == 0]
    for number, report in reports:
        # At most once, or exactly once; never "at least once".
        assert gateway.quality.get(f"cmd/plug{number}", 0) == (2 if number % 3 else 0) or (
            report.outcome != "done"
        )
        times = gateway.executed.count((f"cmd/plug{number}", "ON"))
        assert times <= 1, number
        if report.outcome == "done":
            assert times == 1 or number == 9, number  # that one was on
        if report.outcome == "failed":
            assert times == 0, number
    outcomes = [report.outcome for _, report in reports]
    assert outcomes.count("done") >= 5
    assert "failed" in outcomes


def test_a_device_that_does_not_answer_is_reported(gateway: Devices, start: Start) -> None:
    switch(gateway, "plug")
    home = start(seconds=2)
    assert home.wait(30)
    gateway.answers.clear()
    report = do(home, "turn_on", "switch.plug")
    assert (report.outcome, report.changed) == ("no_answer", {})
    assert home.state().get("switch.plug") == "off"
    assert gateway.executed == [("cmd/plug", "ON")]


def test_a_device_that_says_something_else_is_believed(gateway: Devices, start: Start) -> None:
    lamp(gateway, "desk")
    gateway.answers["cmd/desk"] = lambda payload: (
        "dev/desk/state",
        '{"state": "ON", "brightness": 51}',
    )
    home = start(seconds=2)
    assert home.wait(30)
    report = do(home, "set", "light.desk", brightness=80)
    assert (report.outcome, report.detail) == ("failed", "it reports brightness 20, state on")
    assert report.changed == {"light.desk": {"state": "on", "brightness": 20}}


def test_a_device_that_never_reports_is_done_when_the_broker_has_it(
    gateway: Devices, start: Start
) -> None:
    gateway.announce("homeassistant/switch/old/config", {"cmd_t": "cmd/old", "name": "老开关"})
    home = start()
    assert home.wait(30)
    assert not home.heard("switch.old")
    report = do(home, "turn_on", "switch.old")
    assert (report.outcome, report.changed) == ("done", {"switch.old": {"state": "on"}})
    until(lambda: gateway.executed == [("cmd/old", "ON")])
    assert not home.heard("switch.old")  # still a guess


def test_a_device_that_is_offline_is_not_told(gateway: Devices, start: Start) -> None:
    switch(gateway, "plug", avty_t="dev/plug/there")
    gateway.say("dev/plug/there", "offline")
    home = start()
    assert home.wait(30)
    report = do(home, "turn_on", "switch.plug")
    assert (report.outcome, report.detail) == ("failed", "the device is offline")
    assert gateway.executed == []
    gateway.say("dev/plug/there", "online")
    until(lambda: do(home, "turn_on", "switch.plug").outcome == "done")


def test_devices_come_go_and_change(gateway: Devices, start: Start) -> None:
    switch(gateway, "plug")
    home = start()
    assert home.wait(30)
    worlds = []
    home.on_world(worlds.append)
    lamp(gateway, "new")
    until(lambda: home.world.entity("light.new") is not None)
    assert worlds[-1] is home.world
    gateway.announce(
        "homeassistant/switch/plug/config",
        {"cmd_t": "cmd/plug", "stat_t": "dev/plug", "name": "水壶", "dev": {"sa": "厨房"}},
    )
    until(lambda: bool(home.world.named("水壶")))
    assert do(home, "turn_on", "switch.plug").outcome == "done"
    gateway.announce("homeassistant/light/new/config", None)
    until(lambda: home.world.entity("light.new") is None)
    assert "light.new" not in home.state().entities
    assert do(home, "turn_on", "light.new").outcome == "failed"


def test_a_broker_that_forgot_everything_is_told_again_by_the_devices(
    tmp_path: Path,
) -> None:
    """Devices hear that somebody is there ("birth"), and announce themselves once more."""
    with Mosquitto(tmp_path / "b", persistent=False) as broker, devices(broker.port) as gateway:
        switch(gateway, "plug")
        address = f"127.0.0.1:{broker.port}"
        world = make_world(
            {"name": "x", "connections": [{"adapter": "mqtt", "addresses": [address]}]}
        )
        home = Household(world)
        home.start()
        try:
            assert home.wait(30)
            broker.restart()
            until(lambda: gateway.connected() and home.status()[0].connected)
            until(lambda: do(home, "turn_on", "switch.plug").outcome == "done")
        finally:
            home.close()


def test_hostile_messages_change_nothing(gateway: Devices, start: Start) -> None:
    switch(gateway, "plug")
    home = start()
    assert home.wait(30)
    process = home._adapters[0].runner.process
    prefix = "homeassistant/switch/bad"
    for number, payload in enumerate(
        [
            "{", "[]", "[" * 50_000, '{"cmd_t": 5}', '{"cmd_t": "a/#", "stat_t": "+"}',
            json.dumps({"cmd_t": "c", "stat_t": "s", "val_tpl": "{% for a in b %}{% endfor %}"}),
            json.dumps({"cmd_t": "c", "dev": "x", "avty": 5, "name": {"a": 1}}),
            json.dumps({"cmd_t": "c", "name": "\u202e\x07evil\n" + "x" * 5000}),
        ]
    ):  # fmt: skip
        gateway.say(f"{prefix}{number}/config", payload)
    gateway.say("homeassistant/device/x/config", {"cmps": {"a": {"p": "switch", "cmd_t": "c"}}})
    gateway.say("dev/plug", "x" * 100_000)
    gateway.say("dev/plug", "ON")
    until(lambda: home.state().get("switch.plug") == "on")
    until(lambda: home.world.entity("switch.x_a") is not None)
    assert home._adapters[0].runner.process == process
    (evil,) = [one for one in home.world.entities if "evil" in one.names[0]]
    assert len(evil.names[0]) <= 60
    assert evil.names[0].isprintable()
    assert do(home, "turn_off", "switch.plug").outcome == "done"


def test_a_wrong_password_is_said(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "b", extra="") as broker:
        broker.stop()
        broker._file.write_text(broker._file.read_text().replace("true", "false", 1))
        broker.start()
        secret = tmp_path / "secret"
        secret.write_text("wrong\n")
        world = make_world(
            {
                "name": "x",
                "connections": [
                    {
                        "adapter": "mqtt",
                        "addresses": [f"127.0.0.1:{broker.port}"],
                        "settings": {"username": "a", "password_file": str(secret)},
                    }
                ],
            }
        )
        home = Household(world)
        home.start()
        try:
            until(lambda: "uthorized" in home.status()[0].detail)
            assert not home.wait(0)
        finally:
            home.close()


def test_an_old_broker_is_spoken_to_in_its_own_version(gateway: Devices, start: Start) -> None:
    switch(gateway, "plug")
    home = start(protocol="3.1.1")
    assert home.wait(30)
    assert do(home, "turn_on", "switch.plug").outcome == "done"


SEALED = """
import json, socket, sys
from qingyu.act.adapters.household import Household
from qingyu.act.calls import Call
from qingyu.act.world_file import make_world
from qingyu.serve import seal

port = int(sys.argv[1])
connection = {"adapter": "mqtt", "addresses": [f"127.0.0.1:{port}"]}
home = Household(make_world({"name": "x", "connections": [connection]}))
seal.prepare()
sealed = seal.seal().sealed
home.start()
found = home.wait(20)
report = home.carry_out(Call("turn_on", "switch.plug"))
runner = home._adapters[0].runner
runner._process.kill()  # started anew by a process that is sealed by now
while runner.starts < 2 or not home.status()[0].connected:
    pass
again = home.carry_out(Call("turn_off", "switch.plug"))
try:
    socket.create_connection(("127.0.0.1", port), 1)
    reached = True
except OSError:
    reached = False
home.close()
print(json.dumps([sealed, found, report.outcome, again.outcome, reached]))
"""


def test_the_assistants_process_stays_sealed(broker: Mosquitto, gateway: Devices) -> None:
    """Its doors were opened before; adapters are started, and once more, from behind the seal."""
    switch(gateway, "plug")
    done = subprocess.run(
        [sys.executable, "-c", SEALED, str(broker.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, True, "done", "done", False]
