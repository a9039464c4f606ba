"""Qingyu, llama.cpp and OpenVINO GenAI on the same files, in turn, in one sitting.

    python benchmarks/versus_engines.py --rows 135m-q4_1 --repeats 5

Installs nothing: `make peers` makes the interpreter with the others; without it only Qingyu is
measured. Every engine runs in its own process and only one computes at a time: A B C A B C,
medians over the rounds. A round is a prompt of 512 random tokens, then 128 random tokens one by
one; the ids are new in every round and the same for all. llama.cpp runs with its defaults
(memory map, f16 keys and values, flash attention "auto") and with flash attention the other
way; its better median counts. Shares are of this machine's limits measured
in the same rounds: reading as many bytes as the model has, and int8 products.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from _model_files import (
    ROOT,
    add_arguments,
    default_model,
    quantized,
    random_weights,
    work_folder,
)
from _process import EngineError, Worker

PROMPT, NEW, CONTEXT = 512, 128, 1024
# Three copies of a larger model would not fit the memory of a small machine.
APART_BYTES = 2 << 30


@dataclass(frozen=True)
class Row:
    """A file, and what Qingyu must reach on it as multiples of llama.cpp."""

    title: str
    source: str  # "default", or a name of _model_files.RANDOM_SHAPES
    kind: str
    decode: float | None = None
    prefill: float | None = None


ROWS = {
    "135m-q4_1": Row("SmolLM2-135M Q4_1 (default)", "default", "Q4_1", 2.5, 5.0),
    "135m-q4_0": Row("SmolLM2-135M Q4_0", "default", "Q4_0", 2.0, 1.7),
    "135m-q4_k_m": Row("SmolLM2-135M Q4_K_M", "default", "Q4_K_M", 2.0, 2.5),
    "135m-q8_0": Row("SmolLM2-135M Q8_0", "default", "Q8_0", 1.8, 2.3),
    "135m-f16": Row("SmolLM2-135M F16", "default", "F16", 1.3, 1.0),
    "1.4b-q4_0": Row("1.4B Q4_0 (random weights)", "1.4b", "Q4_0", 1.15, 1.5),
    "6.4b-q4_0": Row("6.4B Q4_0 (random weights)", "6.4b", "Q4_0", 1.0, 1.3),
}
TRIAL = Row("tiny, to try the script", "tiny", "Q4_0")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--rows", nargs="+", choices=[*ROWS, "trial"], default=list(ROWS))
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--engines", nargs="+", default=["qingyu", "llama.cpp", "openvino"], metavar="ENGINE"
    )
    arguments = parser.parse_args()
    folder = work_folder(arguments.work)
    engines = arguments.engines
    if engines != ["qingyu"] and not arguments.peers_python.exists():
        print(f"no {arguments.peers_python}: only Qingyu is measured (see `make peers`)")
        engines = ["qingyu"]

    report: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "machine": machine(),
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "prompt": PROMPT,
        "new": NEW,
        "rows": {},
    }
    # Every row is written when it is done: a long sitting that is cut short keeps what it has,
    # and the next one adds to it.
    target = arguments.json or ROOT / "benchmarks" / "results" / "versus_engines.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    report["rows"] = earlier_rows(target, report)
    for name in arguments.rows:
        row = ROWS.get(name, TRIAL)
        try:
            path = file_of(row, arguments, folder)
        except Exception as error:
            print(f"{row.title}: no file: {error}")
            report["rows"][name] = {"error": str(error)}
            continue
        print(f"\n{row.title}: {path.stat().st_size / 1e6:.0f} MB", flush=True)
        result = measure_row(row, path, engines, arguments, log=folder / "engines.log")
        report["rows"][name] = result | {"when": time.strftime("%Y-%m-%d %H:%M:%S%z")}
        print_row(row, result)
        target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print_table(report)
    print(f"\nwritten to {target}")


def earlier_rows(target: Path, report: dict[str, Any]) -> dict[str, Any]:
    """What an earlier sitting measured in the same way on the same machine."""
    if not target.exists():
        return {}
    earlier = json.loads(target.read_text(encoding="utf-8"))
    same = all(
        earlier.get(key) == report[key]
        for key in ("machine", "threads", "repeats", "prompt", "new")
    )
    return dict(earlier["rows"]) if same else {}


def machine() -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {"processor": model, "system": platform.platform(), "python": platform.python_version()}


def file_of(row: Row, arguments: argparse.Namespace, folder: Path) -> Path:
    if row.source != "default":
        return random_weights(row.source, folder)
    source = default_model(arguments.model)
    return source if row.kind == "Q4_1" else quantized(
        source, row.kind, folder, arguments.peers_python
    )  # fmt: skip


def measure_row(
    row: Row, path: Path, engines: list[str], arguments: argparse.Namespace, *, log: Path
) -> dict[str, Any]:
    """All engines on one file: {"engines": {name: figures or error}, "limits": medians}."""
    with open(path, "rb") as file:  # into the disk cache, for everybody
        while file.read(1 << 24):
            pass
    large = path.stat().st_size > APART_BYTES
    groups = [[e for e in engines if e != "openvino"], [e for e in engines if e == "openvino"]]
    if not large:
        groups = [engines]
    result: dict[str, Any] = {"file_bytes": path.stat().st_size, "engines": {}, "limits": {}}
    loads = 1 if large else arguments.repeats
    for group in filter(None, groups):
        measure_group(group, path, arguments, result, loads=loads, log=log)
    finish(result, num_layer_weights(path))
    return result


def measure_group(
    engines: list[str],
    path: Path,
    arguments: argparse.Namespace,
    result: dict[str, Any],
    *,
    loads: int,
    log: Path,
) -> None:
    """Engines that take turns. Adds each one's figures to result["engines"]."""
    threads = arguments.threads

    def start(engine: str, flash: str = "default") -> Worker:
        own = engine == "qingyu"
        python = Path(sys.executable) if own else arguments.peers_python
        worker = Worker(engine, python, log=log)
        try:
            worker.loaded = worker.ask(
                "load", path=str(path), threads=threads, context=CONTEXT, flash=flash
            )
        except EngineError:
            worker.close()
            raise
        return worker

    with ExitStack() as stack:
        live: dict[str, Worker] = {}
        for engine in engines:
            try:
                live[engine] = stack.enter_context(start(engine))
                if engine == "llama.cpp":
                    # Its own choice, and the other one.
                    other = "off" if live[engine].loaded["flash"] == "on" else "on"
                    variant = f"llama.cpp, flash {other}"
                    live[variant] = stack.enter_context(start(engine, other))
            except EngineError as error:
                result["engines"][engine] = {"error": str(error)}
                print(f"  {engine}: {error}", flush=True)
        figures = {
            name: {
                "load_seconds": [worker.loaded["seconds"]],
                "prefill": [],
                "decode": [],
                "generate": [],
                "idle_cpu": 0.0,
                "load": worker.loaded,
            }
            for name, worker in live.items()
        }
        rng = random.Random(0)
        limits: list[dict[str, Any]] = []
        for number in range(-1, arguments.repeats):  # the first round is a warm-up
            tokens = [rng.randrange(300, 1000) for _ in range(PROMPT + NEW)]
            for name, worker in list(live.items()):
                others = {n: w.cpu_seconds() for n, w in live.items() if n != name}
                try:
                    round_figures = one_round(worker, tokens, stream=number >= 0)
                except EngineError as error:
                    result["engines"][name] = {"error": str(error)}
                    print(f"  {name}: {error}", flush=True)
                    del live[name], figures[name]
                    continue
                if number < 0:
                    # What serving one prompt took, before anything else is measured in there.
                    left = worker.ask("memory")
                    figures[name] |= {
                        "peak_bytes": left["peak"],
                        "resident_bytes": left["resident"],
                        "base_bytes": worker.started["resident"],
                    }
                    continue
                for key, value in round_figures.items():
                    figures[name][key].append(value)
                for other, before in others.items():
                    figures[other]["idle_cpu"] += live[other].cpu_seconds() - before
                report_round(name, number, round_figures)
            if "qingyu" in live and number >= 0:
                size = live["qingyu"].loaded["weight_bytes"]
                limits.append(live["qingyu"].ask("limits", bytes=size, threads=threads))
    if limits:
        result["limits"] = {k: median(x[k] for x in limits) for k in ("bandwidth", "int8_peak")}
    result["engines"] |= figures
    for _ in range(loads - 1):
        for name in figures:
            engine, _, flash = name.partition(", flash ")
            with start(engine, flash or "default") as worker:
                figures[name]["load_seconds"].append(worker.loaded["seconds"])


def one_round(worker: Worker, tokens: list[int], *, stream: bool) -> dict[str, float]:
    """Tokens per second of prefill, decode, and (where there is one) the streaming generator."""
    figures = {}
    if worker.engine == "openvino":
        both = worker.ask("generate", tokens=tokens[:PROMPT], new=NEW)
        return {"prefill": both["prefill_rate"], "decode": both["decode_rate"]}
    seconds = worker.ask("prefill", tokens=tokens[:PROMPT])["seconds"]
    figures["prefill"] = PROMPT / seconds
    figures["decode"] = NEW / worker.ask("decode", tokens=tokens[PROMPT:])["seconds"]
    if worker.engine == "qingyu" and stream:
        # Another prompt, or the parked prefix would be found.
        streamed = worker.ask("generate", tokens=tokens[:PROMPT][::-1], new=NEW)
        figures["generate"] = streamed["decode_rate"]
    return figures


def report_round(name: str, number: int, figures: dict[str, float]) -> None:
    text = "  ".join(f"{key} {value:.1f}" for key, value in figures.items())
    print(f"  round {number + 1}  {name}: {text}", flush=True)


def num_layer_weights(path: Path) -> dict[str, int]:
    """From the file: matrix weights of all layers, of the head, and what attention multiplies."""
    from qingyu.models.family import describe
    from qingyu.models.gguf import GGUFFile

    with GGUFFile.open(path) as gguf:
        config = describe(gguf)
        shapes = {name: gguf.tensors[name].shape for name in config.tensors}
        embedding = gguf.tensors["token_embd.weight"]
        blocks = [s for n, s in shapes.items() if n.startswith("blk.") and len(s) > 1]
        return {
            "layers": sum(columns * rows for columns, rows in blocks),
            "head": embedding.shape[0] * embedding.shape[1],
            "attention": config.num_layers * config.num_heads * config.head_size,
            "unread_bytes": 0 if config.tied else embedding.size,
            "tensor_bytes": sum(gguf.tensors[name].size for name in config.tensors),
        }


def finish(result: dict[str, Any], weights: dict[str, int]) -> None:
    """Medians, shares of the machine's limits, and ratios to llama.cpp's better variant."""
    # Two operations per weight and token; scores and mixing take 4 per position looked at.
    operations = 2 * weights["layers"] * PROMPT + 2 * weights["head"]
    operations += 4 * weights["attention"] * PROMPT * (PROMPT + 1) // 2
    limits = result["limits"]
    kv = next(
        (
            e["load"]["kv_bytes_per_token"]
            for e in result["engines"].values()
            if "kv_bytes_per_token" in e.get("load", {})
        ),
        0,
    )
    for name, engine in result["engines"].items():
        if "error" in engine:
            continue
        own = engine["load"]["weight_bytes"] if name == "qingyu" else weights["tensor_bytes"]
        read = own - weights["unread_bytes"] + kv * (PROMPT + NEW / 2)
        medians = {k: median(engine[k]) for k in ("prefill", "decode", "generate") if engine[k]}
        engine["median"] = medians | {"load_seconds": median(engine["load_seconds"])}
        if limits:
            engine["bandwidth_share"] = medians["decode"] * read / limits["bandwidth"]
            engine["peak_share"] = operations * medians["prefill"] / PROMPT / limits["int8_peak"]
    llama = [
        e["median"] for n, e in result["engines"].items() if n.startswith("llama") and "median" in e
    ]
    if llama:
        best = {k: max(m[k] for m in llama) for k in ("prefill", "decode")}
        best["load_seconds"] = min(m["load_seconds"] for m in llama)
        for engine in result["engines"].values():
            if "median" in engine:
                engine["ratio"] = {k: engine["median"][k] / best[k] for k in best}


def print_row(row: Row, result: dict[str, Any]) -> None:
    print(
        f"  {'engine':30} {'prefill':>9} {'x':>6} {'int8':>5} {'decode':>8} {'x':>6} {'read':>5}"
        f" {'stream':>7} {'load s':>7} {'peak MB':>8} {'MB':>6} {'idle s':>6}"
    )
    for name, e in result["engines"].items():
        if "error" in e:
            print(f"  {name:30} {e['error'][:100]}")
            continue
        m, ratio = e["median"], e.get("ratio", {})
        print(
            f"  {name:30} {m['prefill']:9.1f} {ratio.get('prefill', 0):6.2f}"
            f" {e.get('peak_share', 0):5.0%} {m['decode']:8.1f} {ratio.get('decode', 0):6.2f}"
            f" {e.get('bandwidth_share', 0):5.0%} {m.get('generate', 0):7.1f}"
            f" {m['load_seconds']:7.2f} {e['peak_bytes'] / 1e6:8.0f}"
            f" {e['resident_bytes'] / 1e6:6.0f} {e['idle_cpu']:6.2f}"
        )
    if result["limits"]:
        limits = result["limits"]
        print(
            f"  machine: {limits['bandwidth'] / 1e9:.1f} GB/s at this size,"
            f" {limits['int8_peak'] / 1e9:.0f} G int8 op/s"
        )


def print_table(report: dict[str, Any]) -> None:
    """Measured against required, as ratios to llama.cpp."""
    print(f"\n{'':32} {'decode':>7} {'required':>9}   {'prefill':>7} {'required':>9}")
    for name, result in report["rows"].items():
        row = ROWS.get(name, TRIAL)
        ratio = result.get("engines", {}).get("qingyu", {}).get("ratio")
        if ratio is None or row.decode is None or row.prefill is None:
            continue
        marks = [
            "ok" if ratio[key] >= required else "--"
            for key, required in (("decode", row.decode), ("prefill", row.prefill))
        ]
        print(
            f"{row.title:32} {ratio['decode']:7.2f} {row.decode:9.2f} {marks[0]}"
            f" {ratio['prefill']:7.2f} {row.prefill:9.2f} {marks[1]}"
        )
    if report["repeats"] < 5:
        print(f"medians of {report['repeats']}: a trial, not a measurement (5 or more are)")


if __name__ == "__main__":
    main()
