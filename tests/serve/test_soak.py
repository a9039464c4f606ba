"""The soak of `benchmarks/soak.py`: that it would notice, and half a minute of it."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KINDS = {
    *(f"{kind} 200" for kind in ("short", "stream", "schema", "tool", "long", "n=3")),
    "bad 400",
    "left in mid-stream",
}
Rise = Callable[[list[tuple[float, int]], float], float]


@pytest.fixture
def rise(monkeypatch: pytest.MonkeyPatch) -> Rise:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    found: Rise = importlib.import_module("soak").rise
    return found


def test_a_leak_rises_and_warming_up_does_not(rise: Rise) -> None:
    megabyte = 1_000_000
    still = [(float(at), 500 * megabyte) for at in range(100)]
    leaking = [(float(at), (500 + at) * megabyte) for at in range(100)]
    warming = [(float(at), min(500, 100 + 40 * at) * megabyte) for at in range(100)]
    assert rise(still, 10) == 0
    assert rise(leaking, 10) == pytest.approx(89 / 554.5)
    assert rise(warming, 10) == 0
    assert rise(warming, 0) > 0.02


@pytest.mark.slow
@pytest.mark.model
def test_half_a_minute_of_everything(default_model_path: Path, tmp_path: Path) -> None:
    output = tmp_path / "soak.json"
    command = [sys.executable, str(BENCHMARKS / "soak.py"), "--minutes", "0.5"]
    command += ["--model", str(default_model_path), "--json", str(output)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    results = json.loads(output.read_text())
    assert results["failures"] == []
    assert results["stuck"] == 0
    assert set(results["requests"]) >= KINDS
