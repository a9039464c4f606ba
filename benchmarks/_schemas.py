"""Schemas to hold a model to: each keyword of draft 2020-12 that is supported, alone and mixed.

    for name, schema in schemas(): ...      # the same ones every time
    for name, schema in refused(): ...      # what has to be an error before anything is said

Patterns are such that Python's `re` and the ECMA dialect of JSON Schema agree about them, and
`multipleOf` such that binary fractions are exact: the validator shall be asked nothing doubtful.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
Named = tuple[str, Schema]

WORDS = ["name", "age", "city", "price", "color", "城市", "größe", "tags-1", "is_open", "id",
         "note", "état", "count"]  # fmt: skip
UNICODE = ["北京", "上海", "größer", "naïve café", "Ω≈ç√", "😀", "日本語テキスト",
           'quote " and \\', "a\tb\nc", "/"]  # fmt: skip
PATTERNS = [
    "^[A-Z]{3}-[0-9]{4}$", "^(red|green|blue)$", "^#[0-9a-f]{6}$", "^[a-z]+(_[a-z]+){0,3}$",
    "^v[0-9]+\\.[0-9]+$", "^(\\+86)?1[3-9][0-9]{9}$", "[0-9]{2}", "^a|b$", "^[^aeiou]{1,8}$",
    "^$", "^.{2,6}$", "^[一-龥]{2,4}$", "^(ab){2,3}c?$", "^[A-Fa-f0-9]{8}$", "^\\d{4}/\\d{2}$",
    "^\\w{3,9}$", "^(?:x|yy|zzz)+$", "^\\[[0-9, ]*\\]$", "^[\\x41-\\x45]{2}$",
    "^\\u00e9t\\u00e9$", "^[^ -~]{1,5}$",
]  # fmt: skip
FORMATS = ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
           "uri"]  # fmt: skip


def schemas(seed: int = 2026) -> Iterator[Named]:
    """Name and schema, over 300."""
    chance = random.Random(seed)
    parts = (_types, _values, _integers, _numbers, _strings, _arrays, _objects, _combined,
             _references, _mixed, _useful)  # fmt: skip
    for part in parts:
        for number, schema in enumerate(part(chance)):
            yield f"{part.__name__.removeprefix('_')}-{number}", schema


def _types(chance: random.Random) -> Iterator[Schema]:
    for kind in ("null", "boolean", "integer", "number", "string"):
        yield {"type": kind}
    yield {"type": "array", "maxItems": 3, "items": {"type": ["integer", "null"]}}
    yield {"type": ["boolean", "null"]}
    yield {"type": ["integer", "boolean"], "minimum": 0, "maximum": 99}
    yield {"type": ["string", "integer"], "maxLength": 10, "maximum": 5, "minimum": 0}
    yield {"$schema": "http://json-schema.org/draft-07/schema#", "type": "boolean"}
    yield {"$comment": "c", "title": "t", "description": "d", "examples": [1], "type": "null"}


def _values(chance: random.Random) -> Iterator[Schema]:
    for text in UNICODE:
        yield {"const": text}
        yield {"enum": chance.sample(UNICODE, 3)}
    for value in (0, -7, 12345678901, 1.5, -0.25, True, None, [], {}, [1, [2, []]],
                  {"a": {"b": [None, "c"]}}):  # fmt: skip
        yield {"const": value}
    yield {"enum": [1, "1", None, True, [1], {"k": 1}]}
    yield {"enum": ["yes", "no", "yes and no", "y"]}
    yield {"enum": ["a" * n for n in range(1, 12)]}
    yield {"type": "string", "enum": ["x", 1, None]}
    yield {"type": "array", "items": {"enum": ["北", "南", "东", "西"]}, "maxItems": 5}


def _integers(chance: random.Random) -> Iterator[Schema]:
    for low, high in ((0, 9), (0, 0), (-5, 5), (-100, -17), (7, 1234), (99, 101), (0, 255),
                      (-(2**31), 2**31 - 1), (1999, 2031)):  # fmt: skip
        yield {"type": "integer", "minimum": low, "maximum": high}
        yield {"type": "integer", "exclusiveMinimum": low - 1, "exclusiveMaximum": high + 1}
    for _ in range(10):
        low = chance.randrange(-(10**4), 10**4)
        yield {"type": "integer", "minimum": low, "maximum": low + chance.randrange(10**5)}
    for factor in (2, 3, 7, 10, 25):
        yield {"type": "integer", "multipleOf": factor, "minimum": 0, "maximum": 1000}
    yield {"type": "integer", "minimum": 1, "exclusiveMaximum": 2}
    yield {"type": "integer", "minimum": 0.5, "maximum": 3.5}
    yield {"allOf": [{"minimum": 3}, {"maximum": 8}], "type": "integer"}


def _numbers(chance: random.Random) -> Iterator[Schema]:
    for low, high in ((0, 1), (-1, 1), (0.5, 0.75), (-273.15, 1000), (3.14, 3.15), (1, 1)):
        yield {"type": "number", "minimum": low, "maximum": high}
        yield {"type": "number", "exclusiveMinimum": low - 0.25, "exclusiveMaximum": high + 0.25}
    for _ in range(8):
        low = round(chance.uniform(-100, 100), 2)
        yield {"type": "number", "minimum": low, "maximum": low + chance.randrange(1, 500)}
    for factor in (0.5, 0.25, 5):
        yield {"type": "number", "multipleOf": factor, "minimum": 0, "maximum": 20}
    yield {"type": "object", "properties": {"lat": {"type": "number", "minimum": -90, "maximum":
           90}, "lon": {"type": "number", "minimum": -180, "maximum": 180}},
           "required": ["lat", "lon"], "additionalProperties": False}  # fmt: skip


def _strings(chance: random.Random) -> Iterator[Schema]:
    for low, high in ((0, 0), (0, 5), (1, 1), (3, 3), (2, 8), (10, 20), (40, 60)):
        yield {"type": "string", "minLength": low, "maxLength": high}
    for pattern in PATTERNS:
        yield {"type": "string", "pattern": pattern, "maxLength": 40}
    for pattern in chance.sample(PATTERNS[:4], 4):
        yield {"type": "array", "items": {"pattern": pattern, "type": "string"}, "maxItems": 2}
    for name in FORMATS:
        yield {"type": "string", "format": name}
        yield {"type": "object", "properties": {name: {"type": "string", "format": name}},
               "required": [name], "additionalProperties": False}  # fmt: skip
    yield {"type": "string", "pattern": "^[a-z]*$", "minLength": 4, "maxLength": 6}
    yield {"allOf": [{"pattern": "^[a-f]+$"}, {"pattern": "^[d-k]+$"}], "type": "string",
           "maxLength": 9}  # fmt: skip


def _leaf(chance: random.Random) -> Schema:
    return chance.choice(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"type": "integer", "minimum": -10, "maximum": chance.randrange(0, 10**4)},
            {"type": "number", "minimum": 0, "maximum": 1},
            {"type": "string", "maxLength": chance.randrange(3, 16)},
            {"enum": chance.sample(UNICODE, 3)},
            {"const": chance.choice(UNICODE)},
            {"type": "string", "pattern": chance.choice(PATTERNS[:6])},
            {"type": "string", "format": chance.choice(["date", "uuid", "ipv4"])},
        ]
    )


def _arrays(chance: random.Random) -> Iterator[Schema]:
    for low, high in ((0, 0), (0, 2), (1, 1), (2, 4), (5, 5)):
        for _ in range(2):
            yield {"type": "array", "items": _leaf(chance), "minItems": low, "maxItems": high}
    for length in (1, 2, 3):
        first = [_leaf(chance) for _ in range(length)]
        yield {"type": "array", "prefixItems": first, "items": False, "minItems": length}
        yield {"type": "array", "prefixItems": first, "items": _leaf(chance), "maxItems": 4}
        yield {"type": "array", "prefixItems": first, "maxItems": length}
    yield {"type": "array", "items": {"type": "array", "items": {"type": "integer", "minimum": 0,
           "maximum": 9}, "minItems": 3, "maxItems": 3}, "minItems": 3, "maxItems": 3}  # fmt: skip
    yield {"type": "array", "items": [{"type": "boolean"}, {"type": "null"}],
           "additionalItems": False,
           "$schema": "http://json-schema.org/draft-07/schema#"}  # fmt: skip


def _object(chance: random.Random, inner: Any, count: int) -> Schema:
    names = chance.sample(WORDS, count)
    made: Schema = {"type": "object", "properties": {name: inner() for name in names}}
    required = [name for name in names if chance.random() < 0.6]
    if required:
        made["required"] = required
    if chance.random() < 0.8:
        made["additionalProperties"] = False
    return made


def _objects(chance: random.Random) -> Iterator[Schema]:
    for count in (1, 2, 3, 4, 6):
        for _ in range(4):
            yield _object(chance, lambda: _leaf(chance), count)
    yield {"type": "object", "maxProperties": 0}
    yield {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "boolean"}}
    yield {"type": "object", "minProperties": 1, "properties": {"a": {"type": "null"},
           "b": {"type": "null"}}, "additionalProperties": False}  # fmt: skip
    yield {"type": "object", "patternProperties": {"^n_": {"type": "integer", "minimum": 0,
           "maximum": 9}}, "additionalProperties": False, "maxProperties": 3}  # fmt: skip
    yield {"type": "object", "patternProperties": {"^[0-9]$": {"type": "boolean"},
           "^[a-c]$": {"type": "null"}}, "additionalProperties": False,
           "maxProperties": 3}  # fmt: skip
    yield {"type": "object", "required": ["x"], "maxProperties": 2, "additionalProperties":
           {"type": "integer", "minimum": 0, "maximum": 5}}  # fmt: skip
    yield {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 3}},
           "additionalProperties": {"type": "string", "maxLength": 3},
           "maxProperties": 3, "required": ["a"]}  # fmt: skip
    for text in UNICODE:
        yield {"type": "object", "properties": {text: {"type": "boolean"}}, "required": [text],
               "additionalProperties": False}  # fmt: skip


def _combined(chance: random.Random) -> Iterator[Schema]:
    for count in (2, 3, 4):
        for _ in range(4):
            yield {"anyOf": [_leaf(chance) for _ in range(count)]}
    kinds = ["circle", "square", "circle-2"]
    for key in ("oneOf", "anyOf"):
        yield {key: [{"type": "object", "properties": {"kind": {"const": kind}, "size": {"type":
               "integer", "minimum": 0, "maximum": 9}}, "required": ["kind", "size"],
               "additionalProperties": False} for kind in kinds]}  # fmt: skip
    yield {"oneOf": [{"type": "string", "maxLength": 4}, {"type": "null"}]}
    yield {"oneOf": [{"const": 1}, {"const": "1"}, {"enum": [2, None]}]}
    for _ in range(6):
        one, two = (_object(chance, lambda: {"type": "boolean"}, 2) for _ in range(2))
        one.pop("additionalProperties", None)
        two.pop("additionalProperties", None)
        # Named together as well, so that nothing free is left to ramble on.
        names = sorted({*one["properties"], *two["properties"]})
        yield {"allOf": [one, two], "required": names, "maxProperties": len(names)}
    yield {"allOf": [{"enum": [1, 2, 3]}, {"enum": [2, 3, 4]}]}
    small, ten = {"maximum": 3}, {"minimum": 10, "maximum": 12}
    yield {"type": "integer", "minimum": 0, "anyOf": [small, ten]}
    yield {"$ref": "#/$defs/a", "maximum": 4, "$defs": {"a": {"type": "integer", "minimum": 2}}}


def _references(chance: random.Random) -> Iterator[Schema]:
    end = {"type": "null"}
    value = {"type": "integer", "minimum": 0, "maximum": 9}
    listed = {"type": "object", "properties": {"v": value, "next": {"anyOf": [{"$ref":
              "#/$defs/node"}, end]}}, "required": ["v", "next"],
              "additionalProperties": False}  # fmt: skip
    yield {"$ref": "#/$defs/node", "$defs": {"node": listed}}
    for most in (1, 2, 3):
        yield {"type": "object", "properties": {"name": {"type": "string", "maxLength": 6},
               "children": {"type": "array", "items": {"$ref": "#"}, "maxItems": most}},
               "required": ["name", "children"], "additionalProperties": False}  # fmt: skip
    yield {"anyOf": [value, {"type": "array", "items": {"$ref": "#"}, "maxItems": 2}]}
    odd, even = ({"type": "array", "prefixItems": [{"$ref": f"#/$defs/{other}"}], "minItems": 1,
                 "items": False} for other in ("even", "odd"))  # fmt: skip
    yield {"$defs": {"even": {"anyOf": [end, even]}, "odd": odd}, "$ref": "#/$defs/even"}
    yield {"$defs": {"a/b~c": {"type": "boolean"}}, "$ref": "#/$defs/a~1b~0c"}
    yield {"definitions": {"x": {"$anchor": "here", "enum": [1, 2]}}, "$ref": "#here"}
    yield {"$id": "https://example.org/root", "$defs": {"a": {"$id": "a", "type": "boolean"}},
           "$ref": "a"}  # fmt: skip
    cat, dog = ({"type": "object", "properties": {"pet": {"const": name}, "lives": {"type":
                "integer", "minimum": 1, "maximum": 9}}, "required": ["pet"],
                "additionalProperties": False} for name in ("cat", "dog"))  # fmt: skip
    yield {"$defs": {"Cat": cat, "Dog": dog}, "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref":
           "#/$defs/Dog"}], "discriminator": {"propertyName": "pet"}}  # fmt: skip
    operator = {"type": "object", "properties": {"op": {"enum": ["+", "-", "*"]}, "left": {"$ref":
                "#/$defs/e"}, "right": {"$ref": "#/$defs/e"}}, "required": ["op", "left", "right"],
                "additionalProperties": False}  # fmt: skip
    yield {"$defs": {"e": {"anyOf": [value, {"type": "string", "pattern": "^[a-z]$"}, operator]}},
           "$ref": "#/$defs/e"}  # fmt: skip
    for depth in (1, 4, 10):
        definitions: Schema = {f"d{n}": {"type": "array", "items": {"$ref": f"#/$defs/d{n + 1}"},
                               "minItems": 1, "maxItems": 1} for n in range(depth)}  # fmt: skip
        definitions[f"d{depth}"] = value
        yield {"$defs": definitions, "$ref": "#/$defs/d0"}


def _mixed(chance: random.Random) -> Iterator[Schema]:
    def inner(depth: int) -> Schema:
        kind = chance.random()
        if depth == 0 or kind < 0.3:
            return _leaf(chance)
        if kind < 0.65:
            return _object(chance, lambda: inner(depth - 1), chance.randrange(1, 4))
        if kind < 0.85:
            return {"type": "array", "items": inner(depth - 1), "maxItems": chance.randrange(1, 4)}
        return {"anyOf": [inner(depth - 1) for _ in range(2)]}

    for number in range(90):
        yield _object(chance, lambda: inner(1 + number % 3), chance.randrange(1, 4))  # noqa: B023


def _useful(chance: random.Random) -> Iterator[Schema]:
    def record(**properties: Schema) -> Schema:
        return {"type": "object", "properties": properties, "required": list(properties),
                "additionalProperties": False}  # fmt: skip

    short = {"type": "string", "minLength": 1, "maxLength": 24}
    money = {"type": "number", "minimum": 0, "maximum": 10000, "multipleOf": 0.25}
    yield record(name=short, age={"type": "integer", "minimum": 0, "maximum": 150}, email={"type":
                 "string", "format": "email"})  # fmt: skip
    line = record(item=short, price=money, count={"type": "integer", "minimum": 1, "maximum": 99})
    yield record(number={"type": "string", "pattern": "^R-[0-9]{6}$"}, date={"type": "string",
                 "format": "date"}, lines={"type": "array", "items": line, "minItems": 1,
                 "maxItems": 3})  # fmt: skip
    yield record(type={"const": "Point"}, coordinates={"type": "array", "prefixItems": [{"type":
                 "number", "minimum": -180, "maximum": 180}, {"type": "number", "minimum": -90,
                 "maximum": 90}], "items": False, "minItems": 2})  # fmt: skip
    yield record(省=short, 市=short, 邮编={"type": "string", "pattern": "^[0-9]{6}$"})
    yield record(sentiment={"enum": ["positive", "negative", "neutral"]}, confidence={"type":
                 "number", "minimum": 0, "maximum": 1})  # fmt: skip
    yield record(device={"enum": ["客厅灯", "卧室灯", "空调"]}, action={"enum": ["开", "关"]},
                 level={"type": ["integer", "null"], "minimum": 0, "maximum": 100})  # fmt: skip
    yield record(question=short, options={"type": "array", "items": short, "minItems": 4,
                 "maxItems": 4}, answer={"enum": ["A", "B", "C", "D"]})  # fmt: skip
    yield record(headers={"type": "object", "patternProperties": {"^X-[A-Z]{1,5}$": {"type":
                 "string", "maxLength": 8}}, "additionalProperties": False,
                 "maxProperties": 2})  # fmt: skip
    for field in ("summary", "title", "reason"):
        yield record(**{field: {"type": "string", "maxLength": 80}}, done={"type": "boolean"})
    for name in ("get_weather", "set_timer", "play_music"):
        yield record(name={"const": name}, arguments=record(city=short, unit={"enum": ["C", "F"]}))


def refused() -> Iterator[Named]:
    """What must be an error, for want of support or of any answer."""
    for key, value in {"not": {"type": "string"}, "uniqueItems": True, "contains": {}, "if": {},
                       "dependentRequired": {"a": ["b"]}, "propertyNames": {"pattern": "a"},
                       "unevaluatedProperties": False}.items():  # fmt: skip
        yield key, {"type": ["object", "array"], key: value}
    yield "overlapping oneOf", {"oneOf": [{"type": "number"}, {"type": "integer"}]}
    yield "lookahead", {"type": "string", "pattern": "^(?!x)a"}
    yield "unknown format", {"type": "string", "format": "regex"}
    yield "remote reference", {"$ref": "https://example.org/schema"}
    yield "no such definition", {"$ref": "#/$defs/nope"}
    yield "free keys that differ", {"type": "object", "minProperties": 2}
    yield "false", {"type": "object", "properties": {"a": False}, "required": ["a"]}
    yield "empty enum", {"enum": []}
    yield "minimum above maximum", {"type": "integer", "minimum": 5, "maximum": 2}
    yield "contradiction", {"allOf": [{"type": "string"}, {"type": "integer"}]}
    yield "nothing matches", {"type": "string", "pattern": "^ab$", "minLength": 3}
    yield "requires itself", {"type": "object", "properties": {"a": {"$ref": "#"}},
                              "required": ["a"]}  # fmt: skip
    yield "wrong type", {"type": "strng"}
    yield "wrong value", {"type": "string", "minLength": "3"}
