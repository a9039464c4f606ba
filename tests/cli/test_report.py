"""qingyu report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.scripted import Run
from tests.prove.made_results import made


def test_a_report_of_two_results(cli: Run, tmp_path: Path) -> None:
    made("first", skill=0.5, subjects=3).write(tmp_path / "a")
    second = made("second", skill=0.0, seed=3, subjects=3, unparsed=2).write(tmp_path / "b")
    out = tmp_path / "made" / "here"
    outcome = cli("report", str(tmp_path / "a"), str(second), "--out", str(out))
    assert outcome.code == 0, outcome.err
    assert "first (C-Eval val, 5-shot, official, logits): " in outcome.out
    assert "second (C-Eval val, 5-shot, official, logits): not distinguishable" in outcome.out
    assert "  no letter could be read in 2 of 59 answers; they count as wrong" in outcome.out
    assert f"wrote 14 files to {out}; open {out / 'report.html'}" in outcome.err
    assert (out / "ceval-differences.png").stat().st_size > 1000


def test_the_report_speaks_the_language_asked_for(cli: Run, tmp_path: Path) -> None:
    made("模型", skill=0.0).write(tmp_path)
    outcome = cli("report", "--lang", "zh", str(tmp_path), "--out", str(tmp_path / "out"))
    assert outcome.code == 0, outcome.err
    assert "与猜测无法区分" in outcome.out
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in page
    assert "计算机网络" in page


def test_what_is_no_result_is_refused(cli: Run, tmp_path: Path) -> None:
    outcome = cli("report", str(tmp_path))
    assert outcome.code == 1
    assert "result.json: No such file" in outcome.err
    (tmp_path / "result.json").write_text("{}")
    outcome = cli("report", str(tmp_path))
    assert outcome.code == 1
    assert "is no result of qingyu eval" in outcome.err
    assert cli("report").code == 2


@pytest.mark.parametrize("statement", ["import qingyu.cli.main", "import qingyu.prove.pairs"])
def test_matplotlib_is_loaded_only_to_draw(statement: str) -> None:
    code = f"{statement}; import sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
