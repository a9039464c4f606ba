"""The sentence rules of a language, read from data/<language>/*.yaml (notation: data/README.md).

    rules = read_rules("zh")
    rules.categories[0].rules[0].turns[0].form      # "on {light}"
    rules.words.lists["message"], rules.words.maps["color"]

Checks that every slot of a form can occur in its sentence, so that a slip of the pen is found
when the files are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from qingyu.act.skill.sentences.names import DATA
from qingyu.act.skill.sentences.notation import Template, read, slots_of
from qingyu.act.yaml_file import read_yaml
from qingyu.errors import DataError
from qingyu.text import pick

SLOT = re.compile(r"\{([^{}]+)\}")
RISKY = frozenset({"unlock", "call", "send", "walk", "turn", "go", "follow", "patrol", "dock"})
_RISKY_COVER = re.compile(r"cover\.(?:garage|gate|door|boot)\b|\bdoor\b|[<{]lock\b")
_SPECIAL = frozenset({"macros", "noise", "around"})


def pending_of(form: str) -> str:
    """ "confirm" after a form that is carried out only after a yes, else ""."""
    verb, _, rest = form.partition(" ")
    risky = verb in RISKY or (verb == "open" and _RISKY_COVER.search(rest))
    risky = risky or (verb == "set" and re.match(r"[<{]?(?:select\.)?drive_mode", rest))
    return "confirm" if risky else ""


@dataclass(frozen=True)
class Words:
    """lists: texts that stand for themselves. maps: {name: {key: how it is said}}."""

    lists: Mapping[str, tuple[Template, ...]] = field(default_factory=dict)
    maps: Mapping[str, Mapping[str, Template]] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """template: how it is said. form: what is meant, with slots. pending: "", which, confirm."""

    template: Template
    form: str
    pending: str = ""


@dataclass(frozen=True)
class Rule:
    """turns: of each turn its alternatives. after: what the turn before must be ("" none).
    words: of this rule alone. where: file and line of writing, for messages."""

    turns: tuple[tuple[Turn, ...], ...]
    weight: float
    after: str
    words: Words
    category: str


@dataclass(frozen=True)
class Category:
    name: str
    share: float
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Around:
    """Reasons before or behind an order whose form begins with one of the patterns."""

    patterns: tuple[str, ...]
    before: tuple[Template, ...]
    behind: tuple[Template, ...]


@dataclass(frozen=True)
class Rules:
    """All there is of a language. joiners: between two orders. noise: noise.yaml as it is."""

    language: str
    categories: tuple[Category, ...]
    words: Words
    around: tuple[Around, ...]
    joiners: tuple[Template, ...]
    noise: Mapping[str, Any]


@cache
def read_rules(language: str) -> Rules:
    """All rules of "zh" or "en". Raises DataError that names file and template."""
    return read_folder(DATA / language, language)


def read_folder(folder: Path, language: str) -> Rules:
    """The rules of any folder."""

    def content(name: str) -> dict[str, Any]:
        path = folder / f"{name}.yaml"
        return dict(read_yaml(path, DataError) or {}) if path.exists() else {}

    macros = {_key(name): str(text) for name, text in content("macros").items()}
    values: dict[str, Any] = {}
    for path in sorted(folder.glob("lists*.yaml")):
        values |= read_yaml(path, DataError) or {}
    words = _words(values, macros)
    categories = []
    for path in sorted(folder.glob("*.yaml")):
        if path.stem in _SPECIAL or path.stem.startswith(("lists", "names")):
            continue
        data = read_yaml(path, DataError)
        if not isinstance(data, dict) or not isinstance(data.get("rules"), list):
            raise _wrong(path.name, "no rules", "没有 rules")
        found: list[Rule] = []
        for at, one in enumerate(data["rules"]):
            try:
                found.append(_rule(one, macros, words, path.stem))
            except DataError as error:
                raise DataError(f"{path.name}, rules[{at}]: {error}") from None
        categories.append(Category(path.stem, float(data.get("share", 1)), tuple(found)))
    around = content("around")
    reasons = tuple(
        Around(
            tuple(part.strip() for part in str(one["for"]).split(";")),
            _templates(one.get("before"), macros),
            _templates(one.get("behind"), macros),
        )
        for one in around.get("reasons", ())
    )
    joiners = _templates(around.get("joiners"), macros)
    return Rules(language, tuple(categories), words, reasons, joiners, content("noise"))


def _wrong(what: str, english: str, chinese: str) -> DataError:
    return DataError(pick(f"{what}: {english}", f"{what}：{chinese}"))


def _templates(values: object, macros: Mapping[str, str]) -> tuple[Template, ...]:
    if values is None:
        return ()
    lines = _lines(values) if isinstance(values, str) else [str(one) for one in _listed(values)]
    return tuple(read(one, macros) for one in lines)


def _listed(values: object) -> list[object]:
    if not isinstance(values, list):
        raise _wrong(repr(values), "should be a list", "应为列表")
    return values


def _words(values: Mapping[str, Any], macros: Mapping[str, str]) -> Words:
    lists: dict[str, tuple[Template, ...]] = {}
    maps: dict[str, Mapping[str, Template]] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            maps[_key(name)] = {
                _key(key): read(_alternatives(one), macros) for key, one in value.items()
            }
        else:
            lists[_key(name)] = _templates(value, macros)
    return Words(lists, maps)


def _key(key: object) -> str:
    """YAML reads on and off as truth values."""
    return {True: "on", False: "off"}[key] if isinstance(key, bool) else str(key)


def _alternatives(value: object) -> str:
    return f"({'|'.join(map(str, value))})" if isinstance(value, list) else str(value)


def _lines(text: str) -> list[str]:
    """Of a block, without comments and blank lines."""
    lines = (re.sub(r"(?:^|\s)# .*$", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _rule(data: Mapping[str, Any], macros: Mapping[str, str], words: Words, name: str) -> Rule:
    unknown = set(data) - {"form", "say", "turns", "after", "weight", "let", "share"}
    if unknown:
        raise _wrong(str(sorted(unknown)), "unknown key", "未知的键")
    local = data.get("let") or {}
    own_macros = dict(macros) | {
        _key(key): one for key, one in local.items() if isinstance(one, str)
    }
    own = _words({key: one for key, one in local.items() if not isinstance(one, str)}, own_macros)
    form = _text(data.get("form", ""))
    if "turns" in data:
        said = [one if isinstance(one, list) else [one] for one in data["turns"]]
        lines = [[str(one) for one in each] for each in said]
    else:
        say = data.get("say", "")
        lines = [[str(one) for one in (say if isinstance(say, list) else [say])]]
    turns = []
    for at, each in enumerate(lines):
        expanded = [line for one in each for line in _lines(one)]
        made = tuple(_turn(one, form, own_macros, own, words) for one in expanded)
        if not made:
            raise _wrong(f"turn {at + 1}", "nothing is said", "没有句子")
        turns.append(made)
    weight = float(data.get("weight", 1))
    return Rule(tuple(turns), weight, str(data.get("after", "")), own, name)


def _text(form: object) -> str:
    return _key(form) if isinstance(form, bool) else str(form)


def _turn(line: str, form: str, macros: Mapping[str, str], own: Words, words: Words) -> Turn:
    said, arrow, meant = line.rpartition(" => ")
    if not arrow:
        said, meant = line, form
    if not meant:
        raise _wrong(line, "no form", "没有形式")
    meant, _, pending = meant.partition("|")
    template = read(said.strip(), macros)
    possible = _possible(template, own, words)
    missing = [one for one in SLOT.findall(meant) if one not in possible]
    if missing:
        raise _wrong(
            line, f"{{{missing[0]}}} is not in the sentence", f"句子里没有 {{{missing[0]}}}"
        )
    meant = " ".join(meant.split())
    known = re.sub(r"\{class[^}]*\}", "", meant)  # which class it is, chance decides
    return Turn(template, meant, pending.strip() or pending_of(known))


def _possible(template: Template, own: Words, words: Words) -> set[str]:
    """Slots of a template, and those inside the lists and maps it draws from."""
    found: set[str] = set()
    todo = list(slots_of(template))
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        base = name.partition("#")[0].partition(":")[0]
        for source in (own, words):
            for one in (*source.lists.get(base, ()), *source.maps.get(base, {}).values()):
                todo += slots_of(one)
    return found


def every_turn(rules: Rules) -> Iterator[tuple[Rule, Turn]]:
    """Each way of saying each turn, with its rule."""
    for category in rules.categories:
        for rule in category.rules:
            for turn in rule.turns:
                for one in turn:
                    yield rule, one
