"""lm-evaluation-harness on the same questions, for evaluation.py. Not a benchmark itself.

    tasks = write_tasks(folder, data, "ceval", "val", ["law"])
    run = run_harness(folder, tasks, shots=5, model="hf", arguments={...})
    run.choices[("law", 0)], run.seconds

The tasks are the harness's own, read from its package (`make harness`); only where they read
questions is changed: from CSV files here instead of a hub. Line ends inside cells are "\\n".
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet

from qingyu.make.text_tokenizer import load_tokenizer
from qingyu.prove import benchmarks, questions

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-harness" / "bin" / "python"
_GROUPS = {"ceval": "ceval-valid", "cmmlu": "cmmlu"}
_COLUMNS = {
    "ceval": ("id", "question", "A", "B", "C", "D", "answer"),
    "cmmlu": ("Unnamed: 0", "Question", "A", "B", "C", "D", "Answer"),
}
# Prints the harness's own tasks as JSON: in its environment, for it has the YAML reader.
_READ = """
import json, sys, yaml, lm_eval, pathlib
root = pathlib.Path(lm_eval.__file__).parent / "tasks" / sys.argv[1]
found = {}
for path in root.glob("*.yaml"):
    task = yaml.safe_load(path.read_text())
    if "dataset_name" in task:
        task = {**yaml.safe_load((root / task.pop("include")).read_text()), **task}
        found[task.pop("dataset_name")] = task
print(json.dumps(found))
"""


@dataclass(frozen=True, kw_only=True)
class HarnessRun:
    """choices: (subject, id) to letter; log_probs of the four; correct: as the harness says.
    seconds: the whole process, with loading."""

    choices: Mapping[tuple[str, int], str]
    log_probs: Mapping[tuple[str, int], tuple[float, ...]]
    correct: Mapping[tuple[str, int], bool]
    seconds: float


def write_tasks(
    folder: Path,
    data: Path,
    benchmark: str,
    split: str,
    subjects: Sequence[str] | None = None,
    limit: int | None = None,
) -> dict[str, str]:
    """Write tasks and their questions below a folder; task name to subject."""
    found = benchmarks.find(benchmark)
    source = questions.find_folder(found, data)
    own = json.loads(
        subprocess.run([PYTHON, "-c", _READ, benchmark], check=True, capture_output=True).stdout
    )
    tasks = {}
    for subject in subjects or list(found.subjects):
        task = dict(own[subject])
        files = {}
        for part in ("dev", split):
            rows = questions.read(source, found, part, [subject])[subject]
            path = folder / f"{benchmark}_{subject}_{part}.parquet"
            cut = [
                (int(one.id), one.text, *one.choices, one.answer)
                for one in rows[: limit if part == split else None]
            ]
            # Typed: a reader of CSV takes answers such as 1, 2, 3 for numbers.
            columns = zip(*cut, strict=True)
            table = pyarrow.table(dict(zip(_COLUMNS[benchmark], map(list, columns), strict=True)))
            pyarrow.parquet.write_table(table, path)
            files[part] = str(path)
        name = f"{task['task']}_here"
        task |= {"task": name, "dataset_path": "parquet", "dataset_kwargs": {"data_files": files}}
        # JSON is YAML.
        (folder / f"{name}.yaml").write_text(json.dumps(task, ensure_ascii=False))
        tasks[name] = subject
    return tasks


def hugging_face(folder: Path, model: Path, dtype: str) -> dict[str, object]:
    """What `--model hf` needs to run a GGUF file's weights, with the file's own tokenizer.

    transformers reads the vocabulary out of a GGUF file but not how text is split before pairs are
    merged (digits one by one, here), so that numbers became other tokens than llama.cpp's and ours.
    """
    tokenizer = folder / "tokenizer"
    load_tokenizer(str(model)).save(tokenizer)
    return {
        "pretrained": model.parent,
        "gguf_file": model.name,
        "tokenizer": tokenizer,
        "dtype": dtype,
    }


def run_harness(
    folder: Path,
    tasks: Mapping[str, str],
    *,
    shots: int,
    model: str,
    arguments: Mapping[str, object],
    batch: str = "8",
    threads: int = 2,
    environment: Mapping[str, str] | None = None,
) -> HarnessRun:
    """The command a person would type, with every answer logged. Raises CalledProcessError.
    environment: variables beside the few that are set."""
    output = folder / f"out-{time.time_ns()}"
    command = [
        str(PYTHON), "-m", "lm_eval", "--model", model,
        "--model_args", ",".join(f"{key}={value}" for key, value in arguments.items()),
        "--include_path", str(folder), "--tasks", ",".join(tasks),
        "--num_fewshot", str(shots), "--batch_size", batch, "--device", "cpu",
        "--log_samples", "--output_path", str(output),
    ]  # fmt: skip
    variables = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        **(environment or {}),
    }
    started = time.perf_counter()
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.stderr.write(done.stderr[-4000:])
        done.check_returncode()
    choices, values, correct = {}, {}, {}
    for task, subject in tasks.items():
        (path,) = output.rglob(f"samples_{task}_*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines():
            sample = json.loads(line)
            key = subject, int(sample["doc"].get("id", sample["doc"].get("Unnamed: 0", -1)))
            scores = tuple(float(one[0]) for one in sample["filtered_resps"])
            values[key] = scores
            choices[key] = "ABCD"[scores.index(max(scores))]
            correct[key] = bool(sample["acc"])
    return HarnessRun(choices=choices, log_probs=values, correct=correct, seconds=seconds)
