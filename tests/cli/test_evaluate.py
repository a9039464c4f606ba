"""qingyu eval on made-up questions with a fake model, and qingyu pull of the questions."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import qingyu
from fakes import fake_model
from prove.conftest import made_up_data  # noqa: F401  (a fixture)
from qingyu.cli.main import lock
from qingyu.cli.progress import _question_lines
from qingyu.prove import benchmarks
from tests.cli.scripted import Run


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """`qingyu.load` gives a fake model; what it was called with."""
    calls: list[dict[str, Any]] = []

    def load(model: str, **settings: Any) -> Any:
        calls.append({"model": model, **settings})
        return fake_model(
            context=4096,
            kv_tokens=16384,
            chunk_tokens=512,
            activation_bits=settings["activation_bits"],
        )

    monkeypatch.setitem(vars(qingyu), "load", load)
    return calls


@pytest.fixture
def arguments(made_up_data: Path, tmp_path: Path) -> list[str]:  # noqa: F811
    return ["eval", "ceval", "--data", str(made_up_data), "--out", str(tmp_path / "out")]


def test_a_run_says_what_it_means(
    cli: Run, loaded: list[dict[str, Any]], arguments: list[str], tmp_path: Path
) -> None:
    outcome = cli(*arguments, "--no-report")
    assert outcome.code == 0, outcome.err
    assert "C-Eval val, 0-shot, official, logits" in outcome.out
    assert "macro over 52 subjects" in outcome.out
    assert "Not distinguishable from guessing" in outcome.out
    assert loaded[0]["activation_bits"] == 16
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"journal.jsonl", "result.json"}
    chinese = cli("--lang", "zh", *arguments, "--no-report")
    assert "与猜测无法区分" in chinese.out
    assert "1346 题此前已答" in chinese.out


def test_a_part_is_not_to_be_compared(cli: Run, loaded: object, arguments: list[str]) -> None:
    outcome = cli(*arguments, "--no-report", "--subjects", "law,Hard", "--limit", "2")
    assert "Only 18 of 1,346 questions" in outcome.out


def test_one_json_object(cli: Run, loaded: object, arguments: list[str], tmp_path: Path) -> None:
    outcome = cli(*arguments, "--no-report", "--subjects", "law", "--shots", "2", "--json")
    record = json.loads(outcome.out)
    assert record["exam"]["shots"] == 2
    assert record["scores"]["subjects"]["law"]["count"] == 24
    assert record["folder"] == str(tmp_path / "out")
    assert "answers" not in record


def test_another_run_s_journal_is_refused_until_restart(
    cli: Run, loaded: object, arguments: list[str]
) -> None:
    assert cli(*arguments, "--no-report", "--subjects", "law").code == 0
    refused = cli(*arguments, "--no-report", "--subjects", "logic")
    assert refused.code == 1
    assert "--restart" in refused.err
    assert cli(*arguments, "--no-report", "--subjects", "logic", "--restart").code == 0


def test_ctrl_c_says_how_to_go_on(
    cli: Run,
    loaded: object,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from qingyu.prove.choices import ChoiceAnswerer

    whole = ChoiceAnswerer.answers

    def interrupted(self: Any, exam: Any, wanted: Any) -> Iterator[Any]:
        for number, answer in enumerate(whole(self, exam, wanted)):
            if number == 5:
                raise KeyboardInterrupt
            yield answer

    with monkeypatch.context() as patch:
        patch.setattr(ChoiceAnswerer, "answers", interrupted)
        stopped = cli(*arguments, "--no-report", "--subjects", "law")
    assert stopped.code == 130
    assert str(tmp_path / "out") in stopped.err
    assert "5 answers from before" in cli(*arguments, "--no-report", "--subjects", "law").out


def test_a_split_without_key_is_answered_as_a_submission(
    cli: Run, loaded: object, arguments: list[str], tmp_path: Path
) -> None:
    refused = cli(*arguments, "--split", "test", "--subjects", "law")
    assert refused.code == 1
    assert "--submission" in refused.err
    outcome = cli(*arguments, "--split", "test", "--subjects", "law", "--submission")
    assert outcome.code == 0, outcome.err
    assert "no key to score by" in outcome.out
    letters = json.loads((tmp_path / "out" / "submission.json").read_text())["law"]
    assert list(letters) == [str(number) for number in range(len(letters))]


def test_a_report_is_written(
    cli: Run, loaded: object, arguments: list[str], tmp_path: Path
) -> None:
    outcome = cli(*arguments, "--subjects", "law,logic")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "out" / "report.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--protocol", "harness", "--method", "cot"], "logits only"),
        (["--split", "dev"], "val, test"),
        (["--subjects", "lawn"], "law"),
        (["--endpoint", "http://127.0.0.1:1", "--ray", "local"], "exclude each other"),
        (["--endpoint", "http://127.0.0.1:1", "--price", "free", "--yes"], "0.5,1.5"),
        (["--endpoint", "ftp://127.0.0.1", "--yes"], "http"),
    ],
)
def test_what_cannot_be_is_refused(
    cli: Run, loaded: object, arguments: list[str], flags: list[str], message: str
) -> None:
    outcome = cli(*arguments, *flags)
    assert outcome.code in (1, 2)
    assert message in outcome.err


def test_only_runs_that_ask_others_are_not_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed: list[str] = []
    monkeypatch.setattr("qingyu.serve.seal.prepare", lambda **folders: None)
    monkeypatch.setattr("qingyu.serve.seal.seal", lambda: sealed.append("yes") or _Sealed())
    lock(["eval", "ceval"])
    assert sealed == ["yes"]
    lock(["eval", "ceval", "--endpoint=http://127.0.0.1:1"])
    lock(["eval", "ceval", "--ray", "auto"])
    assert sealed == ["yes"]


class _Sealed:
    holds = True
    layers = ("seccomp",)
    summary = "sealed"


def test_lines_of_progress(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    report = _question_lines("C-Eval", clock=lambda: now[0])
    report(10, 100, 5)
    now[0] = 10.0
    report(60, 100, 30)
    assert capsys.readouterr().err == "C-Eval: 60 / 100, 5.0 questions/s, 50.0% right\n"


@pytest.fixture
def hub(made_up_data: Path) -> Iterator[tuple[str, dict[str, bytes]]]:  # noqa: F811
    """A hub with archives of the made-up questions; its address and files by path."""
    files: dict[str, bytes] = {}
    for name, path in (
        ("ceval", "/datasets/ceval/ceval-exam/resolve/main/ceval-exam.zip"),
        ("cmmlu", "/datasets/haonan-li/cmmlu/resolve/main/cmmlu_v1_0_1.zip"),
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for file in sorted((made_up_data / name).rglob("*.csv")):
                archive.write(file, file.relative_to(made_up_data / name).as_posix())
            archive.writestr("../outside.csv", "x")
        files[path] = buffer.getvalue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", files
    server.shutdown()
    thread.join()
    server.server_close()


def test_pull_brings_the_questions(
    cli: Run, hub: tuple[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("QINGYU_HOME", str(home))
    monkeypatch.setenv("HF_ENDPOINT", hub[0])
    outcome = cli("pull", "ceval", "cmmlu")
    assert outcome.code == 0, outcome.err
    assert "CC BY-NC-SA 4.0" in outcome.err
    assert str(home / "data" / "cmmlu") in outcome.out
    assert {path.name for path in (home / "data").iterdir()} == set(benchmarks.NAMES)
    assert not list(home.rglob("outside.csv"))
    assert "CC BY-NC-SA" in (home / "data" / "ceval" / "LICENCE.txt").read_text()
    again = cli("pull", "ceval")
    assert "already" in again.out


def test_an_archive_that_is_not_as_published_is_refused(
    cli: Run, hub: tuple[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QINGYU_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", hub[0])
    (ceval, whole) = next((path, body) for path, body in hub[1].items() if "ceval" in path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(buffer, "w") as new:
        for item in old.infolist():
            if item.filename != "val/law_val.csv":
                new.writestr(item.filename, old.read(item.filename))
    for damaged, message in ((buffer.getvalue(), "lacks val/law_val.csv"), (b"PK nothing", "zip")):
        hub[1][ceval] = damaged
        outcome = cli("pull", "ceval")
        assert outcome.code == 1
        assert message in outcome.err
        assert list((tmp_path / "data").iterdir()) == []
    offline = cli("pull", "ceval", "--offline")
    assert offline.code == 1
    assert "--offline" in offline.err
