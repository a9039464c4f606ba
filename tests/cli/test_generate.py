"""qingyu generate: where the prompt comes from, what is printed where, what is refused."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest

import qingyu
from qingyu.cli.generate import generate
from qingyu.engine.sampling import Sampling
from qingyu.errors import ModelNotFoundError
from tests.cli.scripted import Install, Run, ScriptedStream

FORMS = ("schema", "regex", "lark", "choices", "constraint")


def test_text_streams_to_stdout_and_nothing_else_does(cli: Run, scripted: Install) -> None:
    model = scripted("Hel", "lo")
    outcome = cli("generate", "Say hello")
    assert (outcome.code, outcome.out, outcome.err) == (0, "Hello\n", "")
    assert model.requests[0][:2] == ("generate", "Say hello")
    assert model.closed
    assert model.streams[0].closed


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_the_prompt_may_come_from_stdin(
    cli: Run, scripted: Install, arguments: tuple[str, ...]
) -> None:
    model = scripted()
    assert cli("generate", *arguments, stdin="two\nlines\n").code == 0
    assert model.requests[0][1] == "two\nlines"


def test_chat_sends_messages(cli: Run, scripted: Install) -> None:
    model = scripted()
    cli("generate", "--chat", "--system", "Be brief.", "Hi")
    assert model.requests[0][:2] == (
        "chat",
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    )


def test_settings_reach_the_engine(cli: Run, scripted: Install) -> None:
    model = scripted()
    flags = "--temperature 0.5 --top-k 7 --top-p 0.8 --min-p 0.1 --repetition-penalty 1.2"
    flags += " --presence-penalty 0.3 --frequency-penalty 0.4 --seed 9 --max-tokens 12"
    cli("generate", *flags.split(), "--stop", "END", "--stop", "\n\n", "x")
    assert model.requests[0][2] == {
        "max_tokens": 12,
        "stop": ("END", "\n\n"),
        "sampling": Sampling(
            temperature=0.5,
            top_k=7,
            top_p=0.8,
            min_p=0.1,
            repetition_penalty=1.2,
            presence_penalty=0.3,
            frequency_penalty=0.4,
            seed=9,
        ),
    }


def test_without_flags_the_engine_s_defaults_hold(cli: Run, scripted: Install) -> None:
    model = scripted()
    cli("generate", "x")
    assert model.requests[0][2]["sampling"] == Sampling()


def test_the_help_shows_the_engine_s_defaults() -> None:
    flags = inspect.signature(generate).parameters
    defaults = Sampling()
    for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed"):
        assert flags[name].default == getattr(defaults, name), name


def test_json_is_one_object(cli: Run, scripted: Install) -> None:
    scripted("你", "好")
    outcome = cli("generate", "--json", "x")
    assert outcome.out.count("\n") == 1
    assert "你好" in outcome.out
    assert outcome.json["text"] == "你好"
    assert outcome.json["stop_reason"] == "end"
    assert outcome.json["new_tokens"] == 2
    assert outcome.json["timings"]["decode_tokens_per_second"] == 4.0


def test_stats_go_to_stderr(cli: Run, scripted: Install) -> None:
    scripted()
    outcome = cli("generate", "--stats", "12345")
    assert outcome.out == "Hello\n"
    assert "prompt 3 tokens (+2 known), 6/s" in outcome.err


@pytest.mark.parametrize("flag", ["--system", "--template"])
def test_a_setting_without_effect_is_refused(cli: Run, scripted: Install, flag: str) -> None:
    scripted()
    outcome = cli("generate", flag, "x", "prompt")
    assert outcome.code == 2
    assert f"{flag} has no effect without --chat" in outcome.err


def test_a_prompt_is_not_waited_for_on_a_terminal(
    cli: Run, scripted: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = scripted()
    monkeypatch.setattr("tests.cli.conftest.Input.is_terminal", True)
    outcome = cli("generate")
    assert outcome.code == 2
    assert "a prompt is missing: give it as an argument, or pipe it in" in outcome.err
    assert cli("generate", "-", stdin="typed").code == 0, "a dash asks for stdin"
    assert [request[1] for request in model.requests] == ["typed"]


def test_errors_are_one_paragraph_without_traceback(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, **__: object) -> None:
        raise ModelNotFoundError("there is no model named 'x'")

    monkeypatch.setitem(vars(qingyu), "load", load)
    outcome = cli("generate", "--model", "x", "hi")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "error: there is no model named 'x'\n"
    monkeypatch.setenv("QINGYU_DEBUG", "1")
    with pytest.raises(ModelNotFoundError):
        cli("generate", "--model", "x", "hi")


def test_interrupted(cli: Run, scripted: Install) -> None:
    model = scripted("Hel", KeyboardInterrupt())
    outcome = cli("generate", "x")
    assert outcome.code == 130
    assert outcome.out.startswith("Hel")
    assert model.closed
    assert model.streams[0].closed


def test_in_chinese(cli: Run, scripted: Install, chinese: None) -> None:
    scripted()
    outcome = cli("generate", "--system", "x", "prompt")
    assert "错误：没有 --chat 时 --system 不起作用" in outcome.err


def test_what_the_answer_follows_reaches_the_engine(
    cli: Run, scripted: Install, tmp_path: Path
) -> None:
    file = tmp_path / "form"
    file.write_text('{"type": "null"}  # 中', "utf-8")
    for flags, wanted in (
        (("--schema", str(file)), {"schema": '{"type": "null"}  # 中'}),
        (("--lark", str(file)), {"lark": '{"type": "null"}  # 中'}),
        (("--regex", "a+"), {"regex": "a+"}),
        (("--choice", "yes", "--choice", "no, thanks"), {"choices": ["yes", "no, thanks"]}),
    ):
        model = scripted()
        assert cli("generate", *flags, "x").code == 0
        options = model.requests[-1][2]
        assert {name: options[name] for name in options if name in FORMS} == wanted


def test_forms_exclude_each_other_and_files_must_be_there(
    cli: Run, scripted: Install, tmp_path: Path
) -> None:
    model = scripted()
    both = cli("generate", "--regex", "a", "--choice", "b", "x")
    assert both.code == 2
    assert "--regex and --choice exclude each other" in both.err
    missing = cli("generate", "--schema", str(tmp_path / "none.json"), "x")
    assert missing.code == 2
    assert "none.json cannot be read" in missing.err
    assert model.requests == []


def test_an_answer_cut_before_it_is_complete_is_an_error(
    cli: Run, scripted: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted('{"a": ', "[1")
    whole = ScriptedStream.result.fget
    assert whole is not None
    monkeypatch.setattr(
        ScriptedStream,
        "result",
        property(lambda self: replace(whole(self), constraint_complete=False)),
    )
    outcome = cli("generate", "--regex", "x", "--json", "x")
    assert outcome.code == 1
    assert outcome.json["constraint_complete"] is False
    assert "cut after 2 tokens" in outcome.err
