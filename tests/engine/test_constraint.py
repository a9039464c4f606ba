"""Texts held to a grammar: what may come next, what must, and what is refused beforehand.

Most run on a vocabulary of bytes, so that a text is its tokens; what depends on how text is cut
runs on one vocabulary of each kind.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from benchmarks._schemas import refused, schemas
from jsonschema.validators import validator_for

import qingyu
from qingyu.engine.constraint import Constraint, Constraints, Grammar
from qingyu.errors import ConstraintError, InvalidRequestError
from qingyu.models.gguf import GGUFFile
from qingyu.models.tokenizer import Tokenizer
from tests.fakes import BOS, EOS, TURN, VOCAB_SIZE, ByteTokenizer, fake_model
from tests.golden.vocabularies import vocabulary_file

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "city": {"enum": ["Paris", "北京", "New York", "New Yorkshire"]},
    },
    "required": ["name", "age", "city"],
    "additionalProperties": False,
}
ENDS = {EOS, TURN}


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]


def allowed(one: Constraint, size: int = VOCAB_SIZE) -> set[int]:
    bits = np.unpackbits(one.mask(), count=size, bitorder="little")
    return {int(token) for token in np.flatnonzero(bits)}


def follows(constraints: Constraints, grammar: Grammar, text: str) -> bool:
    """Whether the masks let the text through, byte by byte, and let it end."""
    one = constraints.start(grammar)
    for byte in text.encode():
        if one.finished or byte not in allowed(one):
            return False
        one.accept(byte)
    assert one.complete == (one.finished or allowed(one) >= ENDS)
    return one.complete


def test_json_is_compact_and_in_the_order_of_the_schema(constraints: Constraints) -> None:
    grammar = Grammar.json_schema(PERSON)
    assert follows(constraints, grammar, '{"name": "Bo", "age": 7, "city": "北京"}')
    for wrong in (
        '{"name": "Bo","age": 7, "city": "北京"}',
        '{"name":  "Bo", "age": 7, "city": "北京"}',
        '{"age": 7, "name": "Bo", "city": "北京"}',
        '{"name": "Bo", "age": 151, "city": "北京"}',
        '{"name": "Bo", "age": 7}',
        '{"name": "Bo", "age": 7, "city": "北京", "x": 1}',
        ' {"name": "Bo", "age": 7, "city": "北京"}',
        '{"name": "Bo", "age": 7, "city": "北京"}\n',
    ):
        assert not follows(constraints, grammar, wrong), wrong


def test_additional_properties_are_as_the_schema_says(constraints: Constraints) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}}
    grammar = Grammar.json_schema(schema)
    assert follows(constraints, grammar, '{"a": 1, "b": "x"}')
    # The same key once more, or by another name, could have any value.
    for wrong in ('{"a": 1, "a": "x"}', '{"\\u0061": "x"}', '{"b": 1, "\\u0061": "x"}'):
        assert not follows(constraints, grammar, wrong), wrong
    closed = Grammar.json_schema({**schema, "additionalProperties": False})
    assert not follows(constraints, closed, '{"a": 1, "b": "x"}')


@pytest.mark.parametrize(
    ("pattern", "quote", "backslash"),
    [
        ('^[^"]$', False, True),
        (r"^[^\\]$", True, False),
        (r"^[^\\/:*?\"<>|]$", False, False),
        (r"^[\x00-\x21\x23-\x5b]$", False, False),
        (r"^[\u0000-!]$", False, False),
        (r"^[^\w\"]$", False, True),
        (r"^(a|[^ -~])$", False, False),
        ("^[^x]$", True, True),
        (r"^\\[^^]$", False, False),
        ("^.$", True, True),
    ],
)
def test_a_class_lets_through_what_it_names(
    constraints: Constraints, pattern: str, quote: bool, backslash: bool
) -> None:
    grammar = Grammar.json_schema({"type": "string", "pattern": pattern})
    assert follows(constraints, grammar, '"\\""') == quote
    assert follows(constraints, grammar, '"\\\\"') == backslash


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("date", ["2024-02-29", "2000-02-29", "0476-09-04"],
         ["2023-02-29", "1900-02-29", "0000-01-01", "2024-13-01", "2024-04-31"]),
        ("time", ["23:59:59Z", "00:00:00.5+01:00"], ["23:59:60Z", "24:00:00Z", "12:00:00"]),
        ("date-time", ["2024-02-29T00:00:00Z"], ["2023-02-29T00:00:00Z", "2024-01-01T00:00:60Z"]),
        ("email", ["a@b.org"], ["a" * 65 + "@b.org", "a@" + "b" * 64 + ".org", "a"]),
    ],
)  # fmt: skip
def test_formats_are_those_of_the_calendar(
    constraints: Constraints, kind: str, good: list[str], bad: list[str]
) -> None:
    grammar = Grammar.json_schema({"type": "string", "format": kind})
    for text in good:
        assert follows(constraints, grammar, f'"{text}"'), text
    for text in bad:
        assert not follows(constraints, grammar, f'"{text}"'), text


def test_special_tokens_are_no_text_and_every_end_token_ends(constraints: Constraints) -> None:
    one = constraints.start(Grammar.regex("(?s:.*)"))
    assert allowed(one) & set(range(256, VOCAB_SIZE)) == ENDS
    one.accept(ord("x"))
    one.accept(TURN)
    assert one.complete
    one = constraints.start(Grammar.regex("ab"))
    assert allowed(one) == {ord("a")}
    named = constraints.start(Grammar.lark('start: <bos> "a"'))
    assert allowed(named) == {BOS}


def test_apply_bans_what_the_mask_does_not_have(constraints: Constraints) -> None:
    one = constraints.start(Grammar.regex("[ab]c"))
    logits = np.arange(VOCAB_SIZE, dtype=np.float32)
    one.apply(logits)
    assert set(np.flatnonzero(np.isfinite(logits))) == {ord("a"), ord("b")}
    assert logits[ord("a")] == ord("a")


def test_logits_may_be_longer_than_the_vocabulary() -> None:
    size = VOCAB_SIZE + 100
    wide = Constraints(ByteTokenizer(), size)  # type: ignore[arg-type]
    one = wide.start(Grammar.regex(".*"))
    logits = np.zeros(size, dtype=np.float32)
    one.apply(logits)
    assert np.isneginf(logits[VOCAB_SIZE:]).all()
    assert allowed(one, size) >= ENDS


def test_without_end_tokens_a_text_ends_where_nothing_may_follow() -> None:
    class Endless(ByteTokenizer):
        eos_ids = frozenset()

    endless = Constraints(Endless(), VOCAB_SIZE)  # type: ignore[arg-type]
    one = endless.start(Grammar.regex("ab?"))
    one.accept(ord("a"))
    assert one.complete
    assert allowed(one) == {ord("b")}
    one.accept(ord("b"))
    assert one.finished


def test_a_token_that_may_not_come_is_an_error(constraints: Constraints) -> None:
    one = constraints.start(Grammar.regex("abc"))
    one.accept(ord("a"))
    assert one.valid_prefix([ord("b"), ord("x")]) == 1
    with pytest.raises(ConstraintError):
        one.accept(ord("x"))
    with pytest.raises(ConstraintError):
        one.mask()
    with pytest.raises(ConstraintError):
        one.forced()
    assert not one.complete


GRAMMARS = [
    Grammar.json_schema(PERSON),
    Grammar.json_schema({"enum": ["北京市朝阳区", "北京市海淀区", "北京", "上海"]}),
    Grammar.json_schema({"const": {"a": [1, 2, {"b": "the quick brown fox\n\t\"😀"}], "e": None}}),
    Grammar.json_schema({"type": "array", "minItems": 2, "maxItems": 2, "items": {
        "type": "object", "properties": {"x": {"type": "boolean"}, "y": {"type": "string",
        "pattern": "^abc[0-9]{3}def$"}}, "required": ["x", "y"]}}),
    Grammar.json_schema({"type": "string", "format": "date-time"}),
    Grammar.json_schema({"enum": ["a" * 30, "a" * 31, " " * 9 + "b"]}),
    Grammar.lark('start: "hello world, " NAME "! How are you" ("?" | " doing?")\nNAME: /[A-Z]+/'),
    Grammar.lark('start: "\\n\\n\\n" "  x" "é中" ("中"|"一") "zzz"'),
    Grammar.lark('start: x "END"\nx[suffix="STOP"]: /(?s:.*)/'),
    Grammar.choice(["yes", "no", "yes and no"]),
]  # fmt: skip


def walk(constraints: Constraints, grammar: Grammar, size: int, chance: random.Random) -> int:
    """A text at random. Where a token is forced the mask must have that token and no other.
    Returns how many were forced."""
    one, count = constraints.start(grammar), 0
    for _ in range(40):
        for token in one.forced():
            assert allowed(one, size) == {token}
            one.accept(token)
            count += 1
        if one.finished:
            break
        one.accept(chance.choice(sorted(allowed(one, size))))
        if one.finished:
            break
    return count


@pytest.mark.parametrize("name", ["bytes", "smollm", "qwen2", "llama-bpe", "spm", "spm-no-prefix"])
def test_forced_tokens_are_those_that_masks_would_leave(tmp_path: Path, name: str) -> None:
    tokenizer: Any = ByteTokenizer()
    if name != "bytes":
        path = tmp_path / "vocabulary.gguf"
        path.write_bytes(vocabulary_file(name))
        tokenizer = Tokenizer.from_gguf(GGUFFile.open(path))
    size = tokenizer.vocab_size + 5
    constraints = Constraints(tokenizer, size)
    chance = random.Random(7)
    forced = [walk(constraints, grammar, size, chance) for grammar in GRAMMARS * 2]
    assert sum(count > 0 for count in forced) >= 14


@pytest.mark.parametrize(("name", "schema"), list(refused()))
def test_what_cannot_be_followed_is_refused_beforehand(
    constraints: Constraints, name: str, schema: dict[str, Any]
) -> None:
    with pytest.raises(ConstraintError) as caught:
        constraints.start(Grammar.json_schema(schema))
    assert isinstance(caught.value, InvalidRequestError)
    said = str(caught.value)
    assert "panic" not in said
    assert "coerce" not in said
    if name == "overlapping oneOf":
        assert "use anyOf (at #/oneOf)" in said
    if name == "wrong value":
        assert "(at #/minLength)" in said


def test_every_schema_of_the_benchmark_can_be_followed(constraints: Constraints) -> None:
    named = list(schemas())
    assert len(named) >= 300
    for name, schema in named:
        validator_for(schema, default=jsonschema.Draft202012Validator).check_schema(schema)
        assert constraints.start(Grammar.json_schema(schema)).mask().any(), name


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Grammar.json_schema("{"), "no JSON"),
        (lambda: Grammar.json_schema("[1]"), "is an object, not list"),
        (lambda: Grammar.json_schema(int), "int is no pydantic model"),
        (lambda: Grammar.json_schema({"const": "x" * 300_000}), "at most 262144"),
        (lambda: Grammar.json_schema({"const": "\ud800"}), "no JSON"),
        (lambda: Grammar.json_schema(False), "cannot be followed"),
        (lambda: Grammar.json_schema({"const": "\0"}), "no text satisfies it"),
        (lambda: Grammar.regex(""), "empty"),
        (lambda: Grammar.regex("\udfff"), "not valid Unicode"),
        (lambda: Grammar.regex("(a"), "wrong pattern: unclosed group"),
        (lambda: Grammar.regex("(?=a)b"), "look-around"),
        (lambda: Grammar.regex(r"[^\x00-\u{10FFFF}]"), "no text satisfies it"),
        (lambda: Grammar.lark("  "), "empty"),
        (lambda: Grammar.lark('{"grammars": []}'), "not Lark"),
        (lambda: Grammar.lark("start: ("), "Expected token"),
        (lambda: Grammar.lark("other: /a/"), "start"),
        (lambda: Grammar.lark("start: start"), "no text satisfies it"),
        (lambda: Grammar.lark("start: a\na[temperature=0.5]: /x+/"), "temperature"),
        (lambda: Grammar.lark('start: a "y"\na[stop=""]: /x+/'), "stop"),
        (lambda: Grammar.lark("start: <nobody> /a/"), "nobody"),
        (lambda: Grammar.choice([]), "there are 0 choices"),
        (lambda: Grammar.choice("ab"), "choices must be texts"),
        (lambda: Grammar.choice(["a", ""]), "choices must be texts"),
    ],
)  # fmt: skip
def test_mistakes_say_what_they_are(constraints: Constraints, make: Any, said: str) -> None:
    with pytest.raises(ConstraintError, match=said.replace("(", r"\(")):
        constraints.start(make())


def test_messages_have_a_chinese_version(constraints: Constraints, chinese: None) -> None:
    with pytest.raises(ConstraintError, match="无法遵循该 JSON schema"):
        constraints.start(Grammar.json_schema({"type": "integer", "minimum": 2, "maximum": 1}))


def test_a_character_the_vocabulary_does_not_have() -> None:
    class Narrow(ByteTokenizer):
        def encode(self, text: str, **options: Any) -> list[int]:
            if "é" in text:
                raise InvalidRequestError("the vocabulary cannot express é")
            return super().encode(text, **options)

    narrow = Constraints(Narrow(), VOCAB_SIZE)  # type: ignore[arg-type]
    with pytest.raises(ConstraintError, match=r"followed: the vocabulary cannot express é$"):
        narrow.start(Grammar.json_schema({"const": "é"}))


def test_texts_of_one_grammar_in_many_threads(constraints: Constraints) -> None:
    grammar = Grammar.json_schema(PERSON)
    text = '{"name": "Bo", "age": 7, "city": "New York"}'
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.append(follows(constraints, grammar, text)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 8


def test_choices_are_exactly_those(constraints: Constraints) -> None:
    choices = ['say "hi"\n', "a\\b", "😀", "//", "a\\b", "\u2028", "\x07"]
    grammar = Grammar.choice(choices)
    for text in choices:
        assert follows(constraints, grammar, text), text
    for text in ("say", "a", "", "a\\b "):
        assert not follows(constraints, grammar, text), text


def test_a_pydantic_class_is_its_schema(constraints: Constraints) -> None:
    from typing import Literal

    from pydantic import BaseModel, Field

    class Cat(BaseModel):
        kind: Literal["cat"]
        lives: int = Field(ge=1, le=9)

    class Dog(BaseModel):
        kind: Literal["dog"]
        name: str | None

    class Owner(BaseModel):
        pet: Cat | Dog = Field(discriminator="kind")

    grammar = Grammar.json_schema(Owner)
    text = '{"pet": {"kind": "dog", "name": null}}'
    assert follows(constraints, grammar, text)
    assert Owner.model_validate_json(text).pet.kind == "dog"
    assert not follows(constraints, grammar, '{"pet": {"kind": "dog", "lives": 3}}')


def test_a_dict_needs_no_pydantic_and_qingyu_no_llguidance() -> None:
    program = (
        "import sys, qingyu; assert 'llguidance' not in sys.modules;"
        "from qingyu.engine.constraint import Grammar; Grammar.json_schema({'type': 'null'});"
        "assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# Through the engine.


def test_whatever_the_model_wants_the_answer_follows_the_schema() -> None:
    model = fake_model(context=2048, kv_tokens=4096)
    schema = {**PERSON, "properties": {**PERSON["properties"], "name": {"enum": ["Al", "Bo"]}}}  # type: ignore[dict-item]
    for seed in range(10):
        result = model.generate("x", schema=schema, temperature=1.5, seed=seed).read()
        assert result.constraint_complete
        assert result.stop_reason == "end"
        jsonschema.validate(json.loads(result.text), schema)


def test_tokens_are_the_same_whether_forced_or_sampled() -> None:
    """With log-probabilities nothing is forced: every token comes from its mask."""
    model = fake_model(context=2048, kv_tokens=4096)
    for grammar in GRAMMARS:
        for options in ({"temperature": 1.3, "seed": 3}, {"temperature": 0.0}):
            asked: dict[str, Any] = {"constraint": grammar, "max_tokens": 80, **options}
            forced = model.generate("x", **asked).read()
            sampled = model.generate("x", logprobs=0, **asked).read()
            assert forced.tokens == sampled.tokens
            assert forced.text == sampled.text
            assert forced.forward_passes <= sampled.forward_passes
    assert forced.forward_passes < sampled.forward_passes


def test_a_text_cut_in_the_middle_says_so() -> None:
    model = fake_model(context=2048, kv_tokens=4096)
    result = model.generate("x", schema=PERSON, max_tokens=20).read()
    assert (result.stop_reason, result.constraint_complete) == ("length", False)
    whole = model.generate("x", choices=["abc"], max_tokens=3).read()
    assert (whole.text, whole.constraint_complete) == ("abc", True)
    assert model.generate("x", max_tokens=3).read().constraint_complete is None


# With the real vocabulary.


@pytest.mark.model
def test_real_vocabulary_is_ready_soon_and_forces_what_masks_would_leave(
    default_model_path: Path,
) -> None:
    tokenizer = Tokenizer.from_gguf(GGUFFile.open(default_model_path))
    constraints = Constraints(tokenizer, tokenizer.vocab_size)
    chance = random.Random(5)
    forced = [walk(constraints, one, tokenizer.vocab_size, chance) for one in GRAMMARS]
    assert sum(forced) > 40


@pytest.mark.model
def test_real_answers_are_valid(default_model_path: Path) -> None:
    """A tenth of benchmarks/schemas.py."""
    finished = 0
    with qingyu.load(default_model_path, context=1024) as model:
        for number, (_, schema) in enumerate(list(schemas())[::9]):
            result = model.chat(
                [{"role": "user", "content": "An example of the JSON, please."}],
                schema=schema, temperature=1.0, seed=number, max_tokens=64,
            ).read()  # fmt: skip
            # A number that was cut is a number as well.
            assert result.constraint_complete or result.stop_reason == "length"
            if result.constraint_complete:
                finished += 1
                kind = validator_for(schema, default=jsonschema.Draft202012Validator)
                answer = json.loads(result.text)
                kind(schema, format_checker=kind.FORMAT_CHECKER).validate(answer)
    assert finished >= 30
