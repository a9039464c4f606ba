"""Kinds of training and of starting points, each a run of seconds that ends in the engine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import qingyu
from qingyu.errors import DataError, InvalidRequestError, TrainingError
from qingyu.make.export import export_run
from qingyu.make.family import build, find
from qingyu.make.shards import Shards
from qingyu.make.training.batches import BatchConfig, DataConfig, RowStream
from qingyu.make.training.checkpoints import best_checkpoint
from qingyu.make.training.config import TrainingConfig
from qingyu.make.training.start import StartConfig, filled, open_start
from qingyu.make.training.teacher import Teacher, TeacherConfig
from qingyu.make.training.trainer import Outcome, train
from tests.make.training.made import made_config, made_data, made_tokenizer, sentences


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a trained run, and its file base.gguf."""
    folder = tmp_path_factory.mktemp("base")
    made_data(folder)
    torch.set_num_threads(1)
    outcome = train(made_config(folder, steps=60, checkpoints__every=0))
    assert outcome.held_out_loss is not None
    assert outcome.held_out_loss < 1.5
    export_run(folder / "run", folder / "base.gguf", "bf16")
    return folder


@pytest.fixture
def answers(base: Path, tmp_path: Path) -> Path:
    """Data in which only the second half of each document is to be learned."""
    made_data(tmp_path, has_loss=True)
    return tmp_path


def test_the_engine_finds_what_was_learned_as_likely(base: Path) -> None:
    text = sentences(1, seed=1)[0]
    with qingyu.load(str(base / "base.gguf"), context=64, threads=1) as model:
        assert model.perplexity(text).mean_loss < 2.0


def test_start_from_a_model_keeps_its_weights(base: Path) -> None:
    start = open_start(StartConfig(model=str(base / "base.gguf")), tokenizer=None, seed=0)
    trained = load_file(base / "run" / "checkpoints" / "step-00000060" / "model.safetensors")
    weights = dict(start.load().named_parameters())
    assert set(weights) == set(trained)
    for name, one in weights.items():
        kept = trained[name].bfloat16().float() if one.ndim > 1 else trained[name]
        assert torch.equal(one, kept), name
        assert one.requires_grad
    assert start.tokenizer.sha256 == made_tokenizer(base).sha256


def test_start_from_a_run(base: Path, tmp_path: Path) -> None:
    config = made_config(
        base, run=str(tmp_path / "run"), steps=1, start={"run": str(base / "run")},
        data__tokenizer=None, schedule__warmup_steps=0, optimizer__learning_rate=1e-9,
    )  # fmt: skip
    outcome = train(config)
    assert outcome.loss is not None
    assert outcome.loss < 1.5


# peft asks transformers by a name that it will drop.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_learns_beside_a_frozen_base(base: Path, answers: Path) -> None:
    config = made_config(
        answers, kind="tuning", start={"model": str(base / "base.gguf")}, data__tokenizer=None,
        lora={"rank": 4, "dropout": 0.1}, steps=8,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        train(config, report=lambda one: stop() if one.step == 7 else None)
    outcome = train(config, resume=True)
    assert sorted(path.name for path in outcome.checkpoint.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors", "state.json",
    ]  # fmt: skip
    # The same without a stop: dropout's random numbers are part of a checkpoint.
    other = train(made_config(
        answers, kind="tuning", start={"model": str(base / "base.gguf")}, data__tokenizer=None,
        lora={"rank": 4, "dropout": 0.1}, steps=8, run=str(answers / "other"),
    ))  # fmt: skip
    name = "adapter_model.safetensors"
    assert (outcome.checkpoint / name).read_bytes() == (other.checkpoint / name).read_bytes()
    # peft itself reads it, and finds all of it.
    from peft import PeftModel

    start = open_start(StartConfig(model=str(base / "base.gguf")), tokenizer=None, seed=0)
    model = PeftModel.from_pretrained(start.load(), outcome.checkpoint)
    saved = load_file(outcome.checkpoint / name)
    inside = {
        name.replace(".default", ""): one
        for name, one in model.named_parameters()
        if "lora_" in name
    }
    assert set(inside) == set(saved)
    assert all(torch.equal(inside[name], saved[name]) for name in saved)
    assert any(one.abs().max() > 0 for name, one in saved.items() if "lora_B" in name)
    # The engine runs the two merged, and is about as surprised as training was.
    export_run(outcome.folder, answers / "merged.gguf", "bf16")
    with qingyu.load(str(answers / "merged.gguf"), context=64, threads=1) as merged:
        assert merged.perplexity(sentences(1, seed=1)[0]).mean_loss < 2.0
    settings = json.loads((outcome.folder / "config.json").read_text())
    assert settings["base"] == str(base / "base.gguf")
    assert settings["lora"]["rank"] == 4
    goes_on_with_the_adapter(base, answers, outcome)


def goes_on_with_the_adapter(base: Path, answers: Path, first: Outcome) -> None:
    """At a rate of nearly nothing it stays what it was; another rank is refused."""

    def config(run: Path, rank: int, alpha: int = 32) -> TrainingConfig:
        return made_config(
            answers, kind="tuning", start={"model": str(base / "base.gguf")},
            data__tokenizer=None, lora={"rank": rank, "alpha": alpha, "run": str(run)}, steps=1,
            run=str(answers / f"{run.name}{rank}{alpha}"), schedule__warmup_steps=0,
            optimizer__learning_rate=1e-9,
        )  # fmt: skip

    name = "adapter_model.safetensors"
    more = load_file(train(config(first.folder, 4)).checkpoint / name)
    for key, one in load_file(best_checkpoint(first.folder, name)).items():
        assert torch.allclose(more[key], one, atol=1e-7), key
    with pytest.raises(
        InvalidRequestError, match=r"another adapter: .* \(4, 128\) there and \(8, 128\)"
    ):
        train(config(first.folder, 8))
    with pytest.raises(InvalidRequestError, match=r"lora.alpha is 32.0 there and 64.0 here"):
        train(config(first.folder, 4, alpha=64))
    with pytest.raises(TrainingError, match="no checkpoint to start from"):
        train(config(base, 4))


def stop() -> None:
    raise KeyboardInterrupt


def test_only_answers_are_learned(base: Path, answers: Path) -> None:
    stream = RowStream(Shards.open(answers / "train"), BatchConfig(rows=4), sequence_length=64)
    step = stream.next_step()
    assert 0 < step.num_targets < 0.7 * step.num_tokens
    assert step.num_targets == sum(part.num_targets for part in step.parts)
    config = made_config(
        base, kind="tuning", run=str(answers / "run"), start={"run": str(base / "run")}
    )
    with pytest.raises(DataError, match="does not say which tokens are answers"):
        train(config)


def test_a_share_held_out(base: Path, tmp_path: Path) -> None:
    shards = Shards.open(base / "train")
    config = DataConfig(train=str(base / "train"), held_out_share=0.1, sequence_length=64)
    training, held_out = config.open()
    assert held_out is not None
    assert (training.num_documents, held_out.num_documents) == (270, 30)
    assert training.num_tokens + held_out.num_tokens == shards.num_tokens
    assert held_out.document(0)[0].tolist() == shards.document(5)[0].tolist()
    assert training.document(5)[0].tolist() == shards.document(6)[0].tolist()
    run = made_config(
        base, run=str(tmp_path / "run"), steps=2, data__held_out=None, data__held_out_share=0.1,
        schedule__warmup_steps=0,
    )  # fmt: skip
    assert train(run).held_out_loss is not None
    with pytest.raises(DataError, match=r"has 300 documents, too few to hold out 0\.001"):
        DataConfig(train=str(base / "train"), held_out_share=0.001).open()
    with pytest.raises(InvalidRequestError, match="are both given"):
        DataConfig(train="a", held_out="b", held_out_share=0.1)


def test_distillation(base: Path, tmp_path: Path) -> None:
    config = made_config(
        base, kind="distillation", run=str(tmp_path / "run"), steps=40,
        teacher={"model": str(base / "base.gguf"), "top_k": 8, "share": 1.0},
    )  # fmt: skip
    outcome = train(config)
    assert outcome.held_out_loss is not None
    assert outcome.held_out_loss < 2.5


def test_a_teacher_says_what_the_engine_says(base: Path) -> None:
    stream = RowStream(Shards.open(base / "train"), BatchConfig(rows=2), sequence_length=64)
    (part,) = stream.next_step().parts
    vocab_size = stream.shards.vocab_size
    with Teacher.open(
        TeacherConfig(model=str(base / "base.gguf"), top_k=5),
        tokenizer=stream.shards.tokenizer,
        vocab_size=vocab_size,
        sequence_length=64,
        threads=1,
    ) as teacher:
        taught = teacher.teach(part)
        first, length = part.pieces[1]
        logits = teacher.model.logits(part.tokens[first : first + length].tolist())
    logits = logits[:, :vocab_size].astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    likeliest = np.argsort(-logs, axis=-1)[:, :5]
    here = slice(first, first + length)
    assert np.array_equal(taught.tokens[here].numpy(), likeliest)
    assert np.allclose(
        taught.log_probs[here].numpy(), np.take_along_axis(logs, likeliest, -1), atol=1e-5
    )


def test_a_teacher_with_another_tokenizer(base: Path) -> None:
    with pytest.raises(InvalidRequestError, match="has another tokenizer"):
        Teacher.open(
            TeacherConfig(model=str(base / "base.gguf")),
            tokenizer="0" * 64,
            vocab_size=10,
            sequence_length=64,
        )


def test_what_does_not_fit_is_said(base: Path, tmp_path: Path) -> None:
    invalid = InvalidRequestError

    def refused(error: type[Exception], message: str, **changes: object) -> None:
        config = made_config(base, run=str(tmp_path / "none"), **changes)
        with pytest.raises(error, match=message):
            train(config)
        assert not (tmp_path / "none").exists()

    refused(invalid, "more than the model's context of 512", data__sequence_length=600)
    refused(invalid, "a fresh model needs data.tokenizer", data__tokenizer=None)
    refused(
        InvalidRequestError, r"does not divide the 4 rows", batch={"rows": 4, "rows_at_once": 3}
    )
    refused(DataError, "holds no finished shards", data__train=str(tmp_path))
    refused(TrainingError, "is no run", start={"run": str(tmp_path)})
    other = tmp_path / "other"
    other.mkdir()
    (other / "tokenizer.json").write_bytes(
        (base / "tokenizer.json").read_bytes().replace(b'"the"', b'"teh"')
    )
    with pytest.raises(InvalidRequestError, match="an adapter needs a trained model"):
        made_config(base, lora={"rank": 2})
    with pytest.raises(InvalidRequestError, match="cannot be shared by 3 processes"):
        BatchConfig(rows=8).parts_of(3)
    weights = dict(build(find("1m")).state_dict())
    del weights["model.norm.weight"]
    with pytest.raises(TrainingError, match="do not fit the sizes"):
        filled(find("1m"), weights)


def test_sentences_are_the_same_every_time() -> None:
    assert sentences(3) == sentences(3)
