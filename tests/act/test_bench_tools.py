"""Any model as an assistant: what it is told, what it may answer, what is done with that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fakes import fake_model
from qingyu.act.bench import tool_prompt
from qingyu.act.bench.cases import read_cases, read_split
from qingyu.act.bench.running import Selection, run
from qingyu.act.bench.scores import ALL, BOTH
from qingyu.act.bench.tool_system import (
    EndpointWriter,
    ModelWriter,
    ToolSystem,
    parsed,
)
from qingyu.act.calls import Call
from qingyu.act.state import initial
from qingyu.act.world import World
from qingyu.engine.constraint import Grammar
from qingyu.errors import EndpointError, InvalidRequestError, TemplateError
from tests.act.houses import house, so
from tests.prove.loopback import loopback, refuses, says

CASES = """
- {id: house.en.plain.1, say: [Turn the kettle on], want: {switch.kettle: {state: "on"}}}
- {id: house.en.range.1, say: [Desk lamp to 300 percent], want: {}, reply: ["100"]}
- id: house.en.schedule.1
  say: [Kettle on in ten minutes]
  want: {}
  schedule: {at: "+600", want: {switch.kettle: {state: "on"}}}
- {id: house.en.risky.1, say: [Open the gate, "yes"], want: {cover.gate: {state: open}}}
- {id: house.en.talk.1, say: [How are you], want: {}}
"""
ON = {"entity": "switch.kettle", "action": "turn_on"}
GATE = {"entity": "cover.gate", "action": "open"}


def answer(reply: str, *calls: Mapping[str, Any]) -> str:
    return json.dumps({"calls": calls, "reply": reply})


class Told:
    """A writer that says what the test wrote down, by what was said last."""

    identity: Mapping[str, Any] = {"system": "model", "name": "told"}

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers
        self.asked: list[list[dict[str, str]]] = []
        self.prepared = 0

    def prepare(self, messages: Sequence[dict[str, str]]) -> None:
        self.prepared += len(messages)

    def write(self, messages: Sequence[dict[str, str]], schema: Mapping[str, Any]) -> str:
        self.asked.append(list(messages))
        last = messages[-1]["content"].casefold()
        return next(value for key, value in self.answers.items() if key in last)


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    house(tmp_path)
    cases = tmp_path / "house.en.yaml"
    cases.write_text(CASES, encoding="utf-8")
    return Selection.of_files(tmp_path / "house.yaml", [cases])


def right() -> Told:
    return Told(
        {
            "turn the kettle": answer("Done", ON),
            "desk lamp to": answer("1 to 100 only"),
            "kettle on in": answer("Later", {**ON, "when": "+600"}),
            "open the gate": answer("Sure?"),
            "says: yes": answer("Open", GATE),
            "how are": answer("Fine"),
        }
    )


def test_a_model_that_knows_is_right(selection: Selection, tmp_path: Path) -> None:
    writer = right()
    result = run(selection, ToolSystem(writer), tmp_path)
    assert [reason for one in result.failures for reason in one.judgement.reasons] == []
    assert result.scores.outside == 0
    assert writer.prepared == 5
    confirmed = writer.asked[-2]
    assert [one["role"] for one in confirmed] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
    assert "Open the gate" in confirmed[1]["content"]
    assert "Sure?" in confirmed[2]["content"]


def test_what_cannot_be_done_it_is_told_once_and_may_say_so(
    selection: Selection, tmp_path: Path
) -> None:
    bad = {"entity": "light.desk", "action": "set", "brightness": 300}
    writer = Told(
        {
            "turn the": answer("Done", ON),
            "cannot be done": answer("only up to 100"),
            "desk lamp to": answer("Done", bad),
            "kettle on in": answer("no"),
            "open the": answer("Open", GATE),
            "says": answer("Fine"),
        }
    )
    result = run(selection, ToolSystem(writer), tmp_path)
    some = result.scores.tallies["en"]
    assert some["range"].right == 1
    told = next(one for one in writer.asked if len(one) == 4)
    assert (
        "light.desk set(brightness=300): out_of_range range brightness 1–100%"
        in told[-1]["content"]
    )
    # It opened the gate without a yes: done, for nobody stands between, and counted.
    assert result.scores.outside == 1
    assert result.every[3].answer.done == (Call("open", "cover.gate"),)


@pytest.mark.parametrize(
    ("text", "garbled", "reply", "calls"),
    [
        (answer("Hi"), False, "Hi", []),
        (answer("Hi", ON), False, "Hi", [Call("turn_on", "switch.kettle")]),
        ("```json\n" + answer("Hi", ON) + "\n```", False, "Hi", [Call("turn_on", "switch.kettle")]),
        ("<think>\nhm {\n</think>\n" + answer("Hi"), False, "Hi", []),
        ("Hello there", True, "Hello there", []),
        ('{"calls": [{"entity": "switch.ket', True, "", []),
        ('{"reply": "Hi"}', True, "Hi", []),
        ('{"calls": [], "reply": 3}', True, "", []),
        ('{"calls": [{"action": "turn_on"}], "reply": "Hi"}', True, "Hi", []),
        ('{"calls": ["turn_on"], "reply": "Hi"}', True, "Hi", []),
        ('{"calls": 5, "reply": "Hi"}', True, "Hi", []),
        (answer("Hi", {**ON, "when": "soon"}), True, "Hi", []),
        (answer("Hi", {**ON, "brightness": [1]}), True, "Hi", []),
        ("[]", True, "", []),
        ("null", True, "", []),
        ("", True, "", []),
    ],
)
def test_answers_are_read(text: str, garbled: bool, reply: str, calls: list[Call]) -> None:
    found = parsed(text)
    assert (found.garbled, found.reply, [one for one, _ in found.calls]) == (garbled, reply, calls)


def test_the_household_is_told_whole(tmp_path: Path) -> None:
    world = house(tmp_path)
    for language in ("zh", "en"):
        text = tool_prompt.system_prompt(world, language)
        for one in world.entities:
            assert one.id in text
            assert all(name in text for name in one.names)
        assert "color_temperature 4000 (2700–5700K)" in text
        assert "source radio (radio | show = 视频, video)" in text
        assert "current_temperature 19.5°C" in text
        assert "Mike Thompson, 迈克" in text
    turn = tool_prompt.turn_prompt(
        world, "en", said="Hi", speaker="attic", state=so(world, "light.desk", brightness=9)
    )
    assert "2026-11-26 19:30 Thursday, sunrise 07:10" in turn
    assert "in: attic" in turn
    assert "light.desk: brightness 9" in turn
    chinese = tool_prompt.turn_prompt(world, "zh", said="嗨", speaker="", state=initial(world))
    assert "周四" in chinese
    assert "人在：未知。与清单不同：无。" in chinese


def test_the_schema_has_what_there_is_and_nothing_else(tmp_path: Path) -> None:
    schema = tool_prompt.call_schema(house(tmp_path))
    valid = jsonschema.Draft202012Validator(schema).is_valid
    fine = [
        ON,
        {"entity": "light.desk", "action": "set", "brightness": 300, "color": "red"},
        {"entity": "media_player.tv", "action": "set", "source": "show", "when": "sunset-600"},
        {"entity": "dialer.phone", "action": "call", "contact": "妈妈"},
        {"entity": "timer.home", "action": "start", "seconds": 60},
        {"entity": "reminder.home", "action": "add", "text": "x", "at": "2026-11-28 10:00"},
    ]
    for one in fine:
        assert valid({"calls": [one], "reply": ""}), one
    wrong = [
        {"entity": "light.none", "action": "turn_on"},
        {"entity": "switch.kettle", "action": "set"},
        {"entity": "switch.kettle", "action": "turn_on", "brightness": 3},
        {"entity": "media_player.tv", "action": "set", "source": "netflix"},
        {"entity": "dialer.phone", "action": "call", "contact": "奶奶"},
        {"entity": "dialer.phone", "action": "call"},
        {"entity": "switch.kettle", "action": "turn_on", "when": "later"},
        {"entity": "sensor.speed", "action": "set"},
    ]
    for one in wrong:
        assert not valid({"calls": [one], "reply": ""}), one


def test_the_schemas_of_all_households_compile() -> None:
    model = fake_model(context=1024)
    worlds: dict[str, World] = {
        world.name: world for split in ("dev", "test") for world, _ in read_split(split)
    }
    assert len(worlds) == 11
    for world in worlds.values():
        model.constrain(Grammar.json_schema(tool_prompt.call_schema(world)))


def test_a_model_of_chance_runs_and_is_counted(tmp_path: Path, selection: Selection) -> None:
    """Held to the schema, whatever it likes best."""
    model = fake_model(context=32768, kv_tokens=65536, chunk_tokens=2048)
    system = ToolSystem(ModelWriter(model, max_tokens=48))
    assert system.identity["system"] == "model"
    assert system.identity["sha256"] == "ab" * 32
    result = run(selection, system, tmp_path)
    tally = result.scores.tallies["en"][ALL]
    assert tally.count == 5
    assert tally.median is not None
    assert result.scores.errors == 0
    notes = [note for one in result.every for note in one.answer.notes]
    assert all(one.startswith('{"calls": [') for one in notes)
    again = run(selection, ToolSystem(ModelWriter(model, max_tokens=48)), tmp_path / "again")
    assert [one.answer.notes for one in again.every] == [one.answer.notes for one in result.every]


def test_a_broken_answer_is_not_right_even_where_nothing_is_to_be_done(
    tmp_path: Path, selection: Selection
) -> None:
    system = ToolSystem(Told({"says: ": '{"calls": [{"entity": "light'}))
    result = run(selection, system, tmp_path / "a")
    assert result.scores.tallies["en"]["talk"].right == 0
    assert result.scores.tallies["en"][ALL].wrong == 0
    assert result.scores.outside == 6
    system = ToolSystem(Told({"says: ": "I am fine"}))
    result = run(selection, system, tmp_path / "b")
    assert result.scores.tallies["en"]["talk"].right == 1
    assert result.scores.outside == 6


def test_a_prompt_that_does_not_fit_is_an_error_of_the_case(
    tmp_path: Path, selection: Selection
) -> None:
    system = ToolSystem(ModelWriter(fake_model(context=512), max_tokens=48))
    result = run(selection, system, tmp_path)
    assert result.scores.errors == 5
    assert "ContextFullError" in result.every[0].answer.error


def test_a_model_without_a_chat_template_is_refused_at_once() -> None:
    with pytest.raises(TemplateError):
        ModelWriter(fake_model(template=False))


def test_over_an_endpoint(tmp_path: Path, selection: Selection) -> None:
    with loopback(lambda request: says(answer("Done", ON))) as server:
        writer = EndpointWriter(url=server.url, model="other", retries=0)
        result = run(selection, ToolSystem(writer), tmp_path)
        writer.close()
    assert result.every[0].judgement.right
    assert result.scores.tallies["en"][ALL].wrong == 4
    body = server.requests[0].body
    assert body["model"] == "other"
    assert body["temperature"] == 0
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["calls", "reply"]
    assert result.system["endpoint"] == server.url
    assert BOTH not in result.scores.tallies


def test_an_endpoint_that_knows_no_schema_is_asked_for_less(
    tmp_path: Path, selection: Selection
) -> None:
    def reply(request: Any) -> Any:
        kind = request.body.get("response_format", {}).get("type")
        if kind is not None:
            return refuses(400, f"response_format {kind} is not supported")
        if "max_tokens" in request.body:
            return refuses(400, "use max_completion_tokens")
        return says(answer("Fine"))

    with loopback(reply) as server:
        writer = EndpointWriter(url=server.url, model="other", retries=0)
        run(selection, ToolSystem(writer), tmp_path)
        writer.close()
    assert len(server.requests) == 3 + 6, "what it wants is found out once"
    with loopback(lambda request: refuses(401, "who are you")) as server:
        writer = EndpointWriter(url=server.url, model="other", retries=0)
        with pytest.raises(EndpointError, match="401"):
            run(selection, ToolSystem(writer), tmp_path / "b")
        writer.close()
    too_long = refuses(400, "maximum context length is 10 tokens", "context_length_exceeded")
    with loopback(lambda request: too_long) as server:
        writer = EndpointWriter(url=server.url, model="other", retries=0)
        assert run(selection, ToolSystem(writer), tmp_path / "c").scores.errors == 5
        writer.close()
    with pytest.raises(InvalidRequestError):
        EndpointWriter(url="http://127.0.0.1:1/v1", model="")


def test_cases_of_the_test_are_sound(tmp_path: Path) -> None:
    world = house(tmp_path)
    path = tmp_path / "house.en.yaml"
    path.write_text(CASES, encoding="utf-8")
    assert len(read_cases(path, world)) == 5
