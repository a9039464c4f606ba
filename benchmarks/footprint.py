"""What Qingyu takes before it says a word: load time, memory, idle processor time, start-up.

    python benchmarks/footprint.py

Measured on the default model in fresh processes, medians of 5: loading from a warm disk cache
(required: under 0.7 s), resident memory after a prompt of 512 and 128 tokens more (at most the
file times 1.15, the keys and values, and 120 MB; below llama.cpp's when it is there), processor
time of a loaded model over 2 idle seconds (none), `import qingyu` (under 0.15 s) and
`qingyu --help` (under 0.4 s).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from _model_files import ROOT, add_arguments, default_model
from _process import EngineError, Worker

CONTEXT = 1024
IDLE_SECONDS = 2.0
IMPORT = "import time; t = time.perf_counter(); import qingyu; print(time.perf_counter() - t)"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    path = default_model(arguments.model)
    path.read_bytes()  # into the disk cache

    runs = [
        footprint("qingyu", Path(sys.executable), path, arguments.threads)
        for _ in range(arguments.repeats)
    ]
    ours = {key: median(run[key] for run in runs) for key in runs[0]}
    llama = None
    if arguments.peers_python.exists():
        try:
            llama = footprint("llama.cpp", arguments.peers_python, path, arguments.threads)
        except EngineError as error:
            print(f"llama.cpp: {error}")
    size = path.stat().st_size
    allowed = size * 1.15 + CONTEXT * ours["kv_bytes_per_token"] + 120e6
    import_seconds = median(run_import() for _ in range(arguments.repeats))
    help_seconds = median(run_help() for _ in range(arguments.repeats))

    rows: list[tuple[str, float, float, str]] = [
        ("load, warm", ours["load_seconds"], 0.7, "s"),
        ("resident after use", ours["resident"] / 1e6, allowed / 1e6, "MB"),
        ("peak while loading and using", ours["peak"] / 1e6, allowed / 1e6, "MB"),
        ("idle processor time over 2 s", ours["idle_cpu"], 0.01, "s"),
        ("import qingyu", import_seconds, 0.15, "s"),
        ("qingyu --help", help_seconds, 0.4, "s"),
    ]
    if llama:
        rows.append(("resident, beside llama.cpp's", ours["resident"] / 1e6,
                     llama["resident"] / 1e6, "MB"))  # fmt: skip
    for title, value, limit, unit in rows:
        mark = "ok" if value <= limit else "--"
        print(f"{title:30} {value:9.3f} {unit:3} at most {limit:9.3f} {mark}")
    if llama:
        print(f"{'llama.cpp: load, peak':30} {llama['load_seconds']:9.3f} s, "
              f"{llama['peak'] / 1e6:.0f} MB")  # fmt: skip
    report: dict[str, Any] = {
        "file_bytes": size,
        "qingyu": ours,
        "llama": llama,
        "rows": {title: {"value": v, "limit": limit, "unit": u} for title, v, limit, u in rows},
    }
    target = arguments.json or ROOT / "benchmarks" / "results" / "footprint.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target}")


def footprint(engine: str, python: Path, path: Path, threads: int) -> dict[str, float]:
    """One fresh process: load, use, rest."""
    rng = random.Random(0)
    tokens = [rng.randrange(300, 1000) for _ in range(640)]
    with Worker(engine, python) as worker:
        loaded = worker.ask("load", path=str(path), threads=threads, context=CONTEXT)
        worker.ask("prefill", tokens=tokens[:512])
        used = worker.ask("decode", tokens=tokens[512:])
        time.sleep(0.3)  # threads may look for work a moment longer
        before = worker.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        return {
            "load_seconds": loaded["seconds"],
            "resident_loaded": loaded["resident"],
            "kv_bytes_per_token": loaded.get("kv_bytes_per_token", 0),
            "resident": used["resident"],
            "peak": used["peak"],
            "idle_cpu": worker.cpu_seconds() - before,
        }


def run_import() -> float:
    command = [sys.executable, "-c", IMPORT]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run_help() -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "qingyu", "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
