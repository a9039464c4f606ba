"""Command lines run in this process, with a scripted model behind them."""

from __future__ import annotations

import io
from typing import Any

import pytest

import qingyu
from qingyu.cli.main import run
from tests.cli.scripted import Install, Loader, Outcome, Run, ScriptedModel


class Input(io.StringIO):
    """Standard input, from a pipe unless `is_terminal`."""

    is_terminal = False

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """cli("generate", "hello", stdin="...") runs one command line."""

    def call(*arguments: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr("sys.stdin", Input(stdin))
        capsys.readouterr()
        code = run(list(arguments))
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Install:
    """scripted("Hel", "lo") makes that the default model, and returns it."""

    def install(*script: str | BaseException, **options: Any) -> ScriptedModel:
        model = ScriptedModel(script, **options) if script else ScriptedModel(**options)
        monkeypatch.setitem(vars(qingyu), "load", Loader(default=model))
        return model

    return install
