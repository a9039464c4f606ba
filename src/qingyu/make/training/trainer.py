"""A training run from its recipe to its last checkpoint.

    outcome = train(config, resume=False, report=print)

Each step: the rows of a global batch, forwards and backwards of its micro-batches, a look at loss
and gradient, an update, a line of metrics. Everything an update depends on is in a checkpoint, so
a run that was killed and goes on has the same weights, bit for bit, on one process and with the
same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qingyu.errors import DataError, TrainingError
from qingyu.make.from_gguf import import_torch
from qingyu.make.shards import Shards
from qingyu.make.training import adapter, curve, machine
from qingyu.make.training.batches import RowStream
from qingyu.make.training.checkpoints import Checkpoints, Naming
from qingyu.make.training.checks import unfit
from qingyu.make.training.config import TrainingConfig
from qingyu.make.training.evaluation import HeldOut
from qingyu.make.training.guard import Guard
from qingyu.make.training.masters import Masters, Weights, clip_factor
from qingyu.make.training.processes import Processes, joined
from qingyu.make.training.run_folder import RunFolder
from qingyu.make.training.schedule import share_at
from qingyu.make.training.sharded import ShardedMasters
from qingyu.make.training.start import open_start
from qingyu.make.training.teacher import Teacher
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.make.training.network import PackedDecoder

_SECONDS_BETWEEN_PICTURES = 60.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """After a step. share_of_peak: of the bfloat16 or float32 peak measured at the start."""

    step: int
    steps: int
    loss: float
    held_out_loss: float | None
    tokens_per_second: float
    share_of_peak: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of a run that is done. seconds: of its steps in this process, without evaluations."""

    folder: Path
    checkpoint: Path
    steps: int
    tokens: int
    loss: float | None
    held_out_loss: float | None
    seconds: float
    tokens_per_second: float
    share_of_peak: float


Report = Callable[[Progress], None]
Notice = Callable[[str], None]


def ignore(_: Any) -> None:
    """For whoever does not want to hear."""


def train(
    config: TrainingConfig,
    *,
    resume: bool = False,
    report: Report = ignore,
    notice: Notice = ignore,
) -> Outcome:
    """Begin or go on with a run, to its end. Under torchrun every process calls it.

    Raises TrainingError, InvalidRequestError, DataError, DiskSpaceError; what is on the disk is
    intact then, and the message says how to go on.
    """
    import_torch()
    with joined() as processes, ExitStack() as stack:
        if not processes.leads:
            report = notice = ignore
        run = _Run(config, processes, report=report, notice=notice, stack=stack)
        try:
            return run.go(resume)
        except OSError as error:
            name = error.filename or config.run
            raise TrainingError(
                pick(
                    f"cannot read or write {name}: {error.strerror}. The checkpoints are intact;"
                    " when that is mended, go on with --resume",
                    f"无法读写 {name}：{error.strerror}。检查点完好；问题解决后用 --resume 继续",
                )
            ) from error


class _Run:
    def __init__(
        self,
        config: TrainingConfig,
        processes: Processes,
        *,
        report: Report,
        notice: Notice,
        stack: ExitStack,
    ) -> None:
        self.config, self.processes = config, processes
        self.report, self.notice = report, notice
        self.folder = RunFolder(Path(config.run))
        self.start = open_start(config.start, tokenizer=config.data.tokenizer, seed=config.seed)
        self._check_sizes()
        training, held_out = config.data.open()
        rows: dict[str, Any] = {
            "sequence_length": config.data.sequence_length,
            "whole": config.kind == "tuning",
            "rank": processes.rank,
            "world": processes.world,
        }
        self.stream = RowStream(training, config.batch, seed=config.seed, **rows)
        self._check_tokenizer(training)
        self.held_out: HeldOut | None = None
        if held_out is not None:
            self._check_tokenizer(held_out)
            self.held_out = HeldOut(held_out, config.evaluation, config.batch, **rows)
        if config.kind == "tuning" and not self.stream.shards.has_loss:
            raise DataError(
                pick(
                    f"{config.data.train} does not say which tokens are answers; build it from"
                    " conversations, or train with kind = pretraining",
                    f"{config.data.train} 未标明哪些词元是回答；请用对话数据生成，"
                    "或改用 kind = pretraining",
                )
            )
        self.teacher: Teacher | None = None
        if config.teacher:
            self.teacher = stack.enter_context(
                Teacher.open(
                    config.teacher,
                    tokenizer=self.start.tokenizer.sha256,
                    vocab_size=self.start.decoder.vocab_size,
                    sequence_length=config.data.sequence_length,
                )
            )
        self.guard = Guard(config.guard)
        self.step = self.tokens = 0
        self.seconds = 0.0
        self.seen_tokens = 0
        self.loss: float | None = None
        self.held_out_loss: float | None = None
        self._drawn = time.monotonic()

    def _check_sizes(self) -> None:
        length, most = self.config.data.sequence_length, self.start.decoder.context_length
        if length > most:
            raise unfit(
                "data.sequence_length",
                pick(
                    f"data.sequence_length {length} is more than the model's context of {most}",
                    f"data.sequence_length {length} 超过模型上下文 {most}",
                ),
            )

    def _check_tokenizer(self, shards: Shards) -> None:
        own = self.start.tokenizer
        if shards.tokenizer != own.sha256:
            raise DataError(
                pick(
                    f"{shards.folder} was built with another tokenizer ({shards.tokenizer[:12]})"
                    f" than the model has ({own.sha256[:12]}); build it again with that one",
                    f"{shards.folder} 所用的分词器（{shards.tokenizer[:12]}）与模型的"
                    f"（{own.sha256[:12]}）不同；请用模型的分词器重新生成",
                )
            )
        if own.vocab_size > self.start.decoder.vocab_size:
            raise DataError(
                pick(
                    f"the tokenizer has {own.vocab_size} tokens, and the model's vocabulary is"
                    f" {self.start.decoder.vocab_size}",
                    f"分词器有 {own.vocab_size} 个词元，而模型词表为"
                    f" {self.start.decoder.vocab_size}",
                )
            )

    # Setting up.

    def go(self, resume: bool) -> Outcome:
        changed = {}
        if resume:
            changed = self.folder.changed(self.config)
        else:
            self.folder.require_new()
        self._build()
        if changed:
            words = ", ".join(f"{key} {old} → {new}" for key, (old, new) in changed.items())
            self.notice(pick(f"changed since: {words}", f"与之前不同：{words}"))
        if resume:
            self._resume()
        if self.processes.leads:
            self.store.clean()
            environment = machine.describe(device=self.processes.device, world=self.processes.world)
            self.folder.begin(
                self.config, self.start, {**environment, "peak_operations_per_second": self.peak}
            )
            if resume:
                self.folder.forget_after(self.step)
        if self.config.guard.action == "rollback" and not self.store.found():
            self._checkpoint()
        while self.step < self.config.steps:
            self._advance()
        return self._finish()

    def _build(self) -> None:
        import torch

        from qingyu.make.training.network import packed

        config, processes = self.config, self.processes
        torch.manual_seed(config.seed)
        machine.keep_memory()
        self.peak = processes.add_up(machine.measure_peak(config.precision, processes.device))
        network = packed(self.start.load(), recompute=config.recompute)
        naming = Naming()
        if config.lora:
            base = config.start.base
            adapter.attach(network, config.lora, seed=config.seed, base=base)
            naming = Naming(
                model_file=adapter.ADAPTER_FILE,
                of=adapter.saved_name,
                texts={adapter.ADAPTER_CONFIG: adapter.config_text(config.lora, base)},
            )
        self.network: PackedDecoder = network
        self.weights: Weights = (
            Masters(network, config.optimizer, precision=config.precision)
            if processes.world == 1
            else ShardedMasters(
                network, config.optimizer, precision=config.precision, processes=processes
            )
        )
        self.store = Checkpoints(self.folder.checkpoints, config.checkpoints, naming, processes)
        shapes = self.weights.shapes().values()
        self.flops = machine.flops_per_token(
            self.start.decoder,
            sequence_length=config.data.sequence_length,
            frozen=config.lora is not None,
            adapter=sum(map(math.prod, shapes)) if config.lora else 0,
        )

    def _resume(self) -> None:
        found = self.store.newest(self.notice)
        if found is None:
            self.notice(
                pick(
                    "there is no checkpoint yet: the run begins at step 0",
                    "还没有检查点：从第 0 步开始",
                )
            )
            return
        path, state = found
        self._load(path, state)
        self.stream.restore(state["data"])
        self.tokens = state["tokens"]
        threads = _threads()
        if (before := state["threads"]) != threads:
            self.notice(
                pick(
                    f"{threads} threads instead of {before}: sums round in another order, so the"
                    " weights will not be the same to the last bit",
                    f"线程数从 {before} 变为 {threads}：求和顺序不同，权重的最末几位会有差别",
                )
            )
        self.notice(
            pick(
                f"going on at step {self.step} of {self.config.steps}",
                f"从第 {self.step} 步继续，共 {self.config.steps} 步",
            )
        )

    def _load(self, path: Path, state: dict[str, Any]) -> None:
        """Weights, moments, the guard's memory and random numbers; not the place in the data."""
        import torch

        self.store.load(path, self.weights, state["step"])
        self.step = state["step"]
        self.held_out_loss = state["held_out_loss"]
        self.guard = Guard(self.config.guard, state["guard"])
        torch.set_rng_state(torch.frombuffer(bytearray.fromhex(state["random"]), dtype=torch.uint8))

    # One step.

    def _advance(self) -> None:
        started = time.perf_counter()
        rows = self.stream.next_step()
        # FSDP takes the mean over processes, `world` takes it back. A power of two, which
        # bfloat16 does not round, goes through the network; what it lacks comes after.
        exact = self.processes.world / rows.num_targets
        scale = 2.0 ** round(math.log2(exact))
        lacking = exact / scale
        loss = 0.0
        for part in rows.parts:
            batch = part.to(self.processes.device)
            teaching = self.teacher.teach(part).to(batch.tokens.device) if self.teacher else None
            found = self.network(batch, scale, teaching)
            found.backward()
            loss += float(found.detach())
        loss = self.processes.add_up(loss) * lacking / self.processes.world
        norm = self.weights.gradient_norm() * lacking
        if wrong := self.guard.look(loss, norm):
            self._go_back(wrong)
            return
        share = share_at(self.config.schedule, step=self.step, steps=self.config.steps)
        clip = clip_factor(self.config.optimizer, norm)
        self.weights.update(rate_share=share, factor=lacking * clip)
        seconds = time.perf_counter() - started
        self.step += 1
        self.loss = loss
        self.tokens += rows.num_tokens
        self.seen_tokens += rows.num_tokens
        self.seconds += seconds
        self._record(
            {
                "step": self.step,
                "tokens": self.tokens,
                "loss": loss,
                "learning_rate": self.config.optimizer.learning_rate * share,
                "gradient_norm": norm,
                "seconds": round(seconds, 4),
                "tokens_per_second": round(rows.num_tokens / seconds, 1),
                "share_of_peak": round(self._share(rows.num_tokens / seconds), 4),
            }
        )
        saves = self._due(self.config.checkpoints.every)
        if saves or self._due(self.config.evaluation.every):
            self._evaluate()
        if saves:
            self._checkpoint()
        self.report(
            Progress(
                step=self.step,
                steps=self.config.steps,
                loss=loss,
                held_out_loss=self.held_out_loss,
                tokens_per_second=self.seen_tokens / self.seconds,
                share_of_peak=self._share(self.seen_tokens / self.seconds),
            )
        )

    def _due(self, every: int) -> bool:
        return self.step == self.config.steps or (every > 0 and self.step % every == 0)

    def _share(self, tokens_per_second: float) -> float:
        return tokens_per_second * self.flops / self.peak

    def _evaluate(self) -> None:
        if self.held_out is None:
            return
        self.held_out_loss = self.held_out.loss(self.network, self.processes.add_up)
        self._record({"step": self.step, "held_out_loss": self.held_out_loss})

    def _record(self, line: dict[str, Any]) -> None:
        if self.processes.leads:
            self.folder.record(line)

    def _checkpoint(self) -> None:
        import torch

        state = {
            "step": self.step,
            "tokens": self.tokens,
            "loss": self.loss,
            "data": self.stream.state(),
            "guard": self.guard.state(),
            "random": bytes(torch.get_rng_state().numpy()).hex(),
            "threads": _threads(),
        }
        self.checkpoint = self.store.write(self.weights, state, self.held_out_loss)
        if time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES:
            self._draw()

    def _go_back(self, wrong: str) -> None:
        """Stop or return to the last checkpoint, and leave out the data since."""
        where = pick(f"step {self.step + 1}: {wrong}", f"第 {self.step + 1} 步：{wrong}")
        config, rollbacks = self.config.guard, self.guard.rollbacks + 1
        found = None
        if config.action == "rollback" and rollbacks <= config.max_rollbacks:
            found = self.store.newest(self.notice)
        if found is None:
            raise self._stopped(where, rollbacks - 1)
        self.weights.forget_gradients()
        self._load(*found)
        self.guard.rollbacks = rollbacks
        if self.processes.leads:
            self.folder.forget_after(self.step)
        self._record({"step": self.step, "rollback": rollbacks, "reason": where})
        self.notice(
            pick(
                f"{where}. Back to step {self.step}, leaving out the data since"
                f" (rollback {rollbacks} of {config.max_rollbacks})",
                f"{where}。回到第 {self.step} 步，跳过其后的数据"
                f"（第 {rollbacks} 次回退，至多 {config.max_rollbacks} 次）",
            )
        )

    def _stopped(self, where: str, rollbacks: int) -> TrainingError:
        kept = [path.name for path in self.store.found().values()]
        last = kept[-1] if kept else pick("none", "无")
        before = pick(f" after {rollbacks} rollbacks", f"（已回退 {rollbacks} 次）")
        return TrainingError(
            pick(
                f"{where}; the run stopped{before if rollbacks else ''} before the update. Last"
                f" checkpoint: {last}. Go on with --resume and a lower optimizer.learning_rate,"
                " or --set guard.action=rollback to leave out the data since",
                f"{where}；训练在更新前停止{before if rollbacks else ''}。最近的检查点：{last}。"
                "可用 --resume 并降低 optimizer.learning_rate，或 --set guard.action=rollback"
                " 跳过其后的数据",
            )
        )

    def _draw(self) -> None:
        if self.processes.leads:
            title = f"{self.folder.path.name}: {self.config.kind}"
            curve.write_png(self.folder.metrics(), self.folder.path / "loss.png", title=title)
            self._drawn = time.monotonic()

    def _finish(self) -> Outcome:
        self._draw()
        found = self.store.found()
        rate = self.seen_tokens / self.seconds if self.seconds else 0.0
        return Outcome(
            folder=self.folder.path,
            checkpoint=next(reversed(found.values()), self.folder.checkpoints),
            steps=self.step,
            tokens=self.tokens,
            loss=self.loss,
            held_out_loss=self.held_out_loss,
            seconds=self.seconds,
            tokens_per_second=rate,
            share_of_peak=self._share(rate),
        )


def _threads() -> int:
    import torch

    return torch.get_num_threads()
