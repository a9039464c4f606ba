"""How fast an evaluation is, against lm-evaluation-harness on the same questions in one run.

    make harness peers && .venv/bin/python benchmarks/evaluation.py

1. C-Eval val 5-shot, whole processes with loading: `qingyu eval` (activations of 16 bits, and of
   8) against the harness's Hugging Face back end on the same weights in bfloat16 and in float32;
   the faster one counts (a twenty-fifth of the subjects decides which). Ours runs before and after.
2. The same on 200 questions against the harness's `gguf` back end, which asks llama.cpp's server
   (llama-cpp-python) about the same file. Each of its four requests a question wants the ten
   likeliest tokens at every place of the prompt, for which that server sorts the whole vocabulary
   in Python: 25 s of 27 a request here, which would be eight hours. So the server is **helped**: it
   picks the ten instead. What it takes as it is installed is measured on a few questions.

Takes an hour and more on two cores; `--subjects N` asks only the first N subjects of row 1.
Writes benchmarks/results/evaluation.json.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from _harness import HarnessRun, hugging_face, run_harness, write_tasks
from _model_files import ROOT, add_arguments, default_model

from qingyu.prove import benchmarks

REQUIRED = {"hugging face": 10.0, "llama.cpp": 5.0}
GOAL = 20.0
LLAMA_QUESTIONS = 200
AS_INSTALLED = 1  # questions that the server without help is asked

# Runs llama_cpp.server with `sorted` replaced in one module, and `zip` so that it can be told.
HELPED = """
import builtins, runpy
import numpy as np
import llama_cpp.llama as llama

def zip_(*columns):
    return columns[0] if isinstance(columns[-1], range) else builtins.zip(*columns)

def sorted_(values, **how):
    if not isinstance(values, np.ndarray):
        return builtins.sorted(values, **how)
    best = np.argpartition(values, -16)[-16:]
    return [(values[i], int(i)) for i in best[np.argsort(-values[best])]]

llama.zip, llama.sorted = zip_, sorted_
runpy.run_module("llama_cpp.server", run_name="__main__")
"""


def main() -> None:
    arguments = parse()
    model = default_model(arguments.model)
    subjects = list(benchmarks.find("ceval").subjects)
    results: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "threads": arguments.threads}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not arguments.only or arguments.only == "hf":
            chosen = subjects[: arguments.subjects]
            results["hugging face"] = against_hugging_face(folder, model, chosen, arguments)
            print_row("hugging face", results["hugging face"])
        if not arguments.only or arguments.only == "llama":
            results["llama.cpp"] = against_llama(folder, model, subjects, arguments)
            print_row("llama.cpp", results["llama.cpp"])
    path = arguments.json or Path(__file__).parent / "results" / "evaluation.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**old, **results}, indent=1) + "\n")


def against_hugging_face(
    folder: Path, model: Path, subjects: list[str], arguments: argparse.Namespace
) -> dict[str, Any]:
    few = write_tasks(
        folder, arguments.data, "ceval", "val", subjects[: max(1, len(subjects) // 25)]
    )
    tasks = write_tasks(folder, arguments.data, "ceval", "val", subjects)
    trial = {
        dtype: harness(folder, few, model, dtype, arguments).seconds
        for dtype in ("bfloat16", "float32")
    }
    dtype = min(trial, key=lambda one: trial[one])
    ours: dict[int, list[float]] = {16: [], 8: []}
    questions = 0
    for bits, seconds in ours.items():
        seconds.append(qingyu_seconds(folder, model, subjects, bits, arguments)[0])
    run = harness(folder, tasks, model, dtype, arguments)
    for bits, seconds in ours.items():
        took, questions = qingyu_seconds(folder, model, subjects, bits, arguments)
        seconds.append(took)
    assert questions == len(run.choices)
    return {
        "questions": questions,
        "harness": f"hf, {dtype}",
        "trial seconds": {name: round(value, 1) for name, value in trial.items()},
        "harness seconds": round(run.seconds, 1),
        "seconds": {bits: [round(one, 1) for one in seconds] for bits, seconds in ours.items()},
        "ratio": {bits: round(run.seconds / median(one), 2) for bits, one in ours.items()},
    }


def against_llama(
    folder: Path, model: Path, subjects: list[str], arguments: argparse.Namespace
) -> dict[str, Any]:
    chosen, count = [], 0
    ceval = benchmarks.find("ceval")
    for subject in subjects:
        if count < LLAMA_QUESTIONS:
            chosen.append(subject)
            count += ceval.subjects[subject].counts["val"]
    few = write_tasks(folder, arguments.data, "ceval", "val", chosen[:1], limit=AS_INSTALLED)
    with llama_server(arguments.peers_python, model, arguments.threads, helped=False) as address:
        installed = ask_llama(folder, few, address, arguments.threads)
    tasks = write_tasks(folder, arguments.data, "ceval", "val", chosen)  # those files were cut
    ours = {bits: [qingyu_seconds(folder, model, chosen, bits, arguments)[0]] for bits in (16, 8)}
    with llama_server(arguments.peers_python, model, arguments.threads, helped=True) as address:
        run = ask_llama(folder, tasks, address, arguments.threads)
    for bits, seconds in ours.items():
        seconds.append(qingyu_seconds(folder, model, chosen, bits, arguments)[0])
    return {
        "questions": len(run.choices),
        "harness": "gguf, llama-cpp-python's server, helped",
        "harness seconds": round(run.seconds, 1),
        "seconds a question as installed": round(installed.seconds / len(installed.choices), 1),
        "seconds": {bits: [round(one, 1) for one in seconds] for bits, seconds in ours.items()},
        "ratio": {bits: round(run.seconds / median(one), 2) for bits, one in ours.items()},
    }


def ask_llama(folder: Path, tasks: dict[str, str], address: str, threads: int) -> HarnessRun:
    return run_harness(
        folder,
        tasks,
        shots=5,
        model="gguf",
        arguments={"base_url": address},
        batch="1",
        threads=threads,
    )


def harness(
    folder: Path, tasks: dict[str, str], model: Path, dtype: str, arguments: argparse.Namespace
) -> HarnessRun:
    return run_harness(
        folder,
        tasks,
        shots=5,
        model="hf",
        arguments=hugging_face(folder, model, dtype),
        threads=arguments.threads,
    )


def qingyu_seconds(
    folder: Path, model: Path, subjects: list[str], bits: int, arguments: argparse.Namespace
) -> tuple[float, int]:
    """Seconds of the whole command, and how many questions it answered."""
    command = [
        sys.executable, "-m", "qingyu", "eval", "ceval", "--model", str(model), "--shots", "5",
        "--data", str(arguments.data), "--subjects", ",".join(subjects), "--no-report",
        "--activations", str(bits), "--threads", str(arguments.threads), "--json",
        "--out", str(folder / f"ours-{time.time_ns()}"),
    ]  # fmt: skip
    started = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    return seconds, json.loads(done.stdout)["exam"]["questions"]


@contextmanager
def llama_server(python: Path, model: Path, threads: int, *, helped: bool) -> Iterator[str]:
    """llama-cpp-python's server, which gives the log-probabilities of a prompt's tokens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = ("-c", HELPED) if helped else ("-m", "llama_cpp.server")
    command = [
        str(python), *program, "--model", str(model), "--n_ctx", "4096",
        "--n_threads", str(threads), "--n_threads_batch", str(threads), "--logits_all", "true",
        "--host", "127.0.0.1", "--port", str(port), "--verbose", "false",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/v1/models", timeout=2).read()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("llama.cpp's server did not start") from None
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def print_row(name: str, row: dict[str, Any]) -> None:
    needed = REQUIRED[name]
    for bits, ratio in row["ratio"].items():
        held = "holds" if ratio >= needed else "DOES NOT HOLD"
        goal = f", goal {GOAL:g}" if name == "hugging face" else ""
        print(
            f"{row['questions']} questions, activations of {bits} bits:"
            f" {median(row['seconds'][bits]):.1f} s, harness ({row['harness']})"
            f" {row['harness seconds']:.1f} s: {ratio:.1f} x (>= {needed:g}{goal}) {held}",
            flush=True,
        )
    if "seconds a question as installed" in row:
        print(f"that server as installed: {row['seconds a question as installed']} s a question")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--subjects", type=int, default=52, help="how many, for the first row")
    parser.add_argument("--only", choices=("hf", "llama"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
