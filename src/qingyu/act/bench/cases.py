"""The cases: what somebody says in a household, and what must have changed afterwards.

    for world, cases in read_split("test", language="zh"):
        cases[0].say, cases[0].beginning

Every case is checked against its household when it is read: each device, attribute, value and
area exists, and what is wanted is not so already. The form: README.md in this folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal

from qingyu.act.bench.matchers import Matcher, make_matcher
from qingyu.act.state import State, initial, merged
from qingyu.act.when import When, parse_when
from qingyu.act.world import Entity, World
from qingyu.act.world_file import read_world
from qingyu.act.yaml_file import close_to, read_yaml
from qingyu.errors import DataError, InvalidRequestError, WorldError
from qingyu.text import pick

Split = Literal["test", "dev"]
Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
CATEGORIES = (
    "plain", "alias", "several", "area", "exception", "number", "relative", "color", "wish",
    "question", "reference", "schedule", "ambiguous", "unsupported", "absent", "range", "risky",
    "talk", "mixed", "noise", "phone", "car", "robot",
)  # fmt: skip
_KEYS = (
    "id", "from", "speaker", "say", "want", "any", "may", "reply", "asks", "schedule",
)  # fmt: skip

Wanted = Mapping[str, Mapping[str, Matcher]]
"""{entity: {"state" or attribute: what it must be afterwards}}."""
Words = tuple[tuple[str, ...], ...]
"""What a reply must have in it: of each group one."""


@dataclass(frozen=True, kw_only=True)
class WantedSchedule:
    """when: due. want: what changes when it fires."""

    when: When
    want: Wanted


@dataclass(frozen=True, kw_only=True)
class Case:
    """say: the turns, in order. speaker: where the person is, "" for unknown. beginning: how
    things are before. any: sets of changes, one of which must come out, and no others but `may`.
    reply: what the last reply must have in it; asks: what it must name in asking back.
    """

    id: str
    language: Language
    category: str
    speaker: str
    say: tuple[str, ...]
    beginning: State
    any: tuple[Wanted, ...]
    may: Wanted
    reply: Words
    asks: Words
    schedule: WantedSchedule | None


def read_split(
    split: Split, *, language: Language | None = None
) -> list[tuple[World, tuple[Case, ...]]]:
    """The benchmark's cases, by household and language. Raises DataError, WorldError."""
    found = []
    with as_file(files("qingyu.act.bench")) as folder:
        for path in sorted((folder / split).glob("*.yaml")):
            name, _, spoken = path.stem.rpartition(".")
            if language is None or spoken == language:
                world = read_world(folder / "worlds" / f"{name}.yaml")
                found.append((world, read_cases(path, world)))
    return found


def read_cases(path: Path, world: World) -> tuple[Case, ...]:
    """The cases of a file named WORLD.LANGUAGE.yaml. Raises DataError naming file, case and key."""
    tables = read_yaml(path, DataError)
    if not isinstance(tables, list):
        raise DataError(pick(f"{path} is no list of cases", f"{path} 不是用例列表"))
    cases: list[Case] = []
    seen: set[str] = set()
    for index, table in enumerate(tables):
        id = str(table.get("id", index)) if isinstance(table, Mapping) else str(index)
        try:
            if not isinstance(table, Mapping):
                raise _wrong("", "is no mapping", "不是映射")
            case = _case(world, table, path.stem)
            if case.id in seen:
                raise _wrong("id", "is there twice; number it anew", "重复；请重新编号")
        except (DataError, WorldError, InvalidRequestError) as error:
            raise DataError(f"{path}: {id}: {error}") from None
        seen.add(case.id)
        cases.append(case)
    return tuple(cases)


def _case(world: World, table: Mapping[str, Any], stem: str) -> Case:
    for key in table:
        if key not in _KEYS:
            english, chinese = close_to(str(key), _KEYS)
            raise _wrong(str(key), f"is no key of a case{english}", f"不是用例的键{chinese}")
    id, language, category = _id(table.get("id"), stem)
    if ("want" in table) == ("any" in table):
        raise _wrong("want", "or any: give one of them", "与 any：请给出其中一个")
    speaker = table.get("speaker", world.speaker)
    if speaker != "" and (not isinstance(speaker, str) or world.area(speaker) is None):
        english, chinese = close_to(str(speaker), [one.id for one in world.areas])
        raise _wrong("speaker", f"is {speaker!r}{english}", f"为 {speaker!r}{chinese}")
    beginning = _beginning(world, table.get("from", {}))
    alternatives = table["any"] if "any" in table else [table["want"]]
    if not isinstance(alternatives, list) or not alternatives:
        raise _wrong("any", "is not a list of changes", "不是改变的列表")
    wanted = tuple(_wanted(world, one, "want") for one in alternatives)
    for one in wanted:
        _check_differs(one, beginning)
    return Case(
        id=id,
        language=language,
        category=category,
        speaker=speaker,
        say=_texts(table.get("say"), "say"),
        beginning=beginning,
        any=wanted,
        may=_wanted(world, table.get("may", {}), "may"),
        reply=_words(table.get("reply"), "reply"),
        asks=_words(table.get("asks"), "asks"),
        schedule=_schedule(world, table.get("schedule")),
    )


def _id(id: object, stem: str) -> tuple[str, Language, str]:
    """The parts of WORLD.LANGUAGE.CATEGORY.NUMBER, which begins as the file's name does."""
    parts = str(id).split(".")
    form = "WORLD.LANGUAGE.CATEGORY.NUMBER"
    if len(parts) != 4 or parts[1] not in LANGUAGES or not parts[3].isdecimal():
        raise _wrong("id", f"is not {form}", f"应为 {form}")
    if parts[2] not in CATEGORIES:
        english, chinese = close_to(parts[2], CATEGORIES)
        raise _wrong("id", f"has no category{english}", f"中没有类别{chinese}")
    if ".".join(parts[:2]) != stem:
        raise _wrong("id", f"does not begin with the file's name {stem}", f"应以文件名 {stem} 开头")
    return str(id), "zh" if parts[1] == "zh" else "en", parts[2]


def _beginning(world: World, values: object) -> State:
    state = initial(world)
    for id, one in _mapping(values, "from").items():
        entity = _entity(world, id, "from")
        state = state.updated(id, merged(world, entity, state.of(id), one))
    return state


def _wanted(world: World, values: object, where: str) -> Wanted:
    wanted: dict[str, dict[str, Matcher]] = {}
    for id, one in _mapping(values, where).items():
        entity = _entity(world, id, where)
        wanted[id] = {
            key: make_matcher(world, entity, key, value)
            for key, value in _mapping(one, f"{where}.{id}").items()
        }
        if not wanted[id]:
            raise _wrong(f"{where}.{id}", "is empty; name a state", "为空；请写出状态")
    return wanted


def _check_differs(wanted: Wanted, beginning: State) -> None:
    for id, keys in wanted.items():
        for key, matcher in keys.items():
            value = beginning.get(id, key)
            if matcher.matches(value):
                raise _wrong(
                    f"want.{id}.{key}",
                    f"is {matcher}, and so it is at the beginning ({value}); leave it out",
                    f"为 {matcher}，而开始时已是如此（{value}）；请去掉",
                )


def _schedule(world: World, values: object) -> WantedSchedule | None:
    if values is None:
        return None
    table = _mapping(values, "schedule")
    if set(table) != {"at", "want"}:
        raise _wrong("schedule", "is not {at: …, want: …}", "应为 {at: …, want: …}")
    when = parse_when(str(table["at"]))
    if world.now is not None:
        when.due(world.now, world.sun)
    return WantedSchedule(when=when, want=_wanted(world, table["want"], "schedule.want"))


def _words(values: object, where: str) -> Words:
    if values is None:
        return ()
    return tuple(tuple(one.split("|")) for one in _texts(values, where))


def _texts(values: object, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not values:
        raise _wrong(where, "is not a list of texts", "不是文字列表")
    for one in values:
        if not isinstance(one, str) or not one.strip():
            raise _wrong(where, f"has {one!r}; put it in quotes", f"中有 {one!r}；请加引号")
    return tuple(values)


def _mapping(values: object, where: str) -> dict[str, Any]:
    if not isinstance(values, Mapping) or not all(isinstance(one, str) for one in values):
        raise _wrong(where, "is not a mapping", "不是映射")
    return dict(values)


def _entity(world: World, id: str, where: str) -> Entity:
    entity = world.entity(id)
    if entity is None:
        english, chinese = close_to(id, [one.id for one in world.entities])
        raise _wrong(where, f"has an unknown {id}{english}", f"中 {id} 未知{chinese}")
    return entity


def _wrong(where: str, english: str, chinese: str) -> DataError:
    return DataError(pick(f"{where} {english}".strip(), f"{where} {chinese}".strip()))
