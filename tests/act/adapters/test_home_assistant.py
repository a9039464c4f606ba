"""Home Assistant, against a small stand-in that speaks the documented protocol."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from qingyu.act.adapters.home_assistant_kinds import device_of, our_id, services_of, values_of
from qingyu.act.adapters.household import Household
from qingyu.act.adapters.link import Order
from qingyu.act.calls import Call
from qingyu.act.world_file import make_world
from tests.act.adapters.mosquitto import free_port, until

TOKEN = "a-long-lived-token"


class StandIn:
    """called: services that were called. silent: entities that take a service and do nothing."""

    def __init__(self) -> None:
        self.port = free_port()
        self.called: list[tuple[str, str, dict[str, Any]]] = []
        self.silent: set[str] = set()
        self.refuses: set[str] = set()
        self.states: dict[str, dict[str, Any]] = {}
        self.registry: list[dict[str, Any]] = []
        self._connections: list[ServerConnection] = []
        self._server: Server | None = None
        self.start()

    def start(self) -> None:
        self._server = serve(self._talk, "127.0.0.1", self.port)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        for one in self._connections:
            one.close()
        self._connections.clear()

    def put(self, id: str, state: str, /, area: str = "", **attributes: Any) -> None:
        old = self.states.get(id, {"attributes": {}})
        new = {"entity_id": id, "state": state, "attributes": {**old["attributes"], **attributes}}
        self.states[id] = new
        if area:
            self.registry.append({"entity_id": id, "area_id": area, "device_id": None})
        self._tell({"entity_id": id, "old_state": old, "new_state": new})

    def take_away(self, id: str) -> None:
        old = self.states.pop(id)
        self._tell({"entity_id": id, "old_state": old, "new_state": None})

    def _tell(self, data: dict[str, Any]) -> None:
        event = {"event_type": "state_changed", "data": data}
        for one in self._connections:
            one.send(json.dumps({"id": 1, "type": "event", "event": event}))

    def _talk(self, connection: ServerConnection) -> None:
        connection.send(json.dumps({"type": "auth_required", "ha_version": "2026.11.0"}))
        if json.loads(connection.recv())["access_token"] != TOKEN:
            connection.send(json.dumps({"type": "auth_invalid", "message": "no"}))
            return
        connection.send(json.dumps({"type": "auth_ok", "ha_version": "2026.11.0"}))
        self._connections.append(connection)
        try:
            for text in connection:
                message = json.loads(text)
                answer = {"id": message["id"], "type": "result", "success": True}
                connection.send(json.dumps({**answer, **self._answer(message)}))
        except ConnectionClosed:
            return

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        match message["type"]:
            case "get_config":
                return {"result": {"unit_system": {"temperature": "°C"}}}
            case "config/area_registry/list":
                return {
                    "result": [{"area_id": "a1", "name": "书房"}, {"area_id": "a2", "name": "Den"}]
                }
            case "config/device_registry/list":
                return {"result": [{"id": "d1", "area_id": "a2"}]}
            case "config/entity_registry/list":
                return {"result": self.registry}
            case "get_states":
                return {"result": list(self.states.values())}
            case "call_service":
                return self._do(message)
        return {"result": None}

    def _do(self, message: dict[str, Any]) -> dict[str, Any]:
        id, data = message["target"]["entity_id"], message["service_data"]
        self.called.append((f"{message['domain']}.{message['service']}", id, data))
        if id in self.refuses:
            return {"success": False, "error": {"code": "x", "message": "out of battery"}}
        if id not in self.silent:
            match message["service"]:
                case "turn_on":
                    more = {}
                    if "brightness_pct" in data:
                        more["brightness"] = round(data["brightness_pct"] * 2.55)
                    self.put(id, "on", **more)
                case "turn_off":
                    self.put(id, "off")
                case "close_cover":
                    self.put(id, "closing")
                case "set_temperature":
                    self.put(id, self.states[id]["state"], **data)
                case "set_hvac_mode":
                    self.put(id, data["hvac_mode"])
        return {"result": {"context": {}}}


@pytest.fixture
def there() -> Iterator[StandIn]:
    one = StandIn()
    one.put(
        "light.desk", "off", area="a1", friendly_name="台灯", supported_color_modes=["brightness"]
    )
    one.registry.append({"entity_id": "sensor.t", "area_id": None, "device_id": "d1"})
    one.put("sensor.t", "21.5", friendly_name="Temperature", device_class="temperature",
            unit_of_measurement="°C")  # fmt: skip
    one.put(
        "cover.blind", "open", friendly_name="Blind", supported_features=15, current_position=80
    )
    one.put("climate.ac", "off", friendly_name="空调", hvac_modes=["off", "cool", "heat_cool"],
            temperature=24, min_temp=16, max_temp=30, current_temperature=20.5)  # fmt: skip
    one.put("switch.kettle", "unavailable", friendly_name="Kettle")
    one.put("input_boolean.guests", "off", friendly_name="Guests")
    one.put("switch.hidden", "on")
    one.registry.append({"entity_id": "switch.hidden", "hidden_by": "user"})
    one.put("scene.film", "unknown", friendly_name="电影")
    one.put("camera.door", "idle")
    yield one
    one.stop()


@pytest.fixture
def home(there: StandIn, tmp_path: Path) -> Iterator[Household]:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    household = Household(
        make_world(
            {
                "name": "x",
                "areas": [{"id": "study", "names": ["书房"]}],
                "connections": [
                    {
                        "adapter": "home_assistant",
                        "addresses": [f"127.0.0.1:{there.port}"],
                        "settings": {"token_file": str(token)},
                    }
                ],
            }
        ),
        seconds=3,
    )
    household.start()
    assert household.wait(30)
    yield household
    household.close()


def test_what_is_there_is_found(home: Household) -> None:
    world = home.world
    assert {one.id for one in world.entities} == {
        "light.desk", "sensor.t", "cover.blind", "climate.ac", "switch.input_boolean_guests",
        "scene.film",
    }  # fmt: skip
    desk, sensor = world.entity("light.desk"), world.entity("sensor.t")
    assert desk is not None
    assert (desk.names, desk.area) == (("台灯",), "study")
    assert sensor is not None
    assert (sensor.area, sensor.kind) == ("den", "temperature")
    assert home.state().of("climate.ac")["current_temperature"] == 20.5


def test_services_are_called_once_and_waited_for(there: StandIn, home: Household) -> None:
    report = home.carry_out(Call("set", "light.desk", {"brightness": 40}))
    assert report.outcome == "done"
    assert report.changed == {"light.desk": {"state": "on", "brightness": 40}}
    report = home.carry_out(Call("close", "cover.blind"))
    assert (report.outcome, report.changed["cover.blind"]["position"]) == ("done", 0)
    report = home.carry_out(Call("set", "climate.ac", {"mode": "auto", "temperature": 26}))
    # The stand-in has it in its own words, and ours is asked for in ours.
    assert report.outcome == "done"
    assert there.called[-2:] == [
        ("climate.set_hvac_mode", "climate.ac", {"hvac_mode": "heat_cool"}),
        ("climate.set_temperature", "climate.ac", {"temperature": 26}),
    ]
    home.carry_out(Call("turn_on", "switch.input_boolean_guests"))
    assert there.called[-1] == ("input_boolean.turn_on", "input_boolean.guests", {})
    assert len(there.called) == 5


def test_what_does_not_happen_is_said(there: StandIn, home: Household) -> None:
    there.silent.add("light.desk")
    report = home.carry_out(Call("turn_on", "light.desk"))
    assert (report.outcome, report.changed) == ("no_answer", {})
    there.refuses.add("light.desk")
    report = home.carry_out(Call("turn_on", "light.desk"))
    assert (report.outcome, report.detail) == ("failed", "out of battery")
    there.put("light.desk", "unavailable")
    until(lambda: home.carry_out(Call("turn_on", "light.desk")).detail == "the device is offline")


def test_devices_come_go_and_report(there: StandIn, home: Household) -> None:
    there.put("sensor.t", "19.0")
    until(lambda: home.state().get("sensor.t") == 19)
    there.put("switch.kettle", "off")
    until(lambda: home.world.entity("switch.kettle") is not None)
    there.take_away("sensor.t")
    until(lambda: home.world.entity("sensor.t") is None)


def test_it_comes_back_after_a_restart(there: StandIn, home: Household) -> None:
    there.stop()
    until(lambda: not home.status()[0].connected)
    assert home.carry_out(Call("turn_on", "light.desk")).outcome == "failed"
    assert there.called == []
    there.start()
    until(lambda: home.status()[0].connected)
    assert home.carry_out(Call("turn_on", "light.desk")).outcome == "done"
    assert len(there.called) == 1


def test_a_wrong_token_is_said(there: StandIn) -> None:
    world = make_world(
        {
            "name": "x",
            "connections": [
                {
                    "adapter": "home_assistant",
                    "addresses": [f"127.0.0.1:{there.port}"],
                    "settings": {"token": "wrong"},
                }
            ],
        }
    )
    household = Household(world)
    household.start()
    try:
        until(lambda: "token" in household.status()[0].detail)
    finally:
        household.close()


@pytest.mark.parametrize(
    ("id", "state", "attributes", "action", "wanted", "service"),
    [
        ("light.a", "on", {"supported_color_modes": ["hs"]}, "set", {"color": "red"},
         ("light.turn_on", {"hs_color": [0, 100]})),
        ("fan.a", "on", {"supported_features": 1, "percentage": 30}, "set", {"speed": 66},
         ("fan.set_percentage", {"percentage": 66})),
        ("lock.a", "locked", {}, "unlock", {"state": "unlocked"}, ("lock.unlock", {})),
        ("media_player.a", "playing", {"supported_features": 4, "volume_level": 0.25}, "set",
         {"volume": 50}, ("media_player.volume_set", {"volume_level": 0.5})),
        ("vacuum.a", "docked", {}, "return", {"state": "returning"}, ("vacuum.return_to_base", {})),
        ("valve.a", "closed", {}, "open", {"state": "open"}, ("valve.open_valve", {})),
        ("humidifier.a", "on", {"humidity": 40}, "set", {"humidity": 55},
         ("humidifier.set_humidity", {"humidity": 55})),
        ("water_heater.a", "eco", {"temperature": 50}, "turn_off", {"state": "off"},
         ("water_heater.turn_off", {})),
        ("input_select.a", "x", {"options": ["x", "y"]}, "set", {"state": "y"},
         ("input_select.select_option", {"option": "y"})),
        ("number.a", "5", {"unit_of_measurement": "%", "min": 0, "max": 100}, "set", {"state": 9},
         ("number.set_value", {"value": 9})),
    ],
)  # fmt: skip
def test_each_kind_has_its_services(
    id: str,
    state: str,
    attributes: dict[str, Any],
    action: str,
    wanted: dict[str, Any],
    service: tuple[str, dict[str, Any]],
) -> None:
    described = device_of(id, state, attributes)
    assert described is not None
    make_world({"name": "x", "entities": [{"id": our_id(id), "names": ["x"], **described}]})
    order = Order(entity=our_id(id), action=action, wanted=wanted)
    (found,) = services_of(id, attributes, order)
    assert (f"{found.domain}.{found.name}", found.data) == service


def test_values_are_ours() -> None:
    light = {"brightness": 102, "color_mode": "color_temp", "color_temp_kelvin": 2700,
             "hs_color": [28, 65]}  # fmt: skip
    assert values_of("light.a", "on", light) == {
        "state": "on",
        "brightness": 40,
        "color_temperature": 2700,
    }
    assert values_of("light.a", "unavailable", light) == {}
    assert values_of("media_player.a", "buffering", {"volume_level": 0.3}) == {
        "state": "playing",
        "volume": 30,
    }
    assert values_of("sensor.a", "nan", {}) == {}
    assert values_of("water_heater.a", "eco", {}) == {"state": "on"}
