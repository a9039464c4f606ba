"""qingyu chat: turns, slash commands, Ctrl-C, a context that is full. From a pipe."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

import qingyu
from qingyu.engine.sampling import Sampling
from qingyu.errors import ModelNotFoundError, TemplateError
from tests.cli.scripted import Install, Loader, Run, ScriptedModel


def test_every_line_is_a_turn_and_the_conversation_grows(cli: Run, scripted: Install) -> None:
    model = scripted(answers=[["Hel", "lo"], ["Fine"]])
    outcome = cli("chat", stdin="Hi\nHow are you?\n")
    assert (outcome.code, outcome.out) == (0, "Hello\nFine\n")
    assert [request[1] for request in model.requests] == [
        [{"role": "user", "content": "Hi"}],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "How are you?"},
        ],
    ]
    assert outcome.err.count("tokens") == 4, "a quiet line of speed after each answer"
    assert model.closed


def test_settings_and_system_message(cli: Run, scripted: Install) -> None:
    model = scripted()
    cli("chat", "--system", "Brief.", "--seed", "3", "--max-tokens", "9", stdin="Hi\n")
    _, messages, options = model.requests[0]
    assert messages[0] == {"role": "system", "content": "Brief."}
    assert options["max_tokens"] == 9
    assert options["sampling"] == Sampling(
        temperature=0.7, top_p=0.9, min_p=0.05, repetition_penalty=1.05, seed=3
    )


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("one \\\ntwo\n", "one \ntwo"),
        ('"""\none\ntwo\n"""\n', "one\ntwo"),
        ('"""one\n\ntwo"""\n', "one\n\ntwo"),
        ('"""one\\\n"""\n', "one\\"),
        ('"""one\n', "one"),
        ("one\\\n", "one"),
        ("one", "one"),
    ],
)
def test_a_message_of_several_lines(cli: Run, scripted: Install, typed: str, message: str) -> None:
    model = scripted()
    cli("chat", stdin=typed)
    assert [request[1][-1]["content"] for request in model.requests] == [message]


def test_empty_lines_are_no_messages(cli: Run, scripted: Install) -> None:
    model = scripted()
    assert cli("chat", stdin="\n   \n").code == 0
    assert model.requests == []


def test_reset_keeps_the_system_message(cli: Run, scripted: Install) -> None:
    model = scripted()
    cli("chat", "--system", "S", stdin="one\n/reset\ntwo\n")
    assert [message["content"] for message in model.requests[1][1]] == ["S", "two"]


def test_system_is_shown_set_and_removed(cli: Run, scripted: Install) -> None:
    model = scripted()
    outcome = cli("chat", stdin="/system\n/system Be kind.\n/system\none\n/system -\ntwo\n")
    assert outcome.err.count("no system message") == 2
    assert outcome.err.count("system message: Be kind.") == 2
    assert model.requests[0][1][0] == {"role": "system", "content": "Be kind."}
    assert model.requests[1][1][0]["role"] == "user"


def test_save_and_load(cli: Run, scripted: Install, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    scripted("你", "好")
    cli("chat", "--system", "S", stdin=f"Hi\n/save {file}\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "你好" in file.read_text(encoding="utf-8")
    model = scripted()
    outcome = cli("chat", stdin=f"/load {file}\nGo on\n")
    assert f"2 messages from {file}" in outcome.err
    assert [message["content"] for message in model.requests[0][1]] == ["S", "Hi", "你好", "Go on"]


def test_save_without_a_name_goes_to_the_home_and_loads_by_name(
    cli: Run, scripted: Install
) -> None:
    scripted()
    cli("chat", stdin="Hi\n/save\n")
    (file,) = (Path(os.environ["QINGYU_HOME"]) / "chats").iterdir()
    assert "2 messages" in cli("chat", stdin=f"/load {file.name}\n").err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot read"),
        ("{", "not a saved conversation"),
        ("[]", "its format is unknown"),
        (json.dumps({"format": "qingyu conversation 1"}), "it has no messages"),
        (
            json.dumps({"format": "qingyu conversation 1", "messages": [{"role": "user"}]}),
            "message 1 is malformed",
        ),
        (
            json.dumps(
                {
                    "format": "qingyu conversation 1",
                    "messages": [{"role": "tool", "content": "x"}],
                }
            ),
            "message 1 is malformed",
        ),
    ],
)
def test_a_file_that_is_no_conversation_changes_nothing(
    cli: Run, scripted: Install, tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "talk.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    model = scripted()
    outcome = cli("chat", stdin=f"one\n/load {file}\ntwo\n")
    assert complaint in outcome.err
    assert [message["content"] for message in model.requests[1][1]] == ["one", "Hello", "two"]


def test_another_model_takes_the_conversation_over(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ScriptedModel(["one"]), ScriptedModel(["two"])
    loader = Loader(default=first, other=second)
    monkeypatch.setitem(vars(qingyu), "load", loader)
    cli("chat", "--threads", "1", stdin="Hi\n/model other\nAnd you?\n")
    assert first.closed
    assert [message["content"] for message in second.requests[0][1]] == ["Hi", "one", "And you?"]
    assert loader.calls[1] == (
        "other",
        {"context": None, "threads": 1, "template": None, "activation_bits": 8},
    )


def test_a_model_that_cannot_be_loaded_leaves_the_old_one(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ScriptedModel(["one"])
    loader = Loader(default=first, other=ModelNotFoundError("there is no model named 'other'"))
    monkeypatch.setitem(vars(qingyu), "load", loader)
    outcome = cli("chat", stdin="/model other\nHi\n")
    assert "error: there is no model named 'other'" in outcome.err
    assert outcome.out == "one\n"


def test_stats_and_help(cli: Run, scripted: Install) -> None:
    scripted()
    outcome = cli("chat", stdin="/stats\nHi\n/stats\n/help\n")
    assert "0 of 50 tokens, room for 50" in outcome.err
    assert "4 of 50 tokens, room for 46" in outcome.err
    assert "seed" in outcome.err
    for command in ("/reset", "/save", "/load", "/stats", "/model", "/system", "/help", "/quit"):
        assert f"  {command}" in outcome.err


def test_quit_ends_and_an_unknown_command_does_not(cli: Run, scripted: Install) -> None:
    model = scripted()
    outcome = cli("chat", stdin="/nope\nHi\n/quit\nnever said\n")
    assert "there is no command /nope; /help lists them" in outcome.err
    assert len(model.requests) == 1


def test_ctrl_c_stops_the_answer_and_not_the_program(cli: Run, scripted: Install) -> None:
    model = scripted(answers=[["One", " two", KeyboardInterrupt()], ["Fine"]])
    outcome = cli("chat", stdin="Count\nAnd now?\n")
    assert outcome.code == 0
    assert outcome.out == "One two\nFine\n"
    assert "(stopped)" in outcome.err
    assert model.streams[0].closed
    assert [message["content"] for message in model.requests[1][1]] == [
        "Count",
        "One two",
        "And now?",
    ], "what was said stays"


def test_ctrl_c_before_the_first_word_takes_the_message_back(cli: Run, scripted: Install) -> None:
    model = scripted(answers=[[KeyboardInterrupt()], ["Fine"]])
    cli("chat", stdin="long\nshort\n")
    assert [message["content"] for message in model.requests[1][1]] == ["short"]


def test_a_full_context_is_said_with_numbers_and_nothing_is_dropped(
    cli: Run, scripted: Install
) -> None:
    model = scripted()
    outcome = cli("chat", stdin=f"Hi\n{'x' * 60}\nshort\n")
    assert outcome.code == 0
    assert "the prompt has 67 tokens, but the context of 50" in outcome.err
    assert "nothing was dropped: /save keeps the conversation, /reset begins anew" in outcome.err
    assert [message["content"] for message in model.requests[1][1]] == ["Hi", "Hello", "short"]


def test_a_model_that_cannot_chat_says_so(cli: Run, scripted: Install) -> None:
    scripted(TemplateError("this model has no chat template; give one with --template"))
    outcome = cli("chat", stdin="Hi\n")
    assert "error: this model has no chat template; give one with --template" in outcome.err


def test_in_chinese(cli: Run, scripted: Install) -> None:
    scripted()
    outcome = cli("--lang", "zh", "chat", stdin="你好\n/stats\n/help\n/nope\n")
    assert "回答 2 词元" in outcome.err
    assert "50 词元中用了 4，还剩 46" in outcome.err
    assert "清空对话" in outcome.err
    assert "没有命令 /nope" in outcome.err


def test_piped_input_leaves_no_history(cli: Run, scripted: Install) -> None:
    scripted()
    cli("chat", stdin="secret\n")
    assert not (Path(os.environ["QINGYU_HOME"]) / "history").exists()
