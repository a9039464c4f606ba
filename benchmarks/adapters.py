"""What an adapter costs per token, beside the same model without one.

    python benchmarks/adapters.py

Random adapters for the default model that change all seven matrices of every layer. Each round
runs every case once, one after the other, and a case's cost is the median over rounds of its time
over that of the case it is compared with in the same round: other programs on the machine disturb
both. Required: decoding one sequence with an adapter of rank 16 costs at most 10%.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from _model_files import ROOT, add_arguments, default_model

from qingyu import _native
from qingyu.engine.loading import build_native
from qingyu.engine.settings import EngineSettings
from qingyu.models.adapter import matrix_shape
from qingyu.models.family import ModelConfig, describe
from qingyu.models.gguf import GGUFFile

MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
RANKS = (4, 8, 16, 32, 64)
LIMIT = 0.10
PROMPT, DECODED, BATCH = 256, 48, 8

Adapter = _native.NativeAdapter | None


@dataclass(frozen=True)
class Case:
    """Something that is timed. `beside`: the case it is compared with."""

    title: str
    beside: str
    tokens: int
    run: Callable[[], float]
    limit: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    settings = EngineSettings.from_environment(threads=arguments.threads)
    with GGUFFile.open(default_model(arguments.model)) as gguf:
        config = describe(gguf)
        model = build_native(gguf, config, settings, None)
    context = _native.NativeContext(model, max_tokens=16384, threads=settings.threads)
    bench = Bench(context, config.vocab_size)
    adapters = {rank: random_adapter(model, config, rank, seed=rank) for rank in RANKS}
    three = [random_adapter(model, config, 16, seed=100 + number) for number in range(3)]

    cases = [Case("decode, no adapter", "", DECODED, bench.decode([None]))]
    for rank, adapter in adapters.items():
        limit = LIMIT if rank == 16 else None
        title = f"decode, rank {rank}"
        cases.append(Case(title, cases[0].title, DECODED, bench.decode([adapter]), limit))
    eight: list[Adapter] = [*three, *three, *three[:2]]
    plain = Case("batch of 8, no adapter", "", DECODED * BATCH, bench.decode([None] * BATCH))
    mixed = Case("batch of 8, three of rank 16", plain.title, plain.tokens, bench.decode(eight))
    long = Case("prompt of 512, no adapter", "", 512, bench.prefill(None))
    tuned = Case("prompt of 512, rank 16", long.title, 512, bench.prefill(adapters[16]))
    cases += [plain, mixed, long, tuned]

    times: dict[str, list[float]] = {case.title: [] for case in cases}
    for number in range(arguments.rounds + 1):
        # The order turns, so that none always comes after the same.
        for case in cases if number % 2 else reversed(cases):
            seconds = case.run()
            if number:
                times[case.title].append(seconds)
    rows = [row(case, times) for case in cases]
    print(f"{settings.threads} threads, {model.instruction_set}, {arguments.rounds} rounds")
    print(f"{'':30} {'us/token':>9} {'tokens/s':>9} {'cost':>8} {'quartiles':>16}")
    for one in rows:
        line = f"{one['title']:30} {one['microseconds']:9.0f} {one['rate']:9.0f}"
        if one["cost"] is not None:
            low, high = one["quartiles"]
            line += f" {one['cost']:+8.1%} {low:+8.1%}{high:+8.1%}"
        if one["limit"] is not None:
            mark = "ok" if one["cost"] <= one["limit"] else "--"
            line += f"  at most {one['limit']:.0%} {mark}"
        print(line)
    share = adapters[16].weight_bytes / model.weight_bytes
    print(f"rank 16 takes {adapters[16].weight_bytes / 1e6:.1f} MB, {share:.1%} of the weights")
    report = {"threads": settings.threads, "instruction_set": model.instruction_set, "rows": rows}
    target = arguments.json or ROOT / "benchmarks" / "results" / "adapters.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target}")


def row(case: Case, times: dict[str, list[float]]) -> dict[str, Any]:
    """One line: the median time, and the cost beside the other case."""
    seconds = times[case.title]
    cost = quartiles = None
    if case.beside:
        pairs = zip(seconds, times[case.beside], strict=True)
        ratios = [ours / theirs - 1 for ours, theirs in pairs]
        cost = median(ratios)
        quartiles = [float(value) for value in np.quantile(ratios, (0.25, 0.75))]
    each = median(seconds) / case.tokens
    return {
        "title": case.title,
        "microseconds": 1e6 * each,
        "rate": 1 / each,
        "cost": cost,
        "quartiles": quartiles,
        "limit": case.limit,
    }


class Bench:
    """Runs of one context. Each gives the seconds its forwards took."""

    def __init__(self, context: _native.NativeContext, vocab_size: int) -> None:
        self._context = context
        rng = np.random.default_rng(0)
        self._tokens = rng.integers(300, vocab_size - 300, 2 * PROMPT, dtype=np.int32)

    def decode(self, adapters: list[Adapter]) -> Callable[[], float]:
        """DECODED steps of so many sequences, after a prompt that is not timed."""

        def run() -> float:
            context, count = self._context, len(adapters)
            sequences = [context.create(adapter) for adapter in adapters]
            for sequence in sequences:
                self._append(sequence, self._tokens[:PROMPT])
            owners = np.array(sequences, dtype=np.int32)
            outputs = np.arange(count, dtype=np.int32)
            started = time.perf_counter()
            for step in range(DECODED):
                batch = np.full(count, self._tokens[PROMPT + step], dtype=np.int32)
                context.forward(batch, owners, outputs)
            seconds = time.perf_counter() - started
            for sequence in sequences:
                context.drop(sequence)
            return seconds

        return run

    def prefill(self, adapter: Adapter) -> Callable[[], float]:
        """A prompt of 512, with the logits of its last token."""

        def run() -> float:
            sequence = self._context.create(adapter)
            started = time.perf_counter()
            self._append(sequence, self._tokens)
            seconds = time.perf_counter() - started
            self._context.drop(sequence)
            return seconds

        return run

    def _append(self, sequence: int, tokens: np.ndarray[Any, np.dtype[np.int32]]) -> None:
        owners = np.full(len(tokens), sequence, dtype=np.int32)
        last = np.array([len(tokens) - 1], dtype=np.int32)
        self._context.forward(np.ascontiguousarray(tokens), owners, last)


def random_adapter(
    model: _native.NativeModel, config: ModelConfig, rank: int, *, seed: int
) -> _native.NativeAdapter:
    """All matrices of all layers. Time does not depend on the values."""
    rng = np.random.default_rng(seed)
    # As `qingyu.load` does over quantized weights.
    builder = _native.AdapterBuilder(model, 8)
    for layer in range(config.num_layers):
        for matrix in MATRICES:
            name = f"blk.{layer}.{matrix}.weight"
            shape = matrix_shape(name, config)
            assert shape is not None
            a = rng.standard_normal((rank, shape[0]), dtype=np.float32) / shape[0] ** 0.5
            b = rng.standard_normal((shape[1], rank), dtype=np.float32) * np.float32(0.01)
            builder.add(name, a, b, 1.0)
    return builder.build()


if __name__ == "__main__":
    main()
