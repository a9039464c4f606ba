"""Runs that stop at any point and go on."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qingyu.errors import DiskSpaceError, InvalidRequestError, TrainingError
from qingyu.make import whole_files
from qingyu.make.training import guard
from qingyu.make.training.run_folder import RunFolder
from qingyu.make.training.trainer import Progress, train
from tests.make.training.made import made_config, made_data

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    made_data(folder)
    return folder


@pytest.fixture(scope="module")
def whole(data: Path) -> Path:
    """A run of 12 steps that nothing interrupted."""
    import torch

    torch.set_num_threads(1)
    return train(made_config(data, run=str(data / "whole"))).folder


class KilledError(Exception):
    pass


def stop_at(step: int):
    def report(progress: Progress) -> None:
        if progress.step == step:
            raise KilledError

    return report


def same_weights(one: Path, two: Path) -> bool:
    return all(
        (one / "checkpoints" / "step-00000012" / name).read_bytes()
        == (two / "checkpoints" / "step-00000012" / name).read_bytes()
        for name in ("model.safetensors", "optimizer.safetensors")
    )


def losses(run: Path) -> list[tuple[int, float]]:
    return [(one["step"], one["loss"]) for one in RunFolder(run).metrics() if "loss" in one]


@pytest.mark.parametrize("step", [3, 5, 11])
def test_a_run_that_goes_on_has_the_same_weights(
    data: Path, whole: Path, tmp_path: Path, step: int
) -> None:
    config = made_config(data, run=str(tmp_path / "run"))
    with pytest.raises(KilledError):
        train(config, report=stop_at(step))
    said: list[str] = []
    train(config, resume=True, notice=said.append)
    begun = step // 5 * 5
    assert said[0].startswith(
        f"going on at step {begun} of 12" if begun else "there is no checkpoint yet"
    )
    assert same_weights(tmp_path / "run", whole)
    assert losses(tmp_path / "run") == losses(whole)


def test_killed_for_real(data: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from tests.make.training.made import made_config\n"
        "from qingyu.make.training.trainer import train\n"
        f"train(made_config(Path({str(data)!r}), run={str(run)!r}))\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    deadline = time.monotonic() + 120
    while len(losses(run)) < 7 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    begun = run / "checkpoints" / ".step-00000010.1-abc"
    begun.mkdir(parents=True)  # what a kill while writing leaves
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    train(made_config(data, run=str(run)), resume=True)
    assert same_weights(run, whole)
    assert losses(run) == losses(whole)
    assert not begun.exists()


def test_last_and_best_are_kept(whole: Path) -> None:
    checkpoints = whole / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == [
        "best", "last", "step-00000010", "step-00000012",
    ]  # fmt: skip
    assert (checkpoints / "last").read_text().strip() == "step-00000012"
    state = json.loads((checkpoints / "step-00000012" / "state.json").read_text())
    assert state["step"] == 12
    assert state["held_out_loss"] > 0
    assert (whole / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_the_best_survives(data: Path, tmp_path: Path) -> None:
    """A rate far too high: later checkpoints are worse, and the first stays."""
    config = made_config(
        data, run=str(tmp_path / "run"), steps=6, checkpoints__every=1, checkpoints__keep=1,
        optimizer__learning_rate=0.5, schedule__warmup_steps=0, guard__spike=0.0,
    )  # fmt: skip
    train(config)
    checkpoints = tmp_path / "run" / "checkpoints"
    found = {
        path.parent.name: json.loads(path.read_text())["held_out_loss"]
        for path in checkpoints.glob("step-*/state.json")
    }
    best = (checkpoints / "best").read_text().strip()
    assert len(found) <= 2
    assert best in found
    assert found[best] == min(found.values())
    measured = [
        one["held_out_loss"]
        for one in RunFolder(tmp_path / "run").metrics()
        if "held_out_loss" in one
    ]
    assert min(measured) == found[best]


def test_a_damaged_checkpoint_is_passed_over(data: Path, whole: Path, tmp_path: Path) -> None:
    config = made_config(data, run=str(tmp_path / "run"))
    with pytest.raises(KilledError):
        train(config, report=stop_at(11))
    file = tmp_path / "run" / "checkpoints" / "step-00000010" / "optimizer.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-5] ^= 1
    file.write_bytes(raw)
    said: list[str] = []
    train(config, resume=True, notice=said.append)
    assert "step-00000010 is damaged (optimizer.safetensors) and passed over" in said[0]
    assert said[1] == "going on at step 5 of 12"
    assert same_weights(tmp_path / "run", whole)


def test_a_full_disk_loses_nothing(data: Path, whole: Path, tmp_path: Path) -> None:
    """The system itself refuses to write more than a megabyte into a file."""
    config = made_config(data, run=str(tmp_path / "run"))
    with pytest.raises(KilledError):
        train(config, report=stop_at(6))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(InvalidRequestError, match=r"File too large.*Earlier checkpoints are"):
            train(config, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    checkpoints = tmp_path / "run" / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["best", "last", "step-00000005"]
    train(config, resume=True)
    assert same_weights(tmp_path / "run", whole)


def test_metrics_that_cannot_be_written(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = made_config(data, run=str(tmp_path / "run"))
    record = RunFolder.record

    def full(self: RunFolder, line: dict[str, object]) -> None:
        if line["step"] == 7:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.jsonl")
        record(self, line)

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "record", full)
        with pytest.raises(TrainingError, match=r"write metrics\.jsonl: No space left.*--resume"):
            train(config)
    train(config, resume=True)
    assert same_weights(tmp_path / "run", whole)


def test_no_room_is_known_before(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        whole_files.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})
    )
    with pytest.raises(DiskSpaceError, match=r"needs 13,\d+,\d+ bytes and 1,000 are free"):
        train(made_config(data, run=str(tmp_path / "run")))


def test_not_a_number_stops_before_the_update(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, at={8})
    config = made_config(data, run=str(tmp_path / "run"))
    with pytest.raises(TrainingError, match=r"step 8: the loss is nan.*step-00000005.*--resume"):
        train(config)


def broken(monkeypatch: pytest.MonkeyPatch, at: set[int]) -> None:
    """The loss of those calls is not a number."""
    calls = 0
    look = guard.Guard.look

    def spoiled(self: guard.Guard, loss: float, norm: float) -> str | None:
        nonlocal calls
        calls += 1
        return look(self, float("nan") if calls in at else loss, norm)

    monkeypatch.setattr(guard.Guard, "look", spoiled)


def test_roll_back_and_leave_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, at={8})
    config = made_config(data, run=str(tmp_path / "run"), guard__action="rollback")
    said: list[str] = []
    outcome = train(config, notice=said.append)
    assert said == [
        "step 8: the loss is nan. Back to step 5, leaving out the data since (rollback 1 of 3)"
    ]
    assert outcome.steps == 12
    assert [step for step, _ in losses(tmp_path / "run")] == list(range(1, 13))
    state = json.loads((outcome.checkpoint / "state.json").read_text())
    assert state["guard"]["rollbacks"] == 1
    assert state["data"]["row"] == 4 * (12 + 3)


def test_rolling_back_has_an_end(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, at=set(range(3, 99)))
    config = made_config(data, run=str(tmp_path / "run"), guard__action="rollback")
    with pytest.raises(TrainingError, match="stopped after 3 rollbacks"):
        train(config)


def test_what_may_change_and_what_may_not(data: Path, tmp_path: Path) -> None:
    config = made_config(data, run=str(tmp_path / "run"), steps=2, schedule__warmup_steps=0)
    with pytest.raises(TrainingError, match="holds no run to go on with"):
        train(config, resume=True)
    train(config)
    with pytest.raises(TrainingError, match="holds a run; go on with it by --resume"):
        train(config)
    with pytest.raises(TrainingError, match="begun with seed 0, and now it is 1"):
        train(dataclasses.replace(config, seed=1), resume=True)
    said: list[str] = []
    outcome = train(dataclasses.replace(config, steps=3), resume=True, notice=said.append)
    assert outcome.steps == 3
    assert said[0] == "changed since: steps 2 → 3"
