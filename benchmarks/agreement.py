"""Do evaluations agree with lm-evaluation-harness, question by question?

    make harness && .venv/bin/python benchmarks/agreement.py --data DIR

The default model, `--protocol harness`: C-Eval val 0- and 5-shot and CMMLU test 0-shot, against
the harness's Hugging Face back end on the same dequantized weights in float32. That takes some
hours on two cores, so the harness's letters are kept in tests/golden/harness, a few subjects at
a time; a run goes on where it was stopped, and what is there is not asked again. `--ours` only
compares what is there.

Nothing here is timed, so the harness gets help: MKL, which multiplies float32 in torch, takes AVX2
on processors that are not Intel's whatever they can do; told that this is one, it is twice as fast.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from _harness import ROOT, HarnessRun, hugging_face, run_harness, write_tasks

import qingyu
from qingyu.models.store import locate
from qingyu.prove import benchmarks
from qingyu.prove.choices import ChoiceAnswerer
from qingyu.prove.exam import Exam
from qingyu.prove.scores import Answered, score

GOLDEN = ROOT / "tests" / "golden" / "harness"
RUNS = (("ceval", "val", 0, 13), ("ceval", "val", 5, 4), ("cmmlu", "test", 0, 6))
RESULTS = Path(__file__).parent / "results" / "agreement.json"


def golden_path(benchmark: str, split: str, shots: int) -> Path:
    return GOLDEN / f"{benchmark}_{split}_{shots}shot.json"


def read_golden(path: Path) -> dict[str, str]:
    """Subject to the letters the harness chose, in file order."""
    return json.loads(path.read_text())["choices"] if path.exists() else {}


def ask_harness(benchmark: str, split: str, shots: int, at_once: int, data: Path) -> None:
    """Ask what the golden file does not have yet."""
    path = golden_path(benchmark, split, shots)
    model = locate("default")
    while missing := [s for s in benchmarks.find(benchmark).subjects if s not in read_golden(path)]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            tasks = write_tasks(folder, data, benchmark, split, missing[:at_once])
            run = run_harness(
                folder,
                tasks,
                shots=shots,
                model="hf",
                arguments=hugging_face(folder, model, "float32"),
                environment=widest_mkl(folder),
            )
        choices = {**read_golden(path), **letters(run)}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(
                {
                    "made by": "benchmarks/agreement.py: lm_eval 0.4.13, hf, float32, batches of 8",
                    "model": model.name,
                    "choices": choices,
                },
                indent=1,
            )
            + "\n"
        )
        print(f"{path.stem}: {len(choices)} subjects, {run.seconds:.0f} s", flush=True)


def widest_mkl(folder: Path) -> dict[str, str]:
    """Variables that make MKL use what the processor has; none where that needs no help."""
    if "AuthenticAMD" not in Path("/proc/cpuinfo").read_text():
        return {}
    library = folder / "widest_mkl.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-o", str(library), "-"],
        input=b"int mkl_serv_intel_cpu_true(void) { return 1; }",
        check=True,
    )
    return {"LD_PRELOAD": str(library)}


def letters(run: HarnessRun) -> dict[str, str]:
    found: dict[str, dict[int, str]] = {}
    for (subject, number), letter in run.choices.items():
        found.setdefault(subject, {})[number] = letter
    return {
        subject: "".join(letter for _, letter in sorted(rows.items()))
        for subject, rows in found.items()
    }


def compare(benchmark: str, split: str, shots: int, data: Path) -> dict[str, object] | None:
    """Our choices against the harness's, on the subjects it was asked."""
    golden = read_golden(golden_path(benchmark, split, shots))
    if not golden:
        return None
    exam = Exam.prepare(
        benchmark=benchmark,
        split=split,
        shots=shots,
        protocol="harness",
        subjects=",".join(golden),
        data=data,
    )
    asked = list(exam.all_questions())
    with qingyu.load("default", activation_bits=16) as model:
        answers = {(a.subject, a.id): a for a in ChoiceAnswerer(model).answers(exam, asked)}
    ours, theirs = [], []
    for subject, rows in exam.questions.items():
        for one, letter in zip(sorted(rows, key=lambda row: row.id), golden[subject], strict=True):
            ours.append(Answered(subject, one.id, answers[subject, one.id].choice, one.answer))
            theirs.append(Answered(subject, one.id, letter, one.answer))
    same = sum(one.choice == two.choice for one, two in zip(ours, theirs, strict=True))
    first, second = score(exam.benchmark, ours), score(exam.benchmark, theirs)
    return {
        "benchmark": benchmark,
        "split": split,
        "shots": shots,
        "subjects": len(golden),
        "questions": len(ours),
        "same choice": round(100 * same / len(ours), 3),
        "macro": round(first.macro, 3),
        "macro of the harness": round(second.macro, 3),
        "micro": round(first.micro, 3),
        "micro of the harness": round(second.micro, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--ours", action="store_true", help="do not ask the harness")
    parser.add_argument("--only", help="e.g. ceval_val_5shot")
    options = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    rows = {(one["benchmark"], one["split"], one["shots"]): one for one in kept}
    for benchmark, split, shots, at_once in RUNS:
        if options.only in (None, golden_path(benchmark, split, shots).stem):
            if not options.ours:
                ask_harness(benchmark, split, shots, at_once, options.data)
            row = compare(benchmark, split, shots, options.data)
            if row is not None:
                rows[benchmark, split, shots] = row
                RESULTS.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
                print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
