"""qingyu receipt, on a small random model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType

from prove.conftest import made_up_data  # noqa: F401  (a fixture)
from qingyu.cli.progress import _question_lines
from qingyu.cli.receipt import _share
from qingyu.errors import InvalidRequestError
from qingyu.prove import receipt_file
from reference.random_models import FAMILIES, write
from tests.cli.scripted import Run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "Model One.gguf"
    return write(path, FAMILIES["llama-kv1"], GGMLQuantizationType.Q4_0)


def test_a_receipt_is_made_and_checked(
    cli: Run,
    model: Path,
    made_up_data: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    reference = write(tmp_path / "full.gguf", FAMILIES["llama-kv1"], GGMLQuantizationType.F16)
    options = ["--against", str(reference), "--data", str(made_up_data)]
    made = cli("receipt", str(model), *options, "--sample", "2%")
    assert made.code == 0, made.err
    (folder,) = (tmp_path / "receipts").iterdir()
    assert folder.name.startswith("model-one-")
    assert "Model One.gguf · " in made.out
    assert "C-Eval: " in made.out
    assert "Divergence from the reference: " in made.out
    assert f"open {folder.relative_to(tmp_path)}/receipt.html" in made.err
    assert (folder / "receipt.html").read_text().startswith("<!DOCTYPE html>")
    checked = cli("receipt", "--check", str(folder / "receipt.json"), str(model), *options)
    assert checked.code == 0, checked.out + checked.err
    assert "agrees       C-Eval: 20 of 53 questions: the same choices" in checked.out
    assert checked.out.endswith("The receipt agrees with the model.\n")
    chinese = cli("--lang", "zh", "receipt", "--check", str(folder), str(model))
    assert "未核对  参照" in chinese.out
    assert "收据与模型相符。" in chinese.out


def test_a_false_receipt_ends_with_1(cli: Run, model: Path, tmp_path: Path) -> None:
    arguments = ["receipt", str(model), "--sample", "none", "--out", str(tmp_path), "--json"]
    printed = json.loads(cli(*arguments).out)
    record = receipt_file.read(tmp_path)
    assert printed["sha256"] == record["sha256"]
    assert printed["folder"] == str(tmp_path)
    text = (tmp_path / "receipt.json").read_text()
    (tmp_path / "receipt.json").write_text(text.replace('"zh"', '"xx"'))
    changed = cli("receipt", "--check", str(tmp_path), str(model))
    assert changed.code == 1
    assert "was changed" in changed.err
    for row in record["texts"]["zh"]["passages"]:
        row["first"][0] += 0.5
    record["sha256"] = receipt_file.digest(record)
    receipt_file.write(tmp_path, record)
    forged = cli("receipt", "--check", str(tmp_path), str(model))
    assert forged.code == 1
    assert "DISAGREES    text zh" in forged.out
    assert "The receipt disagrees with the model." in forged.out
    as_json = cli("receipt", "--check", str(tmp_path), str(model), "--json")
    assert as_json.code == 1
    assert json.loads(as_json.out)["agrees"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--sample", "half"], 1, "20%, full, or none"),
        (["--shots", "6"], 2, "shots"),
        (["--check", "x.json", "--out", "y"], 2, "--out has no effect"),
        (["--check", "x.json", "--sample", "full"], 2, "--sample has no effect"),
        (["--check", "x.json"], 1, "No such file"),
    ],
)
def test_what_cannot_be(
    cli: Run, model: Path, arguments: list[str], code: int, message: str
) -> None:
    outcome = cli("receipt", str(model), *arguments)
    assert outcome.code == code
    assert message in outcome.err


def test_shares() -> None:
    assert [_share(one) for one in ("full", "none", "100%", "20%", "0.5%")] == [1, 0, 1, 0.2, 0.005]
    for bad in ("", "20", "0%", "101%", "-5%", "nan%", "all"):
        with pytest.raises(InvalidRequestError, match="--sample"):
            _share(bad)


def test_lines_of_progress_count_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    report = _question_lines("texts", clock=lambda: now[0], unit="tokens")
    report(10, 100, 0)
    now[0] = 10.0
    report(60, 100, 0)
    assert capsys.readouterr().err == "texts: 60 / 100, 5.0 tokens/s\n"
