"""A household's file: YAML in, a checked `World` out.

    world = read_world(Path("home.yaml"))

Every key, name, value and reference is checked against the vocabulary; an error names the file,
the key, the value and the fix. All keys: README.md in `qingyu.act.bench`.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qingyu.act.kinds import guess_kind
from qingyu.act.state import checked
from qingyu.act.values import MOMENT, TIME, frozen, is_number, is_time, misfit
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.world import (
    ADAPTERS,
    Area,
    Connection,
    Contact,
    Entity,
    Floor,
    Given,
    Sun,
    Value,
    World,
)
from qingyu.act.yaml_file import close_to, read_yaml
from qingyu.errors import WorldError
from qingyu.text import pick

_WORLD = ("name", "speaker", "now", "sun", "floors", "areas", "entities", "contacts", "connections")
_ENTITY = ("id", "names", "area", "state", "attributes", "ranges", "options", "option_names")
_CONNECTION = ("adapter", "addresses", "settings", "devices")
_ID = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


def read_world(path: Path) -> World:
    """Raises WorldError naming the file, the key, the value and the fix."""
    values = read_yaml(path, WorldError)
    try:
        return make_world(values)
    except WorldError as error:
        raise WorldError(f"{path}: {error}") from None


def make_world(values: object) -> World:
    """A world from plain data, as YAML or JSON gives it. Raises WorldError."""
    table = _table(values, "the file", _WORLD)
    world = World(
        name=_text(table, "name", ""),
        speaker=_text(table, "speaker", "", default=""),
        now=_now(table.get("now")),
        sun=_sun(table.get("sun")),
        floors=tuple(
            Floor(id=_id(one, at), names=_names(one, at))
            for at, one in _tables(table, "floors", ("id", "names"))
        ),
        areas=tuple(
            Area(id=_id(one, at), names=_names(one, at), floor=_text(one, "floor", at, default=""))
            for at, one in _tables(table, "areas", ("id", "names", "floor"))
        ),
        entities=tuple(_entity(one, at) for at, one in _tables(table, "entities", _ENTITY)),
        contacts=tuple(
            Contact(names=_names(one, at)) for at, one in _tables(table, "contacts", ("names",))
        ),
        connections=tuple(
            _connection(one, at) for at, one in _tables(table, "connections", _CONNECTION)
        ),
    )
    _check_references(world)
    return dataclasses.replace(
        world, entities=tuple(_checked_entity(world, one) for one in world.entities)
    )


def make_entity(world: World, values: object) -> Entity:
    """A device from plain data, for a world it is not in yet. Raises WorldError."""
    return _checked_entity(world, _entity(_table(values, "a device", _ENTITY), "a device"))


def _connection(table: Mapping[str, Any], at: str) -> Connection:
    adapter = _text(table, "adapter", at)
    if adapter not in ADAPTERS and "." not in adapter:
        raise _unknown(f"{at}.adapter", adapter, ADAPTERS)
    settings = _table(table.get("settings"), f"{at}.settings")
    devices = _table(table.get("devices"), f"{at}.devices")
    where = f"{at}.addresses"
    for key, value in settings.items():
        if not isinstance(value, str | int | float | bool):
            raise _wrong(
                f"{at}.settings.{key}",
                f"is {value!r}; write a text, a number, true or false",
                f"为 {value!r}；请写文字、数字、true 或 false",
            )
    return Connection(
        adapter=adapter,
        addresses=tuple(_address(one, where) for one in _texts(table.get("addresses"), where)),
        settings=settings,
        devices={id: _given(one, f"{at}.devices.{id}") for id, one in devices.items()},
    )


def _given(value: object, at: str) -> Given:
    table = _table(value, at, ("names", "area"))
    names = _names(table, at) if "names" in table else ()
    return Given(names=names, area=_text(table, "area", at, default=""))


def _address(text: str, where: str) -> tuple[str, int]:
    """As `host:port` or `[::1]:port`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise _wrong(where, f'has "{text}"; write "host:port"', f'中有“{text}”；请写成 "主机:端口"')
    return host, int(port)


def _entity(table: Mapping[str, Any], at: str) -> Entity:
    """The parts that need no look at the rest of the world."""
    id = _text(table, "id", at)
    domain, _, name = id.partition(".")
    if domain not in DOMAINS or not name or not set(name) <= _ID:
        hint = close_to(domain, DOMAINS) if domain not in DOMAINS else ("", "")
        raise _wrong(
            f"{at}.id",
            f'is "{id}", not domain.name in small letters, digits and _{hint[0]}',
            f"为“{id}”，应为“领域.名称”，用小写字母、数字和 _{hint[1]}",
        )
    attributes = dict(_table(table.get("attributes"), f"{id}.attributes"))
    sets = attributes.pop("sets", None)
    if (sets is None) == (domain == "scene"):
        raise _wrong(
            f"{id}.attributes.sets",
            "is what a scene sets, and only a scene has it",
            "是场景要设置的内容，只有场景才有",
        )
    options = _table(table.get("options"), f"{id}.options")
    option_names = _table(table.get("option_names"), f"{id}.option_names")
    return Entity(
        id=id,
        names=_names(table, id),
        area=_text(table, "area", id, default=""),
        state=table.get("state"),
        attributes=attributes,
        ranges={
            key: _range(value, f"{id}.ranges.{key}")
            for key, value in _table(table.get("ranges"), f"{id}.ranges").items()
        },
        options={
            key: _texts(value, f"{id}.options.{key}", empty_too=True)
            for key, value in options.items()
        },
        option_names={
            key: _texts(value, f"{id}.option_names.{key}") for key, value in option_names.items()
        },
        sets={
            key: dict(_table(value, f"{id}.attributes.sets.{key}"))
            for key, value in _table(sets, f"{id}.attributes.sets").items()
        },
    )


def _checked_entity(world: World, entity: Entity) -> Entity:
    """The entity with its values checked, and what it leaves out filled in."""
    domain, id = entity.vocabulary, entity.id
    if entity.domain == "robot" and "place" not in entity.options:
        places = tuple(one.id for one in world.areas)
        entity = dataclasses.replace(entity, options={**entity.options, "place": places})
    _check_area(world, entity.area, f"{id}.area")
    for key in entity.attributes:
        if key not in domain.attributes:
            raise _unknown(f"{id}.attributes.{key}", key, domain.attributes)
    if (entity.state is None) != (domain.state is None):
        raise _wrong(
            f"{id}.state",
            *(
                ("is missing; say how it is now", "缺失；请写出现在的状态")
                if entity.state is None
                else ("is there, but a thing of this kind has none", "多余：此类设备没有状态")
            ),
        )
    _check_options(world, entity)
    for key, (low, high) in entity.ranges.items():
        attribute = entity.attribute(key)
        if attribute is None or not attribute.numeric or not entity.supports(key):
            raise _wrong(
                f"{id}.ranges.{key}",
                "is no number this device has; remove it or add the attribute",
                "不是该设备的数值；请删除，或补上该属性",
            )
        if low > high or (attribute.kind == "percent" and (low < 0 or high > 100)):
            raise _wrong(
                f"{id}.ranges.{key}",
                f"is [{low:g}, {high:g}]; write [lowest, highest], percent within 0 to 100",
                f"为 [{low:g}, {high:g}]；请写成 [最小, 最大]，百分比在 0 到 100 之间",
            )
    attributes: dict[str, Value] = {}
    for key, value in entity.attributes.items():
        attribute = domain.attributes[key]
        if attribute.access == "fixed":
            found = misfit(world, entity, key, attribute, value)
            if found is not None:
                raise _wrong(
                    f"{id}.attributes.{key}",
                    f"is {value!r}; {found.text()}",
                    f"为 {value!r}；{found.text()}",
                )
            attributes[key] = frozen(value)
        else:
            attributes[key] = checked(world, entity, key, value)
    state = None if domain.state is None else checked(world, entity, "state", entity.state)
    if entity.domain in ("cover", "select") and "kind" not in attributes:
        attributes["kind"] = guess_kind(entity)
    sets = {one: _checked_sets(world, entity, one, values) for one, values in entity.sets.items()}
    return dataclasses.replace(entity, state=state, attributes=attributes, sets=sets)


def _check_options(world: World, entity: Entity) -> None:
    """The lists are known, within the vocabulary, and there where something chooses from them."""
    known = entity.vocabulary.option_keys()
    for key, options in entity.options.items():
        at = f"{entity.id}.options.{key}"
        if key not in known:
            raise _unknown(at, key, known)
        usual = known[key].options
        if entity.domain == "robot" and key == "place":
            usual = tuple(one.id for one in world.areas)
        for option in options:
            if usual and option not in usual:
                raise _unknown(at, option, usual)
    every = [*entity.attributes, *(("state",) if entity.state is not None else ())]
    for key in every:
        attribute = entity.attribute(key)
        assert attribute is not None
        chooses = attribute.kind == "option" and not attribute.blank
        if chooses and not world.options_of(entity, attribute):
            raise _wrong(
                f"{entity.id}.{attribute.chosen_by}",
                f"is missing; list what {key} may be",
                f"缺失；请列出 {key} 可取的值",
            )
    choices = {option for options in entity.options.values() for option in options}
    for option in entity.option_names:
        if option not in choices:
            raise _unknown(f"{entity.id}.option_names.{option}", option, sorted(choices))


def _checked_sets(
    world: World, scene: Entity, id: str, values: Mapping[str, Value]
) -> dict[str, Value]:
    entity = world.entity(id)
    if entity is None:
        raise _unknown(f"{scene.id}.attributes.sets", id, [one.id for one in world.entities])
    try:
        return {key: checked(world, entity, key, value) for key, value in values.items()}
    except WorldError as error:
        raise WorldError(f"{scene.id}.attributes.sets: {error}") from None


def _check_references(world: World) -> None:
    _check_unique((one.id for one in world.floors), "floors")
    _check_unique((one.id for one in world.areas), "areas")
    _check_unique((one.id for one in world.entities), "entities")
    _check_unique((one.value for one in world.contacts), "contacts")
    for area in world.areas:
        if area.floor and world.floor(area.floor) is None:
            floors = [one.id for one in world.floors]
            raise _unknown(f"{area.id}.floor", area.floor, floors)
    _check_area(world, world.speaker, "speaker")
    for connection in world.connections:
        for id, given in connection.devices.items():
            _check_area(world, given.area, f"connections.{id}.area")


def _check_unique(ids: Iterable[str], where: str) -> None:
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise _wrong(where, f'has "{id}" twice; rename one', f"中“{id}”重复；请改名")
        seen.add(id)


def _check_area(world: World, area: str, where: str) -> None:
    if area and world.area(area) is None:
        raise _unknown(where, area, [one.id for one in world.areas])


def _now(value: object) -> datetime.datetime | None:
    if value is None or isinstance(value, datetime.datetime):
        return value
    if is_time(value, MOMENT):
        return datetime.datetime.strptime(str(value), MOMENT)
    raise _wrong(
        "now", f"is {value!r}; write 2026-11-27 07:30", f"为 {value!r}；请写 2026-11-27 07:30"
    )


def _sun(value: object) -> Sun | None:
    if value is None:
        return None
    table = _table(value, "sun", ("sunrise", "sunset"))
    times = {}
    for key in ("sunrise", "sunset"):
        text = table.get(key)
        if not is_time(text, TIME):
            raise _wrong(
                f"sun.{key}",
                f'is {text!r}; write "06:30", in quotes',
                f'为 {text!r}；请写 "06:30"，并加引号',
            )
        times[key] = datetime.datetime.strptime(str(text), TIME).time()
    return Sun(**times)


def _table(values: object, where: str, known: Sequence[str] = ()) -> dict[str, Any]:
    """A mapping of texts; where `known` is given, of these keys only. None is an empty one."""
    if values is None and where != "the file":
        return {}
    if not isinstance(values, Mapping):
        raise _wrong(where, "is not a mapping (key: value)", "不是映射（键: 值）")
    for key in values:
        if not isinstance(key, str):
            raise _wrong(where, f"has the key {key!r}; put it in quotes", f"的键 {key!r} 要加引号")
        if known and key not in known:
            raise _unknown(where, key, known)
    return dict(values)


def _tables(
    table: Mapping[str, Any], key: str, known: Sequence[str]
) -> list[tuple[str, dict[str, Any]]]:
    """Each mapping of a list, with where it stands: ("areas[0]", {...})."""
    values = table.get(key) or []
    if not isinstance(values, list):
        raise _wrong(key, "is not a list", "不是列表")
    return [
        (f"{key}[{index}]", _table(value or "", f"{key}[{index}]", known))
        for index, value in enumerate(values)
    ]


def _text(table: Mapping[str, Any], key: str, at: str, default: str | None = None) -> str:
    value = table.get(key, default)
    where = f"{at}.{key}" if at else key
    if value is None:
        raise _wrong(where, "is missing", "缺失")
    if not isinstance(value, str) or (not value.strip() and default is None):
        raise _wrong(where, f"is {value!r}; write a text", f"为 {value!r}；请写文字")
    return value


def _id(table: Mapping[str, Any], at: str) -> str:
    id = _text(table, "id", at)
    if not set(id) <= _ID:
        raise _wrong(
            f"{at}.id",
            f'is "{id}"; write it in small letters, digits and _',
            f"为“{id}”；请用小写字母、数字和 _",
        )
    return id


def _names(table: Mapping[str, Any], at: str) -> tuple[str, ...]:
    if "names" not in table:
        raise _wrong(f"{at}.names", "is missing; give at least one name", "缺失；至少要有一个名称")
    return _texts(table["names"], f"{at}.names")


def _texts(value: object, where: str, *, empty_too: bool = False) -> tuple[str, ...]:
    if not isinstance(value, list) or not (value or empty_too):
        raise _wrong(where, "is not a list of texts", "不是文字列表")
    for one in value:
        if not isinstance(one, str) or not one.strip():
            raise _wrong(
                where,
                f'has {one!r}; write a text, numbers and on/off in quotes: "{one}"',
                f'中有 {one!r}；请写文字，数字和 on/off 要加引号："{one}"',
            )
    return tuple(value)


def _range(value: object, where: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_number, value)):
        raise _wrong(
            where, f"is {value!r}; write [lowest, highest]", f"为 {value!r}；请写 [最小, 最大]"
        )
    return value[0], value[1]


def _unknown(where: str, name: str, known: Iterable[str]) -> WorldError:
    english, chinese = close_to(name, known)
    return _wrong(where, f'has an unknown "{name}"{english}', f"中“{name}”未知{chinese}")


def _wrong(where: str, english: str, chinese: str) -> WorldError:
    return WorldError(pick(f"{where} {english}", f"{where} {chinese}"))
