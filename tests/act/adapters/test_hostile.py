"""Whatever is written to a broker: the adapter goes on, and describes only what can be."""

import asyncio
import contextlib
import json
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from qingyu.act.adapters.household import fitted
from qingyu.act.adapters.link import Link, Order
from qingyu.act.adapters.mqtt_home import Home
from qingyu.act.adapters.mqtt_kinds import _KINDS
from qingyu.act.adapters.mqtt_names import _SHORT, full
from qingyu.act.adapters.mqtt_template import TemplateFailedError
from qingyu.act.world import World
from qingyu.act.world_file import make_entity
from qingyu.errors import WorldError

KEYS = (*_SHORT.values(), "schema", "name", "modes", "fan_modes", "min", "max", "step", "min_temp",
        "max_temp", "temp_step", "brightness", "rgb", "hs", "qos", "~")  # fmt: skip
VALUES = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-(10**20), 10**20),
    some.floats(),
    some.sampled_from(["", "a", "b/c", "#", "on", "json", "heat", "off", "{{ value }}", "%", "-1",
                       "{{ value_json.a | float }}", "ON", "0", "1e999", "nan"]),
    some.lists(some.sampled_from(["heat", "off", "low", "rgb", "xy", "x", 5, None]), max_size=3),
    some.dictionaries(some.sampled_from(["t", "name", "sa", "pl_avail"]), some.text(max_size=4),
                      max_size=2),
)  # fmt: skip
PAYLOADS = some.one_of(
    some.sampled_from(["", "ON", "50", "-1", "nan", "1e400", "[]", "{}", "1,2,3", ",", "null",
                       '{"state": "ON", "brightness": 1e400, "color": {"h": "x", "s": null}}',
                       '{"a": 5}', '{"state": {}, "color": []}', '"x"', "9" * 5000]),
    some.text(max_size=20),
)  # fmt: skip
COMPONENTS = some.sampled_from([*_KINDS, "device", "camera"])
CONFIGS = some.dictionaries(some.sampled_from(KEYS), VALUES, max_size=12)
USUAL = {"cmd_t": "c", "stat_t": "s", "mode_cmd_t": "m", "ops": ["a"]}


class Described:
    """In a link's place: checks what it is told as the assistant does."""

    def __init__(self) -> None:
        self.entities: dict[str, Any] = {}

    def entity(self, entity: dict[str, Any], *, area: str = "") -> None:
        json.dumps(entity)
        try:
            self.entities[entity["id"]] = make_entity(World(name="x"), entity)
        except WorldError:
            self.entities.pop(entity["id"], None)  # refused, as it should be

    def gone(self, id: str) -> None:
        self.entities.pop(id, None)

    def values(self, id: str, values: dict[str, Any], *, assumed: bool = False) -> None:
        for key, value in values.items():
            if id in self.entities:
                with contextlib.suppress(WorldError):
                    fitted(World(name="x"), self.entities[id], key, value)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    component=COMPONENTS,
    config=CONFIGS,
    usual=some.booleans(),
    payloads=some.lists(PAYLOADS, max_size=4),
)
def test_nothing_written_to_a_broker_stops_the_adapter(
    component: str, config: dict[str, Any], usual: bool, payloads: list[str]
) -> None:
    async def check() -> None:
        home = Home(cast(Link, Described()), "homeassistant")
        whole = {**(USUAL if usual else {}), **config}
        text = json.dumps(whole).encode()
        home.take(f"homeassistant/{component}/x/config", text, retained=True)
        home.take("homeassistant/device/y/config", json.dumps({"cmps": {"a": whole}}).encode(),
                  retained=True)  # fmt: skip
        for payload in payloads:
            for topic in home.wanted:
                home.take(topic, payload.encode("utf-8", "replace"), retained=False)
        for entry in home._entries.values():
            for action, wanted in (
                ("set", {"state": "on", "brightness": 50, "position": 5, "temperature": 20}),
                ("turn_off", {"state": "off"}),
                ("open", {"state": "open"}),
            ):
                order = Order(entity=entry.id, action=action, wanted=wanted)
                try:
                    entry.device.messages(order)
                    entry.device.expected(order)
                except (ArithmeticError, TemplateFailedError, LookupError, TypeError, ValueError):
                    pass  # what the adapter says it cannot do

    asyncio.run(check())


@given(config=some.recursive(VALUES, lambda one: some.dictionaries(some.text(max_size=5), one)))
def test_names_are_written_out_of_anything(config: Any) -> None:
    full(config if isinstance(config, dict) else {"dev": config, "cmps": config, "avty": [config]})
