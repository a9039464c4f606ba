"""Recipes in TOML, --set, schedules, and the picture of the loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.errors import InvalidRequestError
from qingyu.make.training import curve
from qingyu.make.training.guard import Guard, GuardConfig
from qingyu.make.training.recipe import changes, read_recipe
from qingyu.make.training.schedule import ScheduleConfig, share_at

RECIPE = """
kind = "tuning"
run = "runs/a"
steps = 100
[start]
model = "default"
[data]
train = "shards"
[optimizer]
learning_rate = 1e-3
[lora]
rank = 8
targets = ["q_proj", "v_proj"]
"""


def recipe(folder: Path, text: str = RECIPE) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_is_read(tmp_path: Path) -> None:
    sets = ["steps=7", "schedule.shape=wsd", "optimizer.clip=1", 'lora.targets=["o_proj"]']
    config = read_recipe(recipe(tmp_path), sets)
    assert config.steps == 7
    assert config.start.model == "default"
    assert config.optimizer.learning_rate == 1e-3
    assert config.optimizer.clip == 1.0
    assert config.schedule.shape == "wsd"
    assert config.lora is not None
    assert config.lora.rank == 8
    assert config.lora.targets == ("o_proj",)
    assert config.teacher is None
    assert changes(read_recipe(recipe(tmp_path)), config) == {
        "steps": (100, 7),
        "schedule.shape": ("cosine", "wsd"),
        "lora.targets": (("q_proj", "v_proj"), ("o_proj",)),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stpes=1", r"unknown key stpes; did you mean steps\?"),
        ("optimizer.learning_rat=1", r"unknown key optimizer.learning_rat; did you mean opt"),
        ("colour=1", r"unknown key colour; known are kind, run"),
        ("steps=0", "steps is 0; at least 1"),
        ("steps=1.5", "steps in the recipe is 1.5, not integer"),
        ("steps", "--set takes KEY=VALUE"),
        ("steps.a=1", "steps in the recipe is no table"),
        ("kind=magic", 'kind is "magic"; it can be pretraining, tuning, distillation'),
        ("kind=distillation", "distillation has a teacher"),
        ("start.fresh=1m", "start takes one of fresh, model and run; there is fresh, model"),
        ("lora.targets=['x']", 'lora.targets is "x"'),
        ("schedule.final_share=2", "schedule.final_share is 2.0; it must be 0.0 to 1.0"),
        ("schedule.warmup_steps=101", "schedule.warmup_steps 101 is more than steps 100"),
        ("precision=int8", "precision"),
        ("data=1", "data in the recipe is not a table"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        read_recipe(recipe(tmp_path), [change])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="the recipe lacks run"):
        read_recipe(recipe(tmp_path, "steps = 1"))
    with pytest.raises(InvalidRequestError, match=r"the recipe lacks data\.train"):
        read_recipe(recipe(tmp_path, 'run="a"\nsteps=1\n[start]\nfresh="1m"\n[data]'))
    with pytest.raises(InvalidRequestError, match="is not TOML"):
        read_recipe(recipe(tmp_path, "steps ="))
    with pytest.raises(InvalidRequestError, match="cannot read"):
        read_recipe(tmp_path / "none.toml")


def test_schedules() -> None:
    cosine = ScheduleConfig(shape="cosine", warmup_steps=10, final_share=0.1)
    shares = [share_at(cosine, step=step, steps=100) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == shares[10] == 1.0
    assert shares[55] == pytest.approx(0.55, abs=0.02)
    assert shares[99] == pytest.approx(0.1, abs=0.01)
    assert shares[10:] == sorted(shares[10:], reverse=True)
    wsd = ScheduleConfig(shape="wsd", warmup_steps=10, decay_share=0.2, final_share=0.0)
    shares = [share_at(wsd, step=step, steps=100) for step in range(100)]
    assert set(shares[9:81]) == {1.0}
    assert shares[90] == pytest.approx(1 - 0.5**0.5)
    assert 0 < shares[99] < 0.05
    constant = ScheduleConfig(shape="constant")
    assert {share_at(constant, step=step, steps=5) for step in range(5)} == {1.0}


def test_a_spike_is_seen_and_the_memory_saved() -> None:
    guard = Guard(GuardConfig(spike=1.0))
    for _ in range(10):
        assert guard.look(3.0, 1.0) is None
    assert guard.look(4.5, 1.0) is None  # too early to know what is usual
    guard = Guard(GuardConfig(spike=1.0), guard.state())
    for _ in range(10):
        assert guard.look(3.0, 1.0) is None
    assert guard.look(4.5, 1.0) == "the loss jumped to 4.500 from 3.000 (guard.spike is 1)"
    assert guard.look(3.5, float("inf")) == "the gradient's norm is inf"
    assert Guard(GuardConfig(spike=0.0), guard.state()).look(99.0, 1.0) is None


def test_the_curve(tmp_path: Path) -> None:
    metrics = [{"step": step, "loss": 8 - step / 20} for step in range(1, 101)]
    metrics.insert(50, {"step": 50, "held_out_loss": 5.6})
    text = curve.as_text(metrics, width=20, height=3)
    lines = text.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("   7.85 ┤█")
    assert lines[2].startswith("   3.10 ┤█")
    assert lines[4].strip() == "loss, steps 5 to 100"
    assert curve.as_text(metrics[:1]) == ""
    path = tmp_path / "loss.png"
    curve.write_png(metrics, path, title="轻语: pretraining")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < 60_000
    assert list(tmp_path.iterdir()) == [path]
