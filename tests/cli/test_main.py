"""The program itself: languages, help pages, wrong usage, how soon it answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest
import typer.main

from qingyu import text
from qingyu.cli import help as pages
from qingyu.cli import layout
from qingyu.cli.main import build_app
from tests.cli.scripted import Install, Run

VERBS = [
    *("chat", "generate", "assist", "serve", "models", "pull", "verify", "rm", "export", "import"),
    *("train", "import-hf"),
    *("eval", "compare", "report", "receipt", "leaderboard", "act-bench"),
    *("data", "inspect", "tokenize", "bench", "doctor"),
]


def test_without_a_verb_the_help_is_shown(cli: Run) -> None:
    outcome = cli()
    assert outcome.code == 0
    listed = [line.split()[0] for line in outcome.out.splitlines() if line.startswith("  ")]
    assert listed[: len(VERBS)] == VERBS


def test_version(cli: Run) -> None:
    assert cli("--version").out.startswith("qingyu ")


@pytest.mark.parametrize(
    "arguments", [("--lang", "zh", "bench", "--help"), ("bench", "--help", "--lang=zh")]
)
def test_the_language_may_be_chosen_anywhere(cli: Run, arguments: tuple[str, ...]) -> None:
    assert "用法：qingyu bench [选项]" in cli(*arguments).out


def test_the_language_is_the_locale_s_otherwise(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QINGYU_LANG")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert cli("--help").out.startswith("用法：")
    monkeypatch.setenv("QINGYU_LANG", "en")
    assert cli("--help").out.startswith("Usage:")


def test_an_unknown_language_is_wrong_usage(cli: Run) -> None:
    outcome = cli("--lang", "fr")
    assert outcome.code == 2
    assert "--lang takes en or zh, not 'fr'" in outcome.err


def test_after_two_dashes_lang_is_text(cli: Run, scripted: Install) -> None:
    model = scripted()
    cli("generate", "--", "--lang")
    assert model.requests[0][1] == "--lang"


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (
            "generat x",
            "No such command 'generat'. Did you mean 'generate'?",
            "没有命令 generat；是不是 'generate'",
        ),
        ("generate --nope", "No such option: --nope", "没有选项 --nope"),
        ("generate a b", "Got unexpected extra argument", "多余的参数：b"),
        ("generate --top-k", "requires an argument", "选项 --top-k 需要一个值"),
        ("generate --top-k x y", "--top-k: it must be a valid integer", "--top-k：应为整数"),
        (
            "generate --top-p 2 y",
            "--top-p: it must be less than or equal to 1",
            "--top-p：不能大于 1",
        ),
        ("generate --top-p x y", "--top-p: it must be a valid number", "--top-p：应为数"),
        ("pull", "Missing argument 'MODEL'", "缺少 MODEL"),
        (
            "bench --repeat 0",
            "--repeat: it must be greater than or equal to 1",
            "--repeat：不能小于 1",
        ),
        (
            "bench --type Q8_0",
            "--type has no effect without --shape",
            "没有 --shape 时 --type 不起作用",
        ),
    ],
)
def test_wrong_usage(cli: Run, arguments: str, english: str, chinese: str) -> None:
    for language, sentence in (("en", english), ("zh", chinese)):
        outcome = cli("--lang", language, *arguments.split())
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert sentence.rstrip("?") in outcome.err
        assert " --help" in outcome.err


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_flag_has_help_and_every_page_fits(
    language: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text.use(language)
    program = typer.main.get_command(build_app())
    with program.make_context("qingyu", [], resilient_parsing=True) as context:
        for name, command in program.commands.items():  # type: ignore[attr-defined]
            with command.make_context(name, [], parent=context, resilient_parsing=True) as inner:
                page = pages.render(command, inner)
                for parameter in command.get_params(inner):
                    described = pages._described(parameter, inner)
                    assert described is not None
                    assert described[1].strip(), f"{name} {described[0]} has no help"
                    if parameter.opts != ["--help"] and language == "zh":
                        assert not described[1].isascii(), f"{name} {described[0]}"
            wide = [line for line in page.splitlines() if layout.width(line) > columns]
            assert not wide, wide


def _median_seconds(command: list[str], runs: int = 7) -> float:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        seconds.append(time.perf_counter() - started)
    # The fastest runs say what the program costs; the others, what the machine was doing.
    return median(sorted(seconds)[: runs // 2 + 1])


def test_help_answers_at_once() -> None:
    assert _median_seconds([sys.executable, "-m", "qingyu", "--help"]) < 0.4


def test_importing_costs_nothing() -> None:
    assert _median_seconds([sys.executable, "-c", "import qingyu"]) < 0.15


def test_help_loads_neither_arrays_nor_the_engine() -> None:
    program = (
        "import sys; from qingyu.cli.main import run; run(['chat', '--help']);"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    heavy = {"numpy", "tokenizers", "jinja2", "httpx", "huggingface_hub", "rich", "qingyu._native"}
    assert not loaded & heavy
    assert not [name for name in loaded if name.startswith("qingyu.engine")]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    program = f"{sys.executable} -m qingyu chat --help | head -c 10"
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "Usage: qin"
    assert done.stderr == ""
