"""Receipts of small random models on made-up questions, and what a check finds in them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType

import qingyu
from qingyu import text as languages
from qingyu.errors import InvalidRequestError, JournalError, ModelNotFoundError
from qingyu.prove import receipt_check, receipt_file, receipt_page, texts
from qingyu.prove.evaluation import Progress
from qingyu.prove.receipt import Asked, Watcher, make
from qingyu.prove.receipt_check import Finding, check, verdict
from reference.random_models import FAMILIES, write
from serve.browser import broken_markup, faint_text, launched

Record = dict[str, Any]
SHARE = 0.05  # 89 questions of C-Eval, 612 of CMMLU


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("receipts")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return write(folder / "model.gguf", FAMILIES["llama-kv1"], GGMLQuantizationType.Q4_0)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Path:
    return write(folder / "full.gguf", FAMILIES["llama-kv1"], GGMLQuantizationType.F32)


@pytest.fixture(scope="module")
def whole(folder: Path, model: Path, reference: Path, made_up_data: Path) -> tuple[Record, Path]:
    """A receipt with a reference, and its folder. Nothing may change it."""
    asked = Asked(share=SHARE, data=made_up_data)
    return make(model, against=reference, asked=asked, folder=folder / "whole")


@pytest.fixture(scope="module")
def bare(folder: Path, model: Path) -> tuple[Record, Path]:
    """A receipt without questions and reference."""
    return make(model, asked=Asked(share=0), folder=folder / "bare")


def measured(record: Record) -> Record:
    """What of a receipt is the model's own: the same everywhere, always."""
    other = {"made", "sha256", "speed", "machine"}
    return {key: value for key, value in record.items() if key not in other}


def rewritten(record: Record, folder: Path) -> Path:
    """The receipt of somebody who knows how the hash is made."""
    record["sha256"] = receipt_file.digest(record)
    return receipt_file.write(folder, record)


def wrong(findings: Iterator[Finding]) -> list[str]:
    return [f"{one.what}: {one.detail}" for one in findings if one.agrees is False]


def test_it_says_what_was_measured(whole: tuple[Record, Path], model: Path) -> None:
    record, folder = whole
    assert receipt_file.read(folder) == record
    file = record["model"]
    assert (file["file"], file["bytes"]) == ("model.gguf", model.stat().st_size)
    assert file["types"]["Q4_0"]["tensors"] == 15
    assert record["settings"]["activation_bits"] == 16
    assert record["program"]["version"] == qingyu.__version__
    for one in ("zh", "en"):
        text = record["texts"][one]
        assert len(text["passages"]) == 10
        assert text["num_scored"] == sum(row["scored"] for row in text["passages"])
    for name, count in (("ceval", 89), ("cmmlu", 612)):
        exam = record["exams"][name]
        assert len(exam["answers"]) == exam["exam"]["questions"] == count
        assert not exam["complete"]
        comparison = record["reference"]["exams"][name]["comparison"]
        assert comparison["count"] == count
        assert comparison["flips"] > 0
    divergence = record["reference"]["divergence"]["all"]
    assert 0 < divergence["median"] < divergence["p99"] < divergence["most"]
    assert record["speed"]["decode_tokens_per_second"] > 0
    assert record["machine"]["logical_cores"] >= 1


def test_results_are_the_same_for_any_threads(
    whole: tuple[Record, Path], model: Path, reference: Path, made_up_data: Path, tmp_path: Path
) -> None:
    asked = Asked(share=SHARE, data=made_up_data)
    again, _ = make(model, against=reference, asked=asked, folder=tmp_path, threads=1)
    assert measured(again) == measured(whole[0])


def test_a_run_that_was_stopped_goes_on(
    whole: tuple[Record, Path], model: Path, reference: Path, made_up_data: Path, tmp_path: Path
) -> None:
    stops = [("C-Eval", 40), ("CMMLU", 300), ("full.gguf", 50)]
    titles: list[tuple[str, int]] = []
    goal: tuple[str, int] | None = None

    @contextmanager
    def counting(title: str, unit: str) -> Iterator[Progress]:
        first: list[int] = []

        def count(done: int, total: int, right: int) -> None:
            if not first:
                first.append(done)
                titles.append((title, done))
            if goal and goal[0] in title and done >= goal[1]:
                raise KeyboardInterrupt

        yield count

    asked = Asked(share=SHARE, data=made_up_data)
    watcher = Watcher(counting=counting)
    for stop in stops:
        goal = stop
        with pytest.raises(KeyboardInterrupt):
            make(model, against=reference, asked=asked, folder=tmp_path, watcher=watcher)
    goal = None
    titles.clear()
    record, _ = make(model, against=reference, asked=asked, folder=tmp_path, watcher=watcher)
    assert measured(record) == measured(whole[0])
    assert dict(titles)["CMMLU · model.gguf"] == 612
    assert dict(titles)["C-Eval · full.gguf"] >= 50


def test_without_data_it_says_so(model: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    record, folder = make(
        model, asked=Asked(data=tmp_path), folder=tmp_path, watcher=Watcher(note=notes.append)
    )
    assert record["exams"]["ceval"] == {"asked": False, "why": "no data"}
    assert "qingyu pull ceval" in notes[0]
    page = (folder / receipt_page.PAGE).read_text(encoding="utf-8")
    assert "not asked: no questions here" in page
    assert wrong(check(folder, model=model)) == []


def test_guessing_is_called_guessing(whole: tuple[Record, Path]) -> None:
    record, folder = whole
    assert not record["exams"]["cmmlu"]["scores"]["beats_guessing"]
    page = (folder / receipt_page.PAGE).read_text(encoding="utf-8")
    assert page.count('<dd class="value">not distinguishable from guessing</dd>') >= 1
    assert "612 of 11,582 questions" in page
    assert any("not distinguishable from guessing" in line for line in receipt_page.lines(record))


def test_a_sample_s_error_is_that_of_few_questions(whole: tuple[Record, Path]) -> None:
    exam = whole[0]["exams"]["cmmlu"]
    variance = 0.0
    for tally in exam["scores"]["subjects"].values():
        share = tally["correct"] / tally["count"]
        variance += share * (1 - share) / (tally["count"] - 1)
    assert exam["scores"]["standard_error"] == pytest.approx(100 * variance**0.5 / 67, abs=1e-4)


def test_the_page_is_self_contained_and_obeys_nobody(
    whole: tuple[Record, Path], chinese: None
) -> None:
    record = copy.deepcopy(whole[0])
    record["model"]["file"] = "<script>alert(1)</script>\x1b[2J\u202e"
    page = receipt_page.page(record)
    assert "收据" in page
    assert "与猜测无法区分" in page
    assert '<html lang="zh">' in page
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_in_a_browser(whole: tuple[Record, Path], tmp_path: Path, language: str) -> None:
    languages.use(language)
    path = receipt_page.write_page(tmp_path, whole[0])
    with launched() as browser:
        for width, scheme in ((1200, "light"), (360, "dark")):
            context = browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            tab = context.new_page()
            seen: list[str] = []
            tab.on("request", lambda request, seen=seen: seen.append(request.url))
            tab.on("console", lambda message, seen=seen: seen.append(message.text))
            tab.goto(path.as_uri())
            assert seen == [path.as_uri()]
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert faint_text(tab) == []
            assert broken_markup(tab) == []
            context.close()


@pytest.mark.parametrize(
    ("other", "message"), [("model", "the same file"), ("llama-head128", "same vocabulary")]
)
def test_a_reference_that_cannot_be(model: Path, tmp_path: Path, other: str, message: str) -> None:
    against = model
    if other != "model":
        against = write(tmp_path / "other.gguf", FAMILIES[other], GGMLQuantizationType.Q8_0)
    with pytest.raises(InvalidRequestError, match=message):
        make(model, against=against, asked=Asked(share=0), folder=tmp_path)


# Checking.


@pytest.mark.parametrize("seed", range(3))
def test_a_true_receipt_agrees(
    whole: tuple[Record, Path], model: Path, reference: Path, made_up_data: Path, seed: int
) -> None:
    findings = list(
        check(whole[1], model=model, against=reference, data=made_up_data, threads=1, seed=seed)
    )
    assert [one for one in findings if one.agrees is not True] == []
    assert len(findings) == 15
    assert verdict(findings)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*path, key))
    else:
        yield path


def test_every_change_is_seen(bare: tuple[Record, Path], tmp_path: Path) -> None:
    text = (bare[1] / "receipt.json").read_text()
    path = tmp_path / "receipt.json"
    for place in leaves(json.loads(text)):
        record = json.loads(text)
        holder = record
        for key in place[:-1]:
            holder = holder[key]
        value = holder[place[-1]]
        changed = value + 1e-9 * max(1, abs(value)) if isinstance(value, float) else None
        holder[place[-1]] = f"{value}x" if changed is None else changed
        path.write_text(json.dumps(record))
        with pytest.raises(JournalError):
            receipt_file.read(path)
    # Another layout of the same values is no change.
    path.write_text(json.dumps(json.loads(text), sort_keys=True))
    assert receipt_file.read(path) == bare[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no receipt"),
        (b"[]", "no receipt"),
        (b'{"kind": "evaluation"}', "no receipt"),
        (b"\xff\xfe", "no receipt"),
        (b'{"kind": "receipt", "a": NaN}', "NaN"),
        (b'{"kind": "receipt", "a": 1, "a": 2}', "twice"),
        (b"[" * 100_000, "no receipt"),
        (b'{"kind": "receipt", "sha256": "0"}', "was changed"),
    ],
)
def test_what_is_no_receipt_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "receipt.json").write_bytes(content)
    with pytest.raises(JournalError, match=message):
        list(check(tmp_path))
    with pytest.raises(JournalError, match="No such file"):
        list(check(tmp_path / "missing.json"))


def test_a_hash_alone_makes_no_receipt(tmp_path: Path, model: Path) -> None:
    for record in ({}, {"model": 3}, {"texts": {}, "exams": []}):
        receipt_file.write(tmp_path, receipt_file.sealed(record))
        with pytest.raises(JournalError, match="no receipt"):
            list(check(tmp_path, model=model))
    receipt_file.write(tmp_path, receipt_file.sealed({"format": 99, "program": {"version": "9"}}))
    with pytest.raises(JournalError, match=r"format 99.*version 9"):
        list(check(tmp_path, model=model))


def test_numbers_that_contradict_each_other(
    whole: tuple[Record, Path], model: Path, tmp_path: Path
) -> None:
    def praised(record: Record) -> None:
        record["exams"]["ceval"]["scores"]["macro"] = 60.2

    def corrected(record: Record) -> None:
        row = next(row for row in record["exams"]["cmmlu"]["answers"] if row[2] != row[3])
        row[2] = row[3]

    def smoother(record: Record) -> None:
        record["texts"]["zh"]["perplexity"] *= 0.99

    def nearer(record: Record) -> None:
        record["reference"]["divergence"]["en"]["mean"] *= 0.5

    def calmer(record: Record) -> None:
        record["reference"]["exams"]["ceval"]["comparison"]["flips"] -= 1

    for lie, where in (
        (praised, "ceval macro"),
        (corrected, "cmmlu"),
        (smoother, "zh perplexity"),
        (nearer, "divergence en mean"),
        (calmer, "ceval comparison flips"),
    ):
        record = copy.deepcopy(whole[0])
        lie(record)
        rewritten(record, tmp_path)
        findings = check(tmp_path, model=model, data=tmp_path)
        assert where in wrong(findings)[0], lie


def test_numbers_that_are_not_the_model_s(
    whole: tuple[Record, Path], model: Path, reference: Path, made_up_data: Path, tmp_path: Path
) -> None:
    record = copy.deepcopy(whole[0])
    for text in record["texts"].values():
        for row in text["passages"]:
            row["loss"] *= 0.999
            row["first"][3] *= 0.999
    for exam in record["exams"].values():
        for row in exam["answers"]:
            row[4] = [value - 1e-7 for value in row[4]]
    for part in (record["reference"]["divergence"][one] for one in texts.LANGUAGES):
        for row in part["passages"]:
            row["agreed"] += 1
    rewritten(record, tmp_path)
    found = wrong(check(tmp_path, model=model, against=reference, data=made_up_data))
    named = [one.split(":")[0] for one in found]
    assert named[1:] == ["text zh", "text en", "C-Eval", "CMMLU", "divergence zh", "divergence en"]
    assert "from token 4" in found[1]


def test_another_model_or_other_questions(
    whole: tuple[Record, Path], model: Path, reference: Path, evaluation_key: Path, tmp_path: Path
) -> None:
    findings = list(check(whole[1], model=reference))
    assert "the receipt is of" in wrong(iter(findings))[0]
    assert findings[-1].what == "model file"  # nothing is measured on the wrong file
    found = wrong(check(whole[1], model=model, data=evaluation_key))
    assert [one.split(":")[0] for one in found] == ["C-Eval"]
    assert "data_sha256" in found[0]


@pytest.fixture
def evaluation_key(made_up_data: Path, tmp_path: Path) -> Path:
    """The made-up questions with another text of one of them; only of C-Eval."""
    import shutil

    data = tmp_path / "data"
    shutil.copytree(made_up_data / "ceval", data / "ceval")
    for path in (data / "ceval" / "val").iterdir():
        path.write_text(path.read_text().replace("是多少", "得多少"))
    return data


def test_another_version_says_so_and_may_round(
    whole: tuple[Record, Path], model: Path, made_up_data: Path, tmp_path: Path
) -> None:
    record = copy.deepcopy(whole[0])
    record["program"]["version"] = "0.0.1"
    for exam in record["exams"].values():
        for row in exam["answers"]:
            row[4] = [value - 1e-3 for value in row[4]]
    rewritten(record, tmp_path)
    findings = list(check(tmp_path, model=model, data=made_up_data))
    assert verdict(findings)
    program = next(one for one in findings if one.what == "program")
    assert program.agrees is None
    assert f"qingyu 0.0.1 → {qingyu.__version__}" in program.detail
    assert any("at most 0.001 apart" in one.detail for one in findings)


def test_what_is_not_here_is_not_checked(
    whole: tuple[Record, Path], model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelNotFoundError, match="name the file"):
        list(check(whole[1]))
    findings = list(check(whole[1], model=model, data=tmp_path))
    assert [one.what for one in findings if one.agrees is None] == ["C-Eval", "CMMLU", "reference"]
    assert verdict(findings)


def test_what_is_drawn_differs(bare: tuple[Record, Path], model: Path) -> None:
    drawn = {
        tuple(one.detail for one in check(bare[1], model=model, seed=seed)) for seed in range(4)
    }
    assert len(drawn) == 4
    assert receipt_check.QUESTIONS == 20


@pytest.mark.model
def test_the_default_model_s_receipt(
    evaluation_data: Path, default_model_path: Path, tmp_path: Path
) -> None:
    asked = Asked(share=0.02, data=evaluation_data)
    record, folder = make(default_model_path, asked=asked, folder=tmp_path)
    # The same bits on every processor, so the same numbers.
    assert record["texts"]["zh"]["perplexity"] == pytest.approx(14.924899448, rel=1e-9)
    assert record["texts"]["en"]["perplexity"] == pytest.approx(28.145867924, rel=1e-9)
    assert [len(exam["answers"]) for exam in record["exams"].values()] == [53, 269]
    assert "ot distinguishable from guessing" in (folder / receipt_page.PAGE).read_text()
    findings = list(check(folder, model=default_model_path, data=evaluation_data, threads=1))
    assert [one for one in findings if one.agrees is not True] == []
