"""Grammars from strangers: none takes long, and none that others use up ends somebody's text."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest

from qingyu.engine import constraint
from qingyu.engine.constraint import Constraint, Constraints, Grammar
from qingyu.errors import ConstraintError
from tests.fakes import VOCAB_SIZE, ByteTokenizer


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]


def allowed(one: Constraint) -> set[int]:
    bits = np.unpackbits(one.mask(), count=VOCAB_SIZE, bitorder="little")
    return {int(token) for token in np.flatnonzero(bits)}


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        made = {"type": "array", "items": made, "minItems": 1}
    return made


def times(pattern: str, *counts: int) -> str:
    for count in counts:
        pattern = f"({pattern}){{{count}}}"
    return pattern


HOSTILE = {
    "long string": Grammar.json_schema({"type": "string", "minLength": 10**8}),
    "many items": Grammar.json_schema({"type": "array", "items": {}, "minItems": 2**40}),
    "many of many": Grammar.json_schema({"type": "array", "minItems": 10**6, "items": {
        "type": "array", "minItems": 10**6, "items": {"type": "array", "minItems": 10**6}}}),
    "deep": Grammar.json_schema(nested(60)),
    "powers": Grammar.json_schema({"type": "string", "pattern": times("a", 1000, 1000, 1000)}),
    "regex powers": Grammar.regex(times("a", 1000, 1000)),
    "memory": Grammar.json_schema({"type": "string", "pattern": "^.*a.{30}$"}),
    "letters": Grammar.regex(r"[\p{L}\p{N}]{1,1000}(\p{Lu}|\p{Ll}){1,1000}"),
    "brackets": Grammar.json_schema({"type": "string", "pattern": "(" * 9000 + ")" * 9000}),
    "multiple": Grammar.json_schema({"type": "integer", "multipleOf": 10**9 + 7}),
    "wide": Grammar.json_schema({"properties": {f"p{n}": {} for n in range(3000)}, "type":
                                 "object"}),
    "products": Grammar.json_schema({"allOf": [{"anyOf": [{"type": "object", "properties": {
        f"p{i}_{j}": {}}} for j in range(6)]} for i in range(8)]}),
    "doubling": Grammar.json_schema({"$ref": "#/$defs/d0", "$defs": {"d40": {"type": "null"}} | {
        f"d{n}": {"type": "array", "minItems": 2, "prefixItems": [{"$ref": f"#/$defs/d{n + 1}"}] * 2
        } for n in range(40)}}),
    "doubling unions": Grammar.json_schema({"$ref": "#/$defs/d0", "$defs": {"d30": {"const": 1}} | {
        f"d{n}": {"oneOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"const": f"x{n}"}]}
        for n in range(30)}}),
    "random values": Grammar.choice([random.Random(n).randbytes(60).hex() for n in range(1000)]),
    "right recursion": Grammar.lark('start: "a" start'),
    "ambiguity": Grammar.lark('start: start start | "a" | ""'),
    "repetition": Grammar.lark('start: ((("a"{1000}){1000}){1000}){1000}'),
    "terminal": Grammar.lark("start: A\nA: (((/a/{1000}){1000}){1000})"),
    "negation": Grammar.lark("start: A\nA: /(?s:.*)/ & ~/(?s:.*)(a|b)(?s:.{30})c(?s:.*)/"),
    "lark brackets": Grammar.lark("start: " + "(" * 20_000 + '"a"' + ")" * 20_000),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_grammar_of_a_stranger_takes_long(constraints: Constraints, name: str) -> None:
    """Each is refused, or can be followed for a while, or says that it has become too much."""
    started = time.process_time()
    chance = random.Random(1)
    said = ""
    try:
        one = constraints.start(HOSTILE[name])
        for _ in range(60):
            if one.finished:
                break
            choices = sorted(allowed(one) - {ord('"')}) or [ord('"')]
            one.accept(chance.choice(choices))
            one.forced()
    except ConstraintError as error:
        said = str(error)
    assert len(said) < 500
    assert time.process_time() - started < 5


def test_a_lexer_full_of_other_texts_does_not_end_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Texts of one grammar share a lexer, which has a bound. Without starting anew the third
    text or so would be told that its grammar is too complex."""
    monkeypatch.setattr(constraint, "_LEXER_STATES", 300)
    small = Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]
    grammar = Grammar.json_schema({"type": "string", "pattern": "^[ab]*a[ab]{12}$"})
    compiled = []
    compile_ = small._compile
    monkeypatch.setattr(small, "_compile", lambda one: compiled.append(one) or compile_(one))
    roomy = Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]
    for seed in range(12):
        chance = random.Random(seed)
        one, other = small.start(grammar), roomy.start(grammar)
        for _ in range(60):
            assert allowed(one) == allowed(other)
            token = chance.choice(sorted(allowed(one) - {ord('"')} or allowed(one)))
            one.accept(token)
            other.accept(token)
            if other.finished:
                break
    assert len(compiled) > 2


def test_grammars_are_compiled_once_and_the_least_used_forgotten(
    constraints: Constraints, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]
    compiled: list[Grammar] = []
    compile_ = fresh._compile
    monkeypatch.setattr(fresh, "_compile", lambda one: compiled.append(one) or compile_(one))
    grammars = [Grammar.regex(f"a{n}") for n in range(constraint._KEPT)]
    for grammar in (*grammars, grammars[0], Grammar.regex("new"), grammars[0]):
        fresh.start(Grammar(grammar.kind, grammar.source))
    assert compiled == [*grammars, Grammar.regex("new")]
    fresh.start(grammars[1])
    assert compiled[-1] == grammars[1]
    for _ in range(2):
        with pytest.raises(ConstraintError):
            fresh.start(Grammar.regex("(a"))
    assert len(compiled) == len(grammars) + 4
