"""Tool calls: what the prompt says, what an answer may be, and how it is read as it comes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import qingyu
from qingyu.engine.constraint import Constraints
from qingyu.errors import ConstraintError, InvalidRequestError
from qingyu.models.template import ChatTemplate
from qingyu.serve.tool_styles import HERMES, LLAMA3, style_of
from qingyu.serve.tools import (
    MAX_TOOLS,
    Arguments,
    CallEnd,
    CallReader,
    CallStart,
    Event,
    Tool,
    ToolPlan,
)
from tests.fakes import VOCAB_SIZE, ByteTokenizer, fake_model

WEATHER = Tool(
    name="get_weather",
    description="Weather of a city",
    parameters={
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "北京"]}, "days": {"enum": [1, 2]}},
        "required": ["city"],
    },
)
LIGHT = Tool(name="light", parameters={"properties": {"on": {"type": "boolean"}}})
PING = Tool(name="ping")

PARIS = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
ON = '<tool_call>\n{"name": "light", "arguments": {"on": true}}\n</tool_call>'
LLAMA_PARIS = '{"name": "get_weather", "parameters": {"city": "Paris"}}'

# In the manner of the families' own templates.
NATIVE = ChatTemplate(
    "{% if tools %}{{ tools | tojson }} <tool_call>{% endif %}{% for m in messages %}"
    "[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls %}"
    "({{ c.function.name }} {{ c.function.arguments.city }}){% endfor %}{% endfor %}"
)
LLAMA = ChatTemplate(
    "<|start_header_id|>{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}"
    '{% for c in m.tool_calls %}"parameters": {{ c.function.arguments | tojson }}{% endfor %}'
    "{% endfor %}"
)
PLAIN = ChatTemplate("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")
XML = ChatTemplate("{{ tools }}{{ tool_calls }}<tool_call>\n<function=name>")


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]


def plan(*tools: Tool, **options: Any) -> ToolPlan:
    return ToolPlan.of(tools or (WEATHER, LIGHT), **options)


def accepts(constraints: Constraints, one: ToolPlan, text: str) -> bool:
    grammar = one.grammar(ByteTokenizer())  # type: ignore[arg-type]
    assert grammar is not None
    state = constraints.start(grammar)
    tokens = list(text.encode())
    if state.valid_prefix(tokens) < len(tokens):
        return False
    for token in tokens:
        state.accept(token)
    return state.complete


def read(reader: CallReader, text: str, *cuts: int) -> list[Event]:
    events: list[Event] = []
    for start, end in zip((0, *cuts), (*cuts, len(text)), strict=True):
        events += reader.push(text[start:end])
    return [*events, *reader.finish()]


def gathered(events: list[Event]) -> tuple[str, list[tuple[str, str, bool]]]:
    """Text, and calls as (name, arguments, whole). Checks the order of events."""
    text: list[str] = []
    calls: list[list[Any]] = []
    for one in events:
        assert one != ""
        if isinstance(one, str):
            assert not calls or calls[-1][2]
            text.append(one)
        elif isinstance(one, CallStart):
            assert one.index == len(calls)
            assert one.id.startswith("call_")
            calls.append([one.name, "", False])
        elif isinstance(one, Arguments):
            assert one.index == len(calls) - 1
            assert one.text
            assert not calls[-1][2]
            calls[-1][1] += one.text
        else:
            assert one.index == len(calls) - 1
            calls[-1][2] = True
    return "".join(text), [(name, arguments, whole) for name, arguments, whole in calls]


# What is refused.


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: plan(Tool(name="a b")), "'a b' is not 1 to 64"),
        (lambda: plan(Tool(name="x" * 65)), "is not 1 to 64"),
        (lambda: plan(Tool(name="")), "is not 1 to 64"),
        (lambda: plan(Tool(name="wetter_ä")), "is not 1 to 64"),
        (lambda: plan(PING, PING), "two tools are called 'ping'"),
        (lambda: plan(*[Tool(name=f"t{n}") for n in range(MAX_TOOLS + 1)]), "at most 128"),
        (lambda: ToolPlan.of([], choice="required"), "there are no tools"),
        (lambda: plan(choice="required", function="nope"), "names 'nope'"),
    ],
)
def test_tools_that_cannot_be(make: Any, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        make()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"type": "string"}, "have the type 'string'; arguments are always an object"),
        ({"properties": {"a": {"not": {}}}}, "the tool 'odd': .*#/properties/a/not"),
        ({"x-guidance": {"lenient": True}}, "the tool 'odd': .*x-guidance"),
        ({"properties": {"a": {"const": float("nan")}}}, "the tool 'odd': .*no JSON"),
    ],
)
def test_parameters_that_cannot_be_kept_name_the_tool(parameters: Any, said: str) -> None:
    one = plan(PING, Tool(name="odd", parameters=parameters))
    with pytest.raises(InvalidRequestError, match=said):
        one.grammar(ByteTokenizer())  # type: ignore[arg-type]


def test_parameters_nothing_satisfies(constraints: Constraints) -> None:
    odd = Tool(name="odd", parameters={"properties": {"a": {"enum": []}}, "required": ["a"]})
    with pytest.raises(ConstraintError):
        accepts(constraints, plan(odd, choice="required"), "")


# The prompt.


def test_style_is_that_of_the_template() -> None:
    for template, style in ((NATIVE, HERMES), (LLAMA, LLAMA3), (PLAIN, None), (XML, None)):
        assert style_of(template.source) is style
    assert not plan(template=XML).native
    assert plan(template=LLAMA).style is LLAMA3
    assert plan().style is HERMES


HISTORY: list[dict[str, Any]] = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "call_1", "type": "function",
             "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}},
            {"id": "call_2", "type": "function", "function": {"name": "ping", "arguments": ""}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
    {"role": "tool", "tool_call_id": "call_2", "content": "pong"},
    {"role": "user", "content": "Thanks"},
]  # fmt: skip


def test_a_template_that_knows_tools_gets_them_and_arguments_as_objects() -> None:
    messages, tools = plan(template=NATIVE).prompt(HISTORY)
    assert [one["function"]["name"] for one in tools or ()] == ["get_weather", "light"]
    text = NATIVE.render(messages, tools=tools)
    assert text.startswith('[{"type": "function"')
    assert "(get_weather Paris)" in text
    assert "[tool]18 degrees" in text
    assert messages[1]["tool_calls"][1]["function"]["arguments"] == {}
    assert HISTORY[1]["tool_calls"][0]["function"]["arguments"] == '{"city": "Paris"}'


def test_another_template_gets_them_as_text() -> None:
    messages, tools = plan(template=PLAIN).prompt(HISTORY)
    assert tools is None
    assert [one["role"] for one in messages] == ["system", "user", "assistant", "user", "user"]
    system = messages[0]["content"]
    assert json.dumps(WEATHER.as_openai(), ensure_ascii=False) in system
    assert messages[2]["content"] == f"{PARIS}\n{HERMES.call('ping', '{}')}"
    response = "<tool_response>\n{}\n</tool_response>"
    assert messages[3]["content"] == "\n".join(
        response.format(text) for text in ("18 degrees", "pong")
    )
    assert all(set(one) == {"role", "content"} for one in messages)


def test_tools_follow_the_callers_system_message() -> None:
    given = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    messages, _ = plan(PING).prompt(given)
    assert messages[0]["content"].startswith("Be brief.\n\n# Tools")
    assert len(messages) == 2
    assert given[0]["content"] == "Be brief."


def test_no_tools_no_words_about_them() -> None:
    given = [{"role": "user", "content": "Hi"}]
    for one in (ToolPlan.of([]), plan(choice="none"), plan(choice="none", template=NATIVE)):
        assert one.prompt(given) == (given, None)
        assert one.grammar(ByteTokenizer()) is None  # type: ignore[arg-type]
        assert read(one.reader(), PARIS) == [PARIS]


def test_a_result_of_a_call_nobody_made() -> None:
    wrong = [*HISTORY[:2], {"role": "tool", "tool_call_id": "call_9", "content": "x"}]
    for template in (NATIVE, PLAIN):
        with pytest.raises(InvalidRequestError, match="'call_9'"):
            plan(template=template).prompt(wrong)
    with pytest.raises(InvalidRequestError):
        plan().prompt([HISTORY[2], *HISTORY[:2]])


# What an answer may be.


def test_free_text_or_calls(constraints: Constraints) -> None:
    one = plan()
    for text in ("", "Hello", "a < b, <tool_cal", PARIS, f"Let me see.\n{PARIS}", f"{PARIS}\n{ON}"):
        assert accepts(constraints, one, text), text
    for text in (
        "<tool_call>",
        "<tool_call>\nhello",
        PARIS.replace("Paris", "Rome"),
        PARIS.replace("get_weather", "light"),
        PARIS.replace("get_weather", "nope"),
        PARIS.replace('{"city": "Paris"}', "{}"),
        PARIS.replace('"Paris"', '"Paris", "x": 1'),
        PARIS + " and more",
        PARIS + ON,
        PARIS[:-1],
    ):
        assert not accepts(constraints, one, text), text


def test_one_call_when_they_may_not_be_parallel(constraints: Constraints) -> None:
    one = plan(parallel=False)
    assert accepts(constraints, one, PARIS)
    assert not accepts(constraints, one, f"{PARIS}\n{ON}")


def test_required_calls(constraints: Constraints) -> None:
    one = plan(choice="required")
    assert one.forced
    assert accepts(constraints, one, f"{ON}\n{PARIS}\n{ON}")
    for text in ("", "Hello", f"Well. {PARIS}"):
        assert not accepts(constraints, one, text), text


def test_a_named_function_is_called_once(constraints: Constraints) -> None:
    one = plan(choice="required", function="light")
    assert accepts(constraints, one, ON)
    for text in (PARIS, f"{ON}\n{ON}", "Hello"):
        assert not accepts(constraints, one, text), text


@pytest.mark.parametrize(
    ("parameters", "good", "bad"),
    [
        ({}, ["{}"], ['{"a": 1}']),
        ({"type": "object"}, ["{}", '{"a": 1}'], ["1"]),
        ({"type": "object", "properties": {}}, ["{}"], ['{"a": 1}']),
        ({"properties": {"a": {"type": "null"}}, "additionalProperties": True},
         ['{"a": null}', '{"b": 1}'], ['{"a": 1}']),
        ({"anyOf": [{"properties": {"a": {"type": "null"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "null"}}, "required": ["b"]}]},
         ['{"a": null}', '{"b": null}'], ["{}", "null"]),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"properties": {"a": {"const": 1}},
          "required": ["a"], "additionalProperties": False}}}, ['{"a": 1}'], ["{}", '{"a": 2}']),
    ],
)  # fmt: skip
def test_arguments_follow_their_schema(
    constraints: Constraints, parameters: Any, good: list[str], bad: list[str]
) -> None:
    one = plan(PING, Tool(name="f", parameters=parameters), choice="required")
    for arguments in good:
        assert accepts(constraints, one, HERMES.call("f", arguments)), arguments
    for arguments in bad:
        assert not accepts(constraints, one, HERMES.call("f", arguments)), arguments


def test_the_most_tools_there_may_be(constraints: Constraints) -> None:
    tools = [
        Tool(name=f"tool_{n}", parameters={"properties": {f"a{n}": {"const": n}}})
        for n in range(MAX_TOOLS)
    ]
    one = plan(*tools, choice="required")
    assert accepts(constraints, one, HERMES.call("tool_127", '{"a127": 127}'))
    assert not accepts(constraints, one, HERMES.call("tool_12", '{"a127": 127}'))


def test_llama_answers_are_text_or_one_object(constraints: Constraints) -> None:
    one = plan(template=LLAMA)
    for text in (LLAMA_PARIS, "", "Hello {name}", ' {"name"'):
        assert accepts(constraints, one, text), text
    for text in (LLAMA_PARIS + LLAMA_PARIS, LLAMA_PARIS.replace("Paris", "Rome"), "{", '{"a": 1}'):
        assert not accepts(constraints, one, text), text
    assert not accepts(constraints, plan(template=LLAMA, choice="required"), "Hello")


class MarkedTokenizer(ByteTokenizer):
    """<bos> and <unused> are called <tool_call> and </tool_call>: one control token each."""

    specials = ("<tool_call>", "<eos>", "<turn>", "</tool_call>")


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_marks_that_are_control_tokens(choice: str) -> None:
    tokenizer = MarkedTokenizer()
    one = plan(choice=choice)
    grammar = one.grammar(tokenizer)  # type: ignore[arg-type]
    assert grammar is not None
    assert grammar.shown == (256, 259)
    state = Constraints(tokenizer, VOCAB_SIZE).start(grammar)  # type: ignore[arg-type]
    tokens = tokenizer.encode(f"{PARIS}\n{ON}", special=True)
    assert tokens[0] == 256
    assert state.valid_prefix(tokens) == len(tokens)
    as_text = tokenizer.encode(PARIS)
    reached = state.valid_prefix(as_text)
    assert reached == (0 if choice == "required" else len(as_text)), "as text it is only text"


def test_control_tokens_that_mark_calls_are_in_the_text() -> None:
    model = fake_model(context=512)
    model.tokenizer = MarkedTokenizer()
    one = plan(LIGHT, choice="required")
    with model.session() as session:
        grammar = one.grammar(model.tokenizer)
        generation = session.add([1], constraint=grammar, temperature=1.0, seed=4)
        while session.step():
            pass
    text, calls = gathered(read(one.reader(), generation.result.text))
    assert text == ""
    assert {name for name, _, whole in calls if whole} == {"light"}


# Reading an answer as it comes.


@pytest.mark.parametrize(
    ("text", "content", "calls"),
    [
        ("Hello", "Hello", []),
        ("a <tool> b", "a <tool> b", []),
        ("ends in <tool_ca", "ends in <tool_ca", []),
        ("  indented\n\n text ", "  indented\n\n text ", []),
        (" \n", " \n", []),
        (PARIS, "", [("get_weather", '{"city": "Paris"}', True)]),
        (f"\n{PARIS}\n", "", [("get_weather", '{"city": "Paris"}', True)]),
        (f"Yes: {PARIS}\n", "Yes:", [("get_weather", '{"city": "Paris"}', True)]),
        (f"{ON}\n{PARIS}", "", [("light", '{"on": true}', True),
                                ("get_weather", '{"city": "Paris"}', True)]),
        (PARIS[:62], "", [("get_weather", '{"city": "Par', False)]),
        (PARIS[:20], "", []),
        (HERMES.call("f", '{"a": "}\\n</tool_call>"}'), "",
         [("f", '{"a": "}\\n</tool_call>"}', True)]),
    ],
)  # fmt: skip
def test_every_way_of_cutting_an_answer_reads_the_same(
    text: str, content: str, calls: list[Any]
) -> None:
    chance = random.Random(1)
    cuttings: list[list[int]] = [[], list(range(1, len(text)))]
    cuttings += [[cut] for cut in range(1, len(text))]
    cuttings += [sorted(chance.sample(range(1, len(text)), 3)) for _ in range(20) if len(text) > 4]
    for cuts in cuttings:
        assert gathered(read(plan().reader(), text, *cuts)) == (content, calls), cuts


def test_text_and_arguments_come_as_soon_as_they_are_certain() -> None:
    reader = plan().reader()
    assert reader.push("Let me <tool") == ["Let me"]
    assert reader.push(" see") == [" <tool see"]
    assert reader.push(PARIS[:12]) == []
    (start,) = reader.push(PARIS[12 : PARIS.index('{"city')])
    assert isinstance(start, CallStart)
    assert reader.push('{"city": ') == [Arguments(0, '{"city": ')]
    assert reader.push('"Paris"}') == [Arguments(0, '"Paris"')], "the brace may be the last"
    assert reader.push("}\n</tool_call") == [Arguments(0, "}")]
    assert reader.push(">") == [CallEnd(0)]
    assert reader.finish() == []
    assert reader.num_calls == 1


@pytest.mark.parametrize(
    ("text", "content", "calls"),
    [
        ("Hello {", "Hello {", []),
        (LLAMA_PARIS, "", [("get_weather", '{"city": "Paris"}', True)]),
        (LLAMA_PARIS[:-1], "", [("get_weather", '{"city": "Paris"}', False)]),
        (LLAMA_PARIS[:-2], "", [("get_weather", '{"city": "Paris"', False)]),
        (LLAMA_PARIS[:10], "", []),
    ],
)
def test_llama_calls_read_the_same_however_cut(text: str, content: str, calls: list[Any]) -> None:
    for cuts in ([], list(range(1, len(text))), *([cut] for cut in range(1, len(text)))):
        reader = plan(template=LLAMA).reader()
        assert gathered(read(reader, text, *cuts)) == (content, calls), cuts


def test_ids_differ() -> None:
    events = read(plan().reader(), "\n".join([ON] * 20))
    assert len({one.id for one in events if isinstance(one, CallStart)}) == 20


# With a model.


@pytest.mark.parametrize("template", [None, LLAMA])
def test_any_model_calls_a_function_it_must_call(template: ChatTemplate | None) -> None:
    model = fake_model(context=1024, kv_tokens=2048)
    one = plan(WEATHER, choice="required", parallel=False, template=template)
    for seed in range(5):
        grammar = one.grammar(model.tokenizer)
        result = model.generate("x", constraint=grammar, temperature=1.0, seed=seed).read()
        text, calls = gathered(read(one.reader(), result.text))
        ((name, arguments, whole),) = calls
        assert (text, name, whole) == ("", "get_weather", True)
        assert json.loads(arguments)["city"] in ("Paris", "北京")


@pytest.mark.model
def test_a_real_model_calls_and_saves_forwards(default_model_path: Path) -> None:
    one = plan(choice="required", parallel=False)
    messages, tools = one.prompt([{"role": "user", "content": "The weather in Paris?"}])
    with qingyu.load(default_model_path, context=1024) as model:
        grammar = one.grammar(model.tokenizer)
        asked: dict[str, Any] = {"tools": tools, "constraint": grammar, "speculate": False}
        result = model.chat(messages, **asked).read()
        sampled = model.chat(messages, logprobs=0, **asked).read()
    ((name, arguments, whole),) = gathered(read(one.reader(), result.text))[1]
    assert name in ("get_weather", "light")
    assert whole
    assert isinstance(json.loads(arguments), dict)
    assert result.tokens == sampled.tokens
    assert result.forward_passes <= 0.8 * sampled.forward_passes


@pytest.mark.parametrize("missing", range(1, len("}\n</tool_call>") + 1))
def test_a_call_cut_in_its_end_has_no_more_than_its_arguments(missing: int) -> None:
    text = '<tool_call>\n{"name": "weather", "arguments": {"city": "}"}}\n</tool_call>'
    for cuts in ([], list(range(1, len(text) - missing))):
        found = gathered(read(plan().reader(), text[:-missing], *cuts))
        whole = missing < len("}\n</tool_call>")
        assert found == ("", [("weather", '{"city": "}"}', whole)])
