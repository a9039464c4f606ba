"""qingyu act-bench: the fast path, a fake model, results side by side, what is not shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import qingyu
from fakes import fake_model
from qingyu.act.bench.cases import read_split
from qingyu.cli.main import lock
from tests.act.houses import house
from tests.cli.scripted import Run

FEW = ("act-bench", "--system", "fast", "--category", "plain,talk,absent", "--limit", "1")


def test_the_fast_path(cli: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = cli(*FEW, "--language", "zh", "--out", str(out))
    assert outcome.code == 0, outcome.err
    assert "fast path · dev · 3 cases" in outcome.out
    assert "What is required of the assistant" in outcome.out
    assert "failures.md" in outcome.out
    names = {one.name for one in out.iterdir()}
    assert names >= {"journal.jsonl", "result.json", "report.md", "categories.png", "failures.md"}
    again = cli(*FEW, "--language", "zh", "--out", str(out), "--json").json
    assert again["time"]["resumed"] == 3
    assert again["scores"]["tallies"]["zh"]["all"]["count"] == 3
    assert "answers" not in again
    refused = cli(*FEW, "--language", "en", "--out", str(out))
    assert refused.code == 1
    assert "--restart" in refused.err
    assert cli(*FEW, "--language", "en", "--out", str(out), "--restart").code == 0


def test_the_folder_says_what_was_asked(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli(*FEW, "--language", "zh").code == 0
    assert (tmp_path / "act-bench" / "dev-fast-zh-plain-talk-absent-first1" / "report.md").exists()


def test_sentences_of_the_test_split_are_not_put_before_anybody(cli: Run, tmp_path: Path) -> None:
    outcome = cli(*FEW, "--split", "test", "--out", str(tmp_path))
    assert outcome.code == 0
    said = [turn for _, cases in read_split("test") for case in cases for turn in case.say]
    shown = [outcome.out, outcome.err, (tmp_path / "report.md").read_text("utf-8")]
    leaked = sum(turn in text for turn in said if len(turn) > 4 for text in shown)
    assert leaked == 0


def test_failures_of_the_dev_split_are_quoted(cli: Run, tmp_path: Path) -> None:
    arguments = ["act-bench", "--system", "fast", "--category", "wish", "--limit", "1"]
    outcome = cli(*arguments, "--out", str(tmp_path))
    assert "said: " in outcome.out


def test_a_household_of_one_s_own(cli: Run, tmp_path: Path) -> None:
    house(tmp_path)
    cases = tmp_path / "house.zh.yaml"
    cases.write_text(
        "- {id: house.zh.plain.1, say: [打开水壶], want: {switch.kettle: {state: 'on'}}}\n",
        encoding="utf-8",
    )
    mine = ["--world", str(tmp_path / "house.yaml"), "--cases", str(cases)]
    outcome = cli("act-bench", "--system", "fast", *mine, "--out", str(tmp_path / "out"))
    assert "fast path · house · 1 cases" in outcome.out
    assert cli("act-bench", "--system", "fast", *mine[:2]).code == 2
    assert cli("act-bench", "--system", "fast", *mine, "--split", "dev").code == 2


def test_a_model_with_a_tool_prompt_beside_the_fast_path(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(reference: str, **settings: Any) -> Any:
        return fake_model(context=65536, kv_tokens=131072, chunk_tokens=4096)

    monkeypatch.setitem(vars(qingyu), "load", load)
    few = ["--category", "talk", "--limit", "1", "--language", "en"]
    one = cli("act-bench", "--system", "fast", *few, "--out", str(tmp_path / "a"))
    assert one.code == 0, one.err
    two = cli(
        "act-bench", "--system", "model", *few, "--max-tokens", "24", "--out", str(tmp_path / "b")
    )
    assert two.code == 0, two.err
    both = ["--compare", str(tmp_path / "a"), "--compare", str(tmp_path / "b")]
    outcome = cli("act-bench", *both, "--out", str(tmp_path / "c"))
    assert outcome.code == 0, outcome.err
    assert "fast path" in outcome.out
    assert "fake" in outcome.out
    assert (tmp_path / "c" / "categories.png").exists()
    record = json.loads(cli("act-bench", *both, "--out", str(tmp_path / "c"), "--json").out)
    assert [one["system"]["system"] for one in record["results"]] == ["fast", "model"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--system", "other"],
        ["--system", "endpoint"],
        ["--system", "fast", "--endpoint", "http://127.0.0.1:1"],
        ["--system", "fast", "--language", "de"],
        ["--system", "fast", "--split", "train"],
        ["--system", "fast", "--category", "plane"],
        ["--compare", "nowhere"],
    ],
)
def test_what_cannot_be_is_refused(cli: Run, arguments: list[str]) -> None:
    outcome = cli("act-bench", *arguments)
    assert outcome.code in (1, 2)
    assert outcome.err


def test_only_an_endpoint_leaves_the_process_open(monkeypatch: pytest.MonkeyPatch) -> None:
    from qingyu.serve import seal

    class Locked(Exception):
        pass

    def locked(*_: Any, **__: Any) -> Any:
        raise Locked

    monkeypatch.setattr(seal, "prepare", locked)
    monkeypatch.setattr("qingyu.serve.seal.inherited.close_sockets", lambda: None)
    lock(["act-bench", "--system", "endpoint", "--endpoint", "http://127.0.0.1:1"])
    with pytest.raises(Locked):
        lock(["act-bench", "--system", "fast"])
