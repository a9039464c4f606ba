"""Tools together with a format of the answer: calls, or a text of that format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from qingyu.engine.constraint import Constraints, Grammar
from qingyu.errors import ConstraintError
from qingyu.models.template import ChatTemplate
from qingyu.serve.tools import CallReader, ToolPlan
from serve.chatting import ANSWERS, SCHEMA, TOOL, answer, asks, refusal
from serve.serving import Server, answering, serving
from serve.test_tools import LLAMA, LLAMA_PARIS, ON, PARIS, WEATHER, accepts, gathered, plan, read
from tests.fakes import VOCAB_SIZE, ByteTokenizer, fake_model

ANN = '{"name": "Ann", "age": 7}'
FORMAT = Grammar.json_schema(SCHEMA)
WANTED = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(ANSWERS) as server:
        yield server


# What an answer may be, and how it is read.


def test_an_answer_is_calls_or_a_text_of_the_format(constraints: Constraints) -> None:
    one = plan(text=FORMAT)
    for text in (ANN, PARIS, f"{PARIS}\n{ON}"):
        assert accepts(constraints, one, text), text
    for text in ("", "Hello", f"{ANN}\n{PARIS}", f"{PARIS}\n{ANN}", PARIS.replace("Paris", "Rome")):
        assert not accepts(constraints, one, text), text
    assert not accepts(constraints, plan(text=FORMAT, parallel=False), f"{PARIS}\n{ON}")


def test_a_forced_call_leaves_no_room_for_the_format(constraints: Constraints) -> None:
    for one in (
        plan(text=FORMAT, choice="required"),
        plan(text=FORMAT, choice="required", function="get_weather"),
    ):
        assert accepts(constraints, one, PARIS)
        assert not accepts(constraints, one, ANN)


def test_without_tools_there_is_only_the_format() -> None:
    assert plan(text=FORMAT, choice="none").grammar(ByteTokenizer()) is FORMAT  # type: ignore[arg-type]
    assert read(plan(text=FORMAT, choice="none").reader(), PARIS) == [PARIS]


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (Grammar.json_object(), '{"a": [1]}', "[1]"),
        (Grammar.json_schema({"enum": [{"name": 1}]}), '{"name": 1}', "{"),
        (Grammar.regex("a/[b}]{2}"), "a/b}", "a/b"),
        (Grammar.choice(["}", '"{']), '"{', "{"),
        (Grammar.lark('start: one answer // }\none: "x"\nanswer: /y/\n'), "xy", "x"),
    ],
)
@pytest.mark.parametrize("template", [None, LLAMA])
def test_any_format(
    constraints: Constraints,
    text: Grammar,
    good: str,
    bad: str,
    template: ChatTemplate | None,
) -> None:
    one = plan(text=text, template=template)
    assert accepts(constraints, one, good)
    assert accepts(constraints, one, LLAMA_PARIS if template else PARIS)
    assert not accepts(constraints, one, bad)


@pytest.mark.parametrize(
    ("template", "text", "content", "calls"),
    [
        (None, ANN, ANN, []),
        (None, '{"name": "<tool_call>\\n"}', '{"name": "<tool_call>\\n"}', []),
        (None, '"  \\n', '"  \\n', []),
        (None, "<tool", "<tool", []),
        (None, f"{PARIS}\n{ON}", "", ["get_weather", "light"]),
        (LLAMA, ANN, ANN, []),
        (LLAMA, '{"name": "get_weathe', '{"name": "get_weathe', []),
        (LLAMA, '{"name": "get_weather", "age": 1}', '{"name": "get_weather", "age": 1}', []),
        (LLAMA, LLAMA_PARIS, "", ["get_weather"]),
    ],
)
def test_its_beginning_says_what_it_is_however_cut(
    template: ChatTemplate | None, text: str, content: str, calls: list[str]
) -> None:
    for cuts in ([], list(range(1, len(text))), *([cut] for cut in range(1, len(text)))):
        reader: CallReader = plan(text=FORMAT, template=template).reader()
        said, made = gathered(read(reader, text, *cuts))
        assert (said, [name for name, _, whole in made if whole]) == (content, calls), cuts


def test_json_comes_as_soon_as_it_is_no_call() -> None:
    reader = plan(text=FORMAT).reader()
    assert reader.push("{") == ["{"]
    assert reader.push('"') == ['"']
    reader = plan(text=FORMAT, template=LLAMA).reader()
    assert reader.push('{"name": "') == []
    assert reader.push("A") == ['{"name": "A']


@pytest.mark.parametrize(
    ("template", "text", "fits"),
    [
        (None, Grammar.json_object(), True),
        (None, FORMAT, True),
        (LLAMA, FORMAT, True),
        (None, Grammar.choice(["<b>"]), False),
        (None, Grammar.choice(["{"]), True),
        (LLAMA, Grammar.regex(r"\{[0-9]\}"), False),
        (LLAMA, Grammar.regex("<.*"), True),
        (LLAMA, Grammar.json_object(), False),
        (LLAMA, Grammar.json_schema({"properties": {"name": {"const": "get_weather"}}}), False),
    ],
)
def test_a_text_that_may_look_like_a_call_is_refused(
    constraints: Constraints, template: ChatTemplate | None, text: Grammar, fits: bool
) -> None:
    tokenizer: Any = ByteTokenizer()
    for choice in ("none", "required"):
        plan(text=text, template=template, choice=choice).check_text(constraints.start, tokenizer)
    one = plan(text=text, template=template)
    if fits:
        one.check_text(constraints.start, tokenizer)
    else:
        with pytest.raises(ConstraintError, match="may begin with"):
            one.check_text(constraints.start, tokenizer)


@pytest.mark.parametrize("template", [None, LLAMA])
def test_any_model_gives_valid_calls_or_valid_text(template: ChatTemplate | None) -> None:
    model = fake_model(context=1024, kv_tokens=2048)
    # A short text, so that chance ends it.
    person = {**SCHEMA, "properties": {"name": {"enum": ["Ann", "李"]}, "age": {"type": "null"}}}
    one = ToolPlan.of(
        [WEATHER], parallel=False, text=Grammar.json_schema(person), template=template
    )
    grammar = one.grammar(model.tokenizer)
    kinds = set()
    for seed in range(24):
        result = model.generate("x", constraint=grammar, temperature=1.0, seed=seed).read()
        text, calls = gathered(read(one.reader(), result.text))
        kinds.add(bool(calls))
        if calls:
            ((name, arguments, whole),) = calls
            assert (text, name, whole) == ("", "get_weather", True)
            assert json.loads(arguments)["city"] in ("Paris", "北京")
        else:
            assert json.loads(text)["name"] in ("Ann", "李")
    assert kinds == {True, False}


# Over HTTP.


def streamed(server: Server, body: dict[str, Any]) -> tuple[str, list[str], str]:
    """Text, arguments of calls and finish_reason of a streamed chat answer."""
    text, calls, reason = "", [], ""
    for chunk in server.events("/v1/chat/completions", body)[:-1]:
        (choice,) = chunk["choices"]
        text += choice["delta"].get("content") or ""
        for call in choice["delta"].get("tool_calls", ()):
            if "id" in call:
                calls.append("")
            calls[-1] += call["function"]["arguments"]
        reason = choice["finish_reason"] or reason
    return text, calls, reason


@pytest.mark.parametrize(
    ("question", "choice", "called"),
    [
        ("JSON", "auto", False),
        ("JSON", None, False),
        ("JSON", "none", False),
        ("Weather?", "auto", True),
        ("Weather?", "required", True),
        ("Weather?", NAMED, True),
        # What the model would rather say does not fit; it says what does.
        ("Hi", "none", False),
        ("Hi", "required", True),
    ],
)
def test_chat(server: Server, question: str, choice: Any, called: bool) -> None:
    body = asks(question, tools=[TOOL], tool_choice=choice, response_format=WANTED, seed=1)
    body |= {"temperature": 0, "max_tokens": 400}
    if question == "Hi":
        # The fake's own words never end.
        body["tools"] = [{"type": "function", "function": {"name": "weather"}}]
        empty = {"type": "object", "properties": {}, "additionalProperties": False}
        body["response_format"] = {**WANTED, "json_schema": {"name": "a", "schema": empty}}
    (whole,) = answer(server, body)["choices"]
    message = whole["message"]
    text, calls, reason = streamed(server, body)
    assert reason == whole["finish_reason"] == ("tool_calls" if called else "stop")
    made = message.get("tool_calls", [])
    assert [one["function"]["arguments"] for one in made] == calls
    assert (message["content"] or "") == text
    if called:
        assert text == ""
        assert calls == ['{"city": "Paris"}' if question == "Weather?" else "{}"]
    else:
        assert calls == []
        assert text == (ANN if question == "JSON" else "{}")


@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_that_cannot_be_followed_is_the_formats_error(
    server: Server, stream: bool
) -> None:
    for schema in ({"not": {}}, {"enum": []}, {"type": "string", "pattern": "(?=a)b"}):
        wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
        for choice in ("auto", "required"):
            body = asks("Hi", tools=[TOOL], tool_choice=choice, response_format=wanted)
            assert refusal(server, {**body, "stream": stream})["param"] == "response_format"
            body = {
                "input": "Hi",
                "tools": [{"type": "function", **TOOL["function"]}],
                "tool_choice": choice,
                "text": {"format": {"type": "json_schema", "name": "a", "schema": schema}},
                "stream": stream,
            }
            response = server.post("/v1/responses", body)
            assert response.status_code == 400
            assert response.json()["error"]["param"] == "text.format"


@pytest.mark.parametrize("kind", ["json_schema", "json_object"])
@pytest.mark.parametrize(
    ("question", "choice", "called"),
    [
        ("JSON", "auto", False),
        ("JSON", "none", False),
        ("Weather?", "auto", True),
        ("Weather?", "required", True),
        ("Weather?", {"type": "function", "name": "weather"}, True),
    ],
)
def test_responses(server: Server, kind: str, question: str, choice: Any, called: bool) -> None:
    wanted: dict[str, Any] = {"type": kind}
    if kind == "json_schema":
        wanted |= {"name": "person", "schema": SCHEMA}
    body = {
        "input": question,
        "tools": [{"type": "function", **TOOL["function"]}],
        "tool_choice": choice,
        "text": {"format": wanted},
        "temperature": 0,
        "max_output_tokens": 400,
    }
    response = server.post("/v1/responses", body)
    assert response.status_code == 200, response.text
    last = server.events("/v1/responses", body)[-1]
    assert last["type"] == "response.completed"
    for output in (response.json()["output"], last["response"]["output"]):
        (item,) = output
        if called:
            assert (item["type"], item["arguments"]) == ("function_call", '{"city": "Paris"}')
        else:
            assert item["content"][0]["text"] == ANN


def test_a_template_that_writes_calls_as_bare_json() -> None:
    person = '{"name": "weather", "age": 7}'
    model = fake_model(
        script=answering({"JSON": person}), context=2048, kv_tokens=8192, chunk_tokens=256
    )
    model.template.source = LLAMA.source
    with serving(model=model) as server:
        body = asks("JSON", tools=[TOOL], response_format=WANTED, temperature=0)
        assert answer(server, body)["choices"][0]["message"]["content"] == person
        assert streamed(server, body) == (person, [], "stop")
        error = refusal(server, {**body, "response_format": {"type": "json_object"}})
        assert error["param"] == "response_format"
        assert "names its properties" in error["message"]
