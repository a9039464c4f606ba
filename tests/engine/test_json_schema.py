"""Schemas before they become grammars: what is refused, by name and place; what may stay."""

from __future__ import annotations

from typing import Any

import pytest

from qingyu.engine.constraint import Constraints, Grammar
from qingyu.engine.json_schema import MAX_DEPTH, dumped, place_of, prepared
from qingyu.errors import ConstraintError
from tests.fakes import VOCAB_SIZE, ByteTokenizer

LEAF = {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"not": LEAF}, "#/not"),
        ({"type": "array", "uniqueItems": True}, "#/uniqueItems"),
        ({"properties": {"a": {"contains": {}}}}, "#/properties/a/contains"),
        ({"properties": {"a/b~c": {"if": {}}}}, "#/properties/a~1b~0c/if"),
        ({"patternProperties": {"^x": {"nullable": 1}}}, "#/patternProperties/^x/nullable"),
        ({"$ref": "#/$defs/a", "nullable": True, "not": {}, "$defs": {"a": LEAF}}, "#/not"),
        ({"anyOf": [LEAF, {"items": {"not": {}}}]}, "#/anyOf/1/items/not"),
        ({"prefixItems": [LEAF, {"not": {}}]}, "#/prefixItems/1/not"),
        ({"items": [LEAF, {"not": {}}]}, "#/items/1/not"),
        ({"additionalProperties": {"dependentRequired": {}}}, "#/additionalProperties/dependen"),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"propertyNames": {"maxLength": 2}}}},
            "#/$defs/a/prop",
        ),
        # Under these llguidance passes over keywords that the draft did not have.
        ({"$schema": "http://json-schema.org/draft-04/schema#", "contains": {}}, "#/contains"),
        ({"$schema": "http://json-schema.org/draft-06/schema#", "if": {}}, "#/if"),
        ({"x-guidance": {"whitespace_pattern": "x*"}}, "#/x-guidance"),
        ({"disallow": "string"}, "#/disallow"),
    ],
)
def test_a_keyword_that_would_not_be_kept_is_named_with_its_place(
    schema: dict[str, Any], place: str
) -> None:
    with pytest.raises(ConstraintError, match="is not supported") as caught:
        prepared(schema)
    assert f"at {place}" in str(caught.value)


def test_names_and_values_are_not_keywords() -> None:
    schema = {
        "properties": {"not": LEAF, "contains": LEAF, "x-guidance": LEAF},
        "enum": [{"not": 1}],
        "default": {"if": {}},
        "$defs": {"unused": {"not": {}}},
        "description": "x",
        "x-own": {"not": {}},
    }
    assert prepared(schema) == schema


def test_what_says_nothing_is_left_out() -> None:
    draft = "http://json-schema.org/draft-04/schema#"
    inner = {"type": "array", "uniqueItems": False, "$schema": draft}
    schema = {"$schema": draft, "nullable": False, "items": inner, "unevaluatedItems": True}
    assert prepared(schema) == {"items": {"type": "array"}}
    # zod's records, pydantic's SecretStr and bytes.
    record = {"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": LEAF}
    assert prepared(record) == {"type": "object", "additionalProperties": LEAF}
    assert prepared({"type": "string", "format": "password"}) == {"type": "string"}
    assert prepared({"type": "string", "format": "binary"}) == {"type": "string"}
    assert "uniqueItems" in inner, "the caller's schema is not touched"


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "nullable": True}, ["null", '"a"'], ["1"]),
        ({"type": "string", "nullable": True, "format": "email"}, ["null", '"a@b.de"'], ['"a"']),
        ({"type": ["string", "null"], "nullable": True}, ["null", '"a"'], ["1"]),
        ({"type": "string", "enum": ["a"], "nullable": True}, ["null", '"a"'], ['"b"']),
        ({"enum": ["a", None], "nullable": True}, ["null", '"a"'], ['"b"']),
        ({"const": 1, "nullable": True}, ["null", "1"], ["2"]),
        ({"const": 1, "enum": [1, 2], "nullable": True}, ["null", "1"], ["2"]),
        ({"nullable": True}, ["null", "1"], []),
        ({"$ref": "#/$defs/a", "nullable": True, "$defs": {"a": LEAF}}, ["null", "1"], ['"a"']),
        ({"allOf": [LEAF], "type": "integer", "nullable": True}, ["null", "1"], ['"a"']),
        ({"anyOf": [LEAF, {"const": "a"}], "nullable": True}, ["null", "1", '"a"'], ['"b"']),
        ({"oneOf": [LEAF, {"const": "a"}], "nullable": True}, ["null", "1", '"a"'], ['"b"']),
        (
            {"type": "object", "properties": {"a": {"type": "integer", "nullable": True}},
             "required": ["a"], "additionalProperties": False},
            ['{"a": null}', '{"a": 1}'], ["{}", "null"],
        ),
        ({"type": "array", "items": {**LEAF, "nullable": True}}, ["[1, null]"], ["null"]),
    ],
)  # fmt: skip
def test_nullable_allows_null_besides(
    schema: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    constraints = Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]
    for text in (*good, *bad):
        state = constraints.start(Grammar.json_schema(schema))
        tokens = list(text.encode())
        fits = state.valid_prefix(tokens) == len(tokens)
        for token in tokens if fits else ():
            state.accept(token)
        assert (fits and state.complete) is (text in good), text


def test_a_schema_that_needs_itself_may_be_null() -> None:
    prepared({"type": "object", "properties": {"a": {"$ref": "#", "nullable": True}},
              "required": ["a"]})  # fmt: skip


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}, {"type": "array", "items": {"$ref": "#"}, "minItems": 1}]},
        {"type": "object", "properties": {"v": LEAF, "a": {"$ref": "#"}}, "required": ["v", "a"]},
        {"type": ["array"], "prefixItems": [LEAF, {"$ref": "#"}], "minItems": 2},
        {"type": "array", "items": [LEAF, {"$ref": "#"}], "minItems": 2},
        {"type": "array", "items": [LEAF], "additionalItems": {"$ref": "#"}, "minItems": 2},
    ],
)
def test_a_schema_that_requires_itself_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ConstraintError, match="requires itself"):
        prepared(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "array", "prefixItems": [LEAF, {"$ref": "#"}], "minItems": 1},
        {"anyOf": [{"$ref": "#"}, LEAF]},
        # Without a type it may be something else.
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
            "required": ["next"],
        },
        {"enum": [1], "allOf": [{"$ref": "#"}]},
    ],
)
def test_recursion_that_can_end_is_fine(schema: dict[str, Any]) -> None:
    assert prepared(schema) == schema


def test_more_free_keys_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(ConstraintError, match=r"minProperties is 2 \(at #/items/minProperties\)"):
        prepared({"items": {"minProperties": 2}})
    for least, required in ((1, []), (2, ["a"]), (3, ["a", "b"])):
        schema = {"type": "object", "minProperties": least, "required": required}
        assert prepared(schema) == schema


def variant(kind: str, *, tag: str = "const") -> dict[str, Any]:
    value: Any = kind if tag == "const" else [kind]
    return {"type": "object", "properties": {"kind": {tag: value}, kind: LEAF}, "required": []}


def tagged(*options: Any, **definitions: Any) -> dict[str, Any]:
    return {"title": "t", "oneOf": list(options), "$defs": definitions}


def required(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "required": ["kind"]}


A, B = {"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b", "title": "of pydantic"}


@pytest.mark.parametrize(
    "schema",
    [
        tagged(A, B, a=required(variant("a")), b=variant("b")),
        tagged(A, B, a=required(variant("a", tag="enum")), b=required(variant("b"))),
        tagged(A, B, a={"type": "string"}, b=LEAF),
        tagged(A, B, a={"$ref": "#/$defs/c"}, b={"enum": [1, True]}, c={"const": 2}),
    ],
)
def test_options_that_exclude_each_other_behind_references_become_any_of(
    schema: dict[str, Any],
) -> None:
    made = prepared(schema)
    assert list(made) == ["title", "anyOf", "$defs"]
    assert made["anyOf"] == schema["oneOf"]


@pytest.mark.parametrize(
    "schema",
    [
        tagged(A, B, a=variant("a"), b=variant("b")),  # neither requires its tag
        tagged(A, B, a=required(variant("a")), b=required(variant("a"))),
        tagged(A, B, a=LEAF, b={"type": "number"}),
        tagged(A, B, a={"const": 1}, b={"const": 1.0}),
        tagged(A, B, a={"const": [1]}, b={"const": [1.0]}),
        tagged(A, {"$ref": "#/$defs/missing"}, a=LEAF),
        tagged(A, {**B, "minimum": 3}, a=LEAF, b={"type": "string"}),
    ],
)
def test_options_that_may_overlap_stay_one_of(schema: dict[str, Any]) -> None:
    assert "oneOf" in prepared(schema)


def test_size_is_bounded() -> None:
    deep: Any = LEAF
    for _ in range(MAX_DEPTH):
        deep = {"items": deep}
    for schema in (deep, {"enum": [[]] * 30_000}):
        with pytest.raises(ConstraintError, match="too large"):
            dumped(schema)


@pytest.mark.parametrize("wrong", [{"const": float("nan")}, {"const": b"x"}, {"const": "\ud800"}])
def test_what_is_no_json_is_refused(wrong: Any) -> None:
    with pytest.raises(ConstraintError, match="no JSON"):
        dumped(wrong)


def test_unresolvable_references_are_left_to_the_compiler() -> None:
    for reference in ("#/nope", "#anchor", "http://x/y", "#/items/9999999999", "#/required/0", 5):
        schema = {"$ref": reference, "items": [LEAF], "required": ["a"]}
        assert prepared(schema) == schema


def test_place_of_an_error() -> None:
    schema = {"properties": {"a": {"format": "foo"}, "b": {"minLength": "3"}, "c": {"type": "x"}}}
    assert place_of(schema, "Unknown format: foo") == "#/properties/a/format"
    said = "Expected positive integer for 'minLength', got \"3\""
    assert place_of(schema, said) == "#/properties/b/minLength"
    assert place_of(schema, "Invalid type: x") == "#/properties/c/type"
    assert place_of(schema, "something else") == ""
