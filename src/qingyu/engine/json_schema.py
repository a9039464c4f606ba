"""JSON schemas as a grammar compiler can be trusted with them.

    prepared({"type": "array", "uniqueItems": True})      # ConstraintError: ... at #/uniqueItems

llguidance refuses most of what it does not support, but not all: some keywords it passes over
in silence, some only under an old `$schema`. Here a schema is read as draft 2020-12 (forms of
older drafts that still have one meaning are accepted), and everything that would not be kept is
an error that names the keyword and where it stands. So is a schema that no finite text follows.
It does not know grammars or tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any
from urllib.parse import unquote

from qingyu.errors import ConstraintError
from qingyu.text import pick

MAX_DEPTH = 64
# Dicts and lists in one schema; thousands are already unusual.
MAX_PARTS = 20_000

# Keywords that restrict and that nothing here can keep: of draft 2020-12, of older drafts, of
# OpenAPI, and llguidance's own options. Names that no standard knows are annotations.
_UNSUPPORTED = frozenset(
    ("not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems",
     "dependentRequired", "dependentSchemas", "dependencies", "propertyNames",
     "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "divisibleBy",
     "disallow", "extends", "nullable", "x-guidance")
)  # fmt: skip
# The same where they say nothing.
_HARMLESS: dict[str, Any] = {
    "uniqueItems": False,
    "unevaluatedProperties": True,
    "unevaluatedItems": True,
    "nullable": False,
    "propertyNames": True,
}
# Every name is a string; zod writes this of each record.
_ANY_NAME: tuple[Any, ...] = ({}, {"type": "string"})
# Formats that say how a text is shown or carried, not what it may be (OpenAPI, pydantic).
_SHOWN_FORMATS = ("password", "binary", "path")
# What is said elsewhere, where null cannot be added; and what stays beside an anyOf.
_ELSEWHERE = ("$ref", "allOf", "anyOf", "oneOf")
_NOT_RESTRICTING = ("$defs", "definitions", "title", "description", "default")
_ONE = ("additionalProperties", "additionalItems")
_NAMED = ("properties", "patternProperties")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
# What llguidance's formats let through and validators do not: seconds of 60, 29 February of other
# years than leap years, the year 0, and mailboxes, labels and hosts that are too long.
_YEAR = "^[0-9]{0,3}[1-9]"
_LEAP = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_DAY = f"^([0-9]{{4}}-(0[13-9]|1|02-([01]|2[0-8]))|{_LEAP}-02-29)"
_SECONDS = "[0-9]{2}:[0-9]{2}:[0-5]"
_EXACT_FORMATS = {
    "date": (_YEAR, _DAY),
    "date-time": (_YEAR, _DAY, f"^.{{11}}{_SECONDS}"),
    "time": (f"^{_SECONDS}",),
    "email": (r"^[^@]{1,64}@([^.@]{1,63}\.)*[^.@]{1,63}$", "^.{1,254}$"),
    "hostname": ("^.{1,253}$",),
}
# An escape, the beginning of a negated class, or any other character; ranges that begin at U+0000.
_PATTERN_PARTS = re.compile(r"\\(?:x00|u0000|0)-|\\.|\[\^|.", re.DOTALL)
_NULS = (r"\x00-", r"\u0000-", r"\0-")
# References to references that are followed before giving up.
_LONGEST_CHAIN = 16
# Options that are compared in pairs.
_MOST_OPTIONS = 64
# Rounds in which "this can end" travels through a schema; only absurd ones need more.
_ROUNDS = 200

Node = dict[str, Any]


def prepared(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without what says nothing, ready to be compiled.

    Raises ConstraintError naming the keyword and its place as a JSON pointer.
    """
    root: Node = json.loads(dumped(schema))
    for place, node in dict(_reachable(root)).items():
        node.pop("$schema", None)
        or_null = node.get("nullable") is True and node.pop("nullable")
        _refuse_unsupported(place, node)
        _refuse_uncounted(place, node)
        if or_null:
            _allow_null(node)
    nodes = dict(_reachable(root))
    _refuse_endless(root, list(nodes.values()))
    for node in nodes.values():
        if isinstance(node.get("pattern"), str):
            node["pattern"] = _without_nul(node["pattern"])
        if isinstance(node.get("patternProperties"), dict):
            named = node["patternProperties"]
            node["patternProperties"] = {_without_nul(key): named[key] for key in named}
        exact = _EXACT_FORMATS.get(str(node.get("format")), ())
        if exact and isinstance(node.setdefault("allOf", []), list):
            node["allOf"] += [{"pattern": pattern} for pattern in exact]
        if "oneOf" in node and "anyOf" not in node and _exclusive(node["oneOf"], root):
            # In its place: the order of keywords is that of the properties in the text.
            parts = [("anyOf" if key == "oneOf" else key, node[key]) for key in node]
            node.clear()
            node.update(parts)
    return root


def dumped(schema: Any) -> str:
    """A schema as JSON text, bounded. Raises ConstraintError when it is none, or too much."""
    _check_size(schema)
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise ConstraintError(
            pick(f"the schema is no JSON: {error}", f"schema 不是合法的 JSON：{error}")
        ) from None
    return text


def place_of(schema: Any, reason: str) -> str:
    """Where the keyword stands that an error of llguidance speaks of, or ""."""
    for place, node in _reachable(schema):
        if "oneOf" in reason and "oneOf" in node and not _exclusive(node["oneOf"], schema):
            return f"{place}/oneOf"
        for key, value in node.items():
            if isinstance(value, (dict, list)):
                continue
            written = json.dumps(value, ensure_ascii=False)
            spoken = (f"'{key}', got {written}", f"nknown {key}: {value}", f"nvalid {key}: {value}")
            if reason.endswith(spoken):
                return f"{place}/{key}"
    return ""


def _check_size(schema: Any) -> None:
    """Without recursion: what is checked may be as deep as it likes."""
    level: list[Any] = [schema]
    depth = parts = 0
    while level:
        depth += 1
        parts += len(level)
        if depth > MAX_DEPTH or parts > MAX_PARTS:
            raise ConstraintError(
                pick(
                    f"the schema is too large: at most {MAX_DEPTH} levels and {MAX_PARTS} parts"
                    " are possible",
                    f"schema 过大：最多 {MAX_DEPTH} 层、{MAX_PARTS} 个部分",
                )
            )
        below: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                below += one.values()
            elif isinstance(one, (list, tuple)):
                below += one
        level = [one for one in below if isinstance(one, (Mapping, list, tuple))]


def _reachable(root: Node) -> Iterator[tuple[str, Node]]:
    """Every subschema that counts, once, with its place. Definitions nobody refers to do not."""
    waiting: list[tuple[str, Any]] = [("#", root)]
    seen: set[int] = set()
    while waiting:
        place, node = waiting.pop()
        if not isinstance(node, dict) or id(node) in seen:
            continue
        seen.add(id(node))
        yield place, node
        found = list(_below(place, node))
        reference = node.get("$ref")
        if isinstance(reference, str):
            found.append((reference, _target(root, reference)))
        waiting += reversed(found)


def _below(place: str, node: Node) -> Iterator[tuple[str, Any]]:
    for key in _ONE:
        if key in node:
            yield f"{place}/{key}", node[key]
    for key in _NAMED:
        named = node.get(key)
        if isinstance(named, dict):
            for name, value in named.items():
                escaped = name.replace("~", "~0").replace("/", "~1")
                yield f"{place}/{key}/{escaped}", value
    items = node.get("items")
    if isinstance(items, dict):
        yield f"{place}/items", items
    for key in (*_LISTED, *(("items",) if isinstance(items, list) else ())):
        listed = node.get(key)
        if isinstance(listed, list):
            for number, value in enumerate(listed):
                yield f"{place}/{key}/{number}", value


def _target(root: Node, reference: str) -> Any:
    """What "#/..." points to; None when there is nothing, or it is another kind of reference
    (llguidance then says so)."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    value: Any = root
    for part in unquote(reference[2:]).split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < 8:
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def _refuse_unsupported(place: str, node: Node) -> None:
    for key in _UNSUPPORTED & node.keys():
        if key in _HARMLESS and node[key] is _HARMLESS[key]:
            del node[key]
    if node.get("propertyNames") in _ANY_NAME:
        del node["propertyNames"]
    if node.get("format") in _SHOWN_FORMATS:
        del node["format"]
    # In the order in which they stand, so that the first is named.
    for key in node:
        if key in _UNSUPPORTED:
            raise ConstraintError(
                pick(
                    f'the schema keyword "{key}" is not supported (at {place}/{key});'
                    " leave it out and check the answer for it",
                    f"不支持 schema 关键字“{key}”（位于 {place}/{key}）；请去掉，并自行检查结果",
                )
            )


def _allow_null(node: Node) -> None:
    """OpenAPI's `nullable: true`: what the node describes, or null."""
    inner = {key: value for key, value in node.items() if key not in _NOT_RESTRICTING}
    if not inner.keys().isdisjoint(_ELSEWHERE) or {"const", "enum"} <= inner.keys():
        for key in inner:
            del node[key]
        node["anyOf"] = [inner, {"type": "null"}]
        return
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if isinstance(node.get("enum"), list) and None not in node["enum"]:
        node["enum"] = [*node["enum"], None]
    kind = node.get("type")
    kinds = [kind] if isinstance(kind, str) else kind
    if isinstance(kinds, list) and "null" not in kinds:
        node["type"] = [*kinds, "null"]


def _refuse_uncounted(place: str, node: Node) -> None:
    """A grammar cannot see to it that free keys differ: `{"a": 1, "a": 1}` is one property."""
    least = node.get("minProperties")
    required = node.get("required")
    named = len(set(_names(required)))
    if isinstance(least, int) and not isinstance(least, bool) and least > named + 1:
        raise ConstraintError(
            pick(
                f"minProperties is {least} (at {place}/minProperties), but only {named} are"
                " required by name, and that more differ cannot be promised; list them in required",
                f"minProperties 为 {least}（位于 {place}/minProperties），但只有 {named} 个在"
                " required 中指名，无法保证其余键互不相同；请在 required 中列出",
            )
        )


def _without_nul(pattern: str) -> str:
    """The same for all text without U+0000, which is never written. llguidance takes a class
    that has all 32 control characters to have the quote and the backslash as well, so that
    `[^"]` would let a quote through; without one of the 32 it does not."""
    parts: list[str] = []
    for part in _PATTERN_PARTS.findall(pattern):
        if part == "[^":
            part = r"[^\x00"
        elif part in _NULS:
            part = r"\x01-"
        parts.append(part)
    return "".join(parts)


def _exclusive(options: Any, root: Node) -> bool:
    """Whether at most one option can hold, so that oneOf is anyOf. llguidance sees that of
    options written out; those of a tagged union are mostly references."""
    if not isinstance(options, list) or len(options) > _MOST_OPTIONS:
        return False
    found = [_resolved(option, root) for option in options]
    return all(_apart(one, other, root) for one, other in combinations(found, 2))


def _resolved(value: Any, root: Node) -> Any:
    """The schema behind references that have nothing beside them that restricts."""
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            break
        if value.keys() - {"$ref", "title", "description", "default"}:
            break
        value = _target(root, value["$ref"])
    return value


def _apart(one: Any, other: Any, root: Node) -> bool:
    """Whether surely no value is of both: by type, by listed values, or by those of a property
    that one of them requires."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    values = _values(one), _values(other)
    if values[0] is not None and values[1] is not None:
        return values[0].isdisjoint(values[1])
    types = _types(one), _types(other)
    if types[0] and types[1] and types[0].isdisjoint(types[1]):
        return True
    if types[0] != {"object"} or types[1] != {"object"}:
        return False
    required: set[str] = set()
    for schema in (one, other):
        required.update(_names(schema.get("required")))
    mine, others = one.get("properties"), other.get("properties")
    if not isinstance(mine, dict) or not isinstance(others, dict):
        return False
    for name in required & mine.keys() & others.keys():
        a, b = (_resolved(properties[name], root) for properties in (mine, others))
        values = _values(a), _values(b)
        if values[0] is not None and values[1] is not None and values[0].isdisjoint(values[1]):
            return True
    return False


def _values(schema: Any) -> set[tuple[str, Any]] | None:
    """The values of enum or const, if they are plain ones."""
    if not isinstance(schema, dict):
        return None
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(listed, list) or any(isinstance(one, (dict, list)) for one in listed):
        return None
    # 1 and 1.0 are one number, 1 and true two values.
    return {("bool" if isinstance(one, bool) else "", one) for one in listed}


def _types(schema: Node) -> set[str]:
    kind = schema.get("type")
    kinds = {kind} if isinstance(kind, str) else set(_names(kind))
    return {"number" if kind == "integer" else kind for kind in kinds}


def _refuse_endless(root: Node, nodes: list[Node]) -> None:
    """A schema that needs itself: its texts would be endless. What can end is found round by
    round, from the leaves up."""
    ends: set[int] = set()

    def can_end(value: Any) -> bool:
        return not isinstance(value, dict) or id(value) in ends

    left = nodes
    for _ in range(_ROUNDS):
        still = []
        for node in left:
            if _ends(node, can_end, root):
                ends.add(id(node))
            else:
                still.append(node)
        if len(still) == len(left):
            break
        left = still
    else:
        return
    if not can_end(root):
        raise ConstraintError(
            pick(
                "the schema requires itself, so that no finite JSON follows it; make the"
                " reference optional, or allow null beside it",
                "schema 必须包含其自身，没有有限的 JSON 能满足它；请将该引用设为可选，或允许 null",
            )
        )


def _ends(node: Node, can_end: Callable[[Any], bool], root: Node) -> bool:
    """Whether a finite text follows the node, as far as is known of its parts."""
    if "enum" in node or "const" in node:
        return True
    reference = node.get("$ref")
    if isinstance(reference, str) and not can_end(_target(root, reference)):
        return False
    every = node.get("allOf")
    if isinstance(every, list) and not all(can_end(one) for one in every):
        return False
    for key in ("anyOf", "oneOf"):
        some = node.get(key)
        if isinstance(some, list) and some and not any(can_end(one) for one in some):
            return False
    kind = node.get("type")
    kind = kind[0] if isinstance(kind, list) and len(kind) == 1 else kind
    if kind == "object":
        named = node.get("properties")
        if isinstance(named, dict):
            return all(can_end(named.get(name)) for name in _names(node.get("required")))
    if kind == "array":
        least = node.get("minItems")
        if isinstance(least, int) and least > 0:
            first, items = node.get("prefixItems"), node.get("items")
            if isinstance(items, list):
                first, items = items, node.get("additionalItems")
            first = first if isinstance(first, list) else []
            return all(can_end(one) for one in first[:least]) and (
                least <= len(first) or can_end(items)
            )
    return True


def _names(value: Any) -> list[str]:
    """A list of strings; anything else is llguidance's to refuse."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
