"""Texts that follow a grammar, through a whole session: what is forced changes nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import fake_model
from qingyu.engine.generation import Generation
from qingyu.engine.loading import load
from qingyu.errors import ConstraintError, InvalidRequestError

SCHEMAS: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "kind": {"enum": ["a long word", "a long way", "another"]},
        },
        "required": ["name", "age", "kind"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "值": {"const": "你好，世界"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["值", "next"],
                "additionalProperties": False,
            }
        },
    },
]


@pytest.fixture(scope="module")
def model(default_model_path: Path) -> Any:
    with load(default_model_path, context=1024) as model:
        yield model


@pytest.mark.model
@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("fields", [{}, {"temperature": 1.0, "seed": 5}])
def test_forced_tokens_change_nothing_but_the_forwards(
    model: Any, schema: dict[str, Any], fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"schema": schema, "max_tokens": 150, "speculate": False, **fields}
    forced = model.generate("An answer: ", **options).read()
    monkeypatch.setattr(Generation, "force", lambda self: None)
    plain = model.generate("An answer: ", **options).read()
    assert forced.tokens == plain.tokens
    assert forced.text == plain.text
    assert forced.forward_passes < plain.forward_passes
    assert plain.forward_passes >= len(plain.tokens)
    if forced.stop_reason == "end":
        assert forced.constraint_complete is True
        json.loads(forced.text)


@pytest.mark.model
def test_what_is_forced_is_all_the_mask_allows(model: Any) -> None:
    from qingyu.engine.constraint import Grammar

    random = np.random.default_rng(3)
    forced = 0
    for schema in SCHEMAS:
        for _ in range(10):
            constraint = model.constrain(Grammar.json_schema(schema))
            for _ in range(60):
                tokens = constraint.forced()
                for token in tokens:
                    bits = np.unpackbits(constraint.mask(), bitorder="little")
                    assert bits.nonzero()[0].tolist() == [token]
                    constraint.accept(token)
                    forced += 1
                if constraint.finished:
                    break
                allowed = np.unpackbits(constraint.mask(), bitorder="little").nonzero()[0]
                constraint.accept(int(random.choice(allowed)))
                if constraint.finished:
                    break
    assert forced > 300


@pytest.mark.model
def test_company_and_order_change_nothing(model: Any) -> None:
    options: list[dict[str, Any]] = [
        {"schema": schema, "temperature": 1.0, "seed": number, "max_tokens": 60}
        for number, schema in enumerate(SCHEMAS)
    ]
    options += [
        {"max_tokens": 60},
        {"choices": ["yes", "no", "perhaps"]},
        {"regex": "[0-9]{3}-[a-z]{2}"},
    ]
    alone = [model.generate("Say: ", **one).read() for one in options]
    tokens = model.tokenize("Say: ")
    with model.session() as session:
        together = [session.add(tokens, **one) for one in options]
        while session.step():
            pass
    for one, other in zip(alone, together, strict=True):
        assert one.tokens == other.result.tokens
    assert alone[4].text in ("yes", "no", "perhaps")
    assert len(alone[5].text) == 6


@pytest.mark.model
def test_a_cut_in_the_middle_is_reported(model: Any) -> None:
    result = model.generate("x", schema=SCHEMAS[0], max_tokens=6).read()
    assert result.stop_reason == "length"
    assert result.constraint_complete is False


@pytest.mark.model
def test_guessing_ahead_and_log_probabilities_keep_to_the_grammar(model: Any) -> None:
    schema = {
        "type": "array",
        "items": {"const": "again and again"},
        "minItems": 12,
        "maxItems": 12,
    }
    results = [
        model.generate("x", schema=schema, max_tokens=200, **fields).read()
        for fields in ({}, {"speculate": False}, {"logprobs": 1})
    ]
    assert len({one.tokens for one in results}) == 1
    assert json.loads(results[0].text) == ["again and again"] * 12
    assert len(results[2].logprobs) == len(results[2].tokens)


def test_two_grammars_and_bad_ones_are_refused_before_anything_is_computed() -> None:
    model = fake_model()
    with pytest.raises(InvalidRequestError, match="schema, regex"):
        model.generate("x", schema={}, regex="a")
    for options in ({"schema": {"not": {}}}, {"schema": False}, {"regex": "["}, {"lark": "stop"}):
        with pytest.raises(ConstraintError):
            model.generate("x", **options)


def test_a_grammar_with_one_sentence_needs_no_forward() -> None:
    model = fake_model()
    result = model.generate("x", choices=["the only one"]).read()
    assert (result.text, result.stop_reason, result.forward_passes) == ("the only one", "end", 0)
