"""Training at 135 million weights, sequence 512, bfloat16: ours beside transformers' Trainer.

    python benchmarks/training.py --rounds 3
    python benchmarks/training.py --busy --rows 4 --at-once 4    # where others share the cores

Required: at least 1.3 times the tokens per second of the Trainer as a user would run it on a CPU
(bf16=True, use_cpu=True, the rest as it is; the same rows, batch, accumulation and optimizer), and
at least 45% of the bfloat16 peak as a large product in torch measures it. Operations are counted as
6 per weight and token and 12 per layer, embedding and place of the sequence (causal halves not
taken off). One process each, which take turns: a step of one, a step of the other. --busy measures
processor time of one thread each, and the peak likewise: a hint, not the claim.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from qingyu.make import family
from qingyu.make.shards import Packer, Shards, ShardWriter
from qingyu.make.text_tokenizer import load_tokenizer
from qingyu.make.training.machine import flops_per_token, measure_peak

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results" / "training.json"
MODEL, LENGTH = "135m", 512
BUSY = "QINGYU_BENCHMARK_BUSY"
clock = time.process_time if os.environ.get(BUSY) else time.perf_counter
REQUIRED_RATIO, REQUIRED_SHARE = 1.3, 0.45


def make_shards(folder: Path, num_rows: int) -> None:
    """Tokens by Zipf's law, a document for each row: nothing is cut, nothing is masked."""
    tokenizer = load_tokenizer("default")
    random = np.random.default_rng(0)
    with ShardWriter(folder, tokenizer) as writer:
        for _ in range(num_rows):
            ranks = np.minimum(random.zipf(1.2, LENGTH), tokenizer.vocab_size - 20)
            writer.add(ranks.astype(np.int64) + 16)


def ours(folder: Path, rows: int, at_once: int, steps: int) -> None:
    from qingyu.make.training.recipe import fill
    from qingyu.make.training.trainer import TrainingConfig, train

    config = fill(
        TrainingConfig,
        {
            "run": str(folder / "run"),
            "steps": steps,
            "start": {"fresh": MODEL},
            "data": {"train": str(folder / "shards"), "tokenizer": "default",
                     "sequence_length": LENGTH},
            "batch": {"rows": rows, "rows_at_once": at_once},
            "evaluation": {"every": 0},
            "checkpoints": {"every": 0},
            "schedule": {"shape": "constant"},
        },
    )  # fmt: skip
    turn = Turn()

    def report(progress: Any) -> None:
        turn.done(progress.loss)
        if progress.step == steps - 1:
            sys.exit()  # before it writes a checkpoint nobody wants

    turn.begin_with_first_step()
    train(config, report=report)


class Turn:
    """Waits for a line on standard input before a step, and says how long the step took."""

    def __init__(self) -> None:
        self.started = 0.0

    def begin_with_first_step(self) -> None:
        """Hook into the stream of rows: its first use begins the first step."""
        from qingyu.make.training.batches import RowStream

        original = RowStream.next_step
        turn = self

        def next_step(stream: RowStream) -> Any:
            turn.wait()
            return original(stream)

        RowStream.next_step = next_step  # type: ignore[method-assign]

    def wait(self) -> None:
        if not sys.stdin.readline():
            sys.exit()
        self.started = clock()

    def done(self, loss: float) -> None:
        seconds = clock() - self.started
        print(json.dumps({"seconds": seconds, "loss": loss}), flush=True)


def trainer(folder: Path, rows: int, at_once: int, steps: int) -> None:
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    packer = Packer(Shards.open(folder / "shards"), LENGTH, seed=0)
    data = []
    for _ in range(rows * steps):
        tokens = torch.from_numpy(next(packer).tokens[:LENGTH].astype(np.int64))
        data.append({"input_ids": tokens, "labels": tokens.clone()})
    turn = Turn()

    class Timing(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            turn.wait()

        def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
            if "loss" in logs:
                turn.done(float(logs["loss"]))

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        max_steps=steps,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=rows // at_once,
        learning_rate=3e-4,
        weight_decay=0.1,
        adam_beta2=0.95,
        lr_scheduler_type="constant",
        bf16=True,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    Sequential = torch.utils.data.SequentialSampler

    class InOrder(Trainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return Sequential(data)

    network = family.build(family.find(MODEL))
    network.config.use_cache = False
    InOrder(model=network, args=arguments, train_dataset=data, callbacks=[Timing()]).train()


class Process:
    """One side, waiting for its turn."""

    def __init__(self, side: str, folder: Path, rows: int, at_once: int, steps: int) -> None:
        options = {"side": side, "folder": folder, "rows": rows, "at-once": at_once, "steps": steps}
        command = [sys.executable, __file__]
        for key, value in options.items():
            command += [f"--{key}", str(value)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def step(self) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith('{"seconds"'):
                found: dict[str, float] = json.loads(line)
                return found
        raise SystemExit("a side ended before its turn")

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--side", choices=("ours", "trainer"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--busy", action="store_true")
    options = parser.parse_args()
    if options.busy and not os.environ.get(BUSY):
        busy = {**os.environ, BUSY: "1", "OMP_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], busy)
    if options.side:
        side = ours if options.side == "ours" else trainer
        side(options.folder, options.rows, options.at_once, options.steps)
        return
    steps = options.rounds + 2  # the first is to warm up, the last does not come
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_shards(folder / "shards", options.rows * steps)
        sides = {
            side: Process(side, folder, options.rows, options.at_once, steps)
            for side in ("ours", "trainer")
        }
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        losses: dict[str, list[float]] = {side: [] for side in sides}
        peaks = []
        for number in range(options.rounds + 1):
            for side, process in sides.items():
                found = process.step()
                losses[side].append(found["loss"])
                if number:
                    seconds[side].append(found["seconds"])
            if number:
                peaks.append(measure_peak("bfloat16", clock=clock))
        for process in sides.values():
            process.end()
    tokens = options.rows * LENGTH
    rates = {side: tokens / median(found) for side, found in seconds.items()}
    ratio = median(b / a for a, b in zip(seconds["ours"], seconds["trainer"], strict=True))
    flops = flops_per_token(family.find(MODEL), sequence_length=LENGTH)
    peak = max(peaks)
    share = {side: rate * flops / peak for side, rate in rates.items()}
    print(f"{MODEL}, sequence {LENGTH}, {options.rows} rows a step, {options.at_once} at once;"
          f" {flops / 1e6:.0f} million operations per token")  # fmt: skip
    print(f"bfloat16 peak, a product of 2048: {peak / 1e9:.0f} GFLOP/s")
    for side in sides:
        first, last = losses[side][0], losses[side][-1]
        print(f"{side:>8}: {rates[side]:7.0f} tokens/s, {share[side]:.1%} of the peak,"
              f" loss {first:.3f} to {last:.3f}")  # fmt: skip
    verdict = "holds" if ratio >= REQUIRED_RATIO and share["ours"] >= REQUIRED_SHARE else "FAILS"
    print(f"ratio {ratio:.2f} (required {REQUIRED_RATIO}), share {share['ours']:.1%}"
          f" (required {REQUIRED_SHARE:.0%}): {verdict}")  # fmt: skip
    if options.busy:
        return
    RESULTS.write_text(
        json.dumps(
            {
                "model": MODEL,
                "sequence_length": LENGTH,
                "rows": options.rows,
                "rows_at_once": options.at_once,
                "operations_per_token": flops,
                "peak_operations_per_second": peak,
                "seconds": seconds,
                "tokens_per_second": rates,
                "share_of_peak": share,
                "losses": losses,
                "ratio": ratio,
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
