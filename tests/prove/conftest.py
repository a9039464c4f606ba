"""Questions for the tests: made-up ones with the published counts, and the real ones.

def test_something(made_up_data): ...        # ceval/ and cmmlu/ below it, no real question
def test_published(evaluation_data): ...     # the real data; skipped where it is not
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from conftest import user_model_home
from qingyu.prove import benchmarks
from qingyu.prove.questions import file_of


def write_made_up(data: Path, name: str) -> None:
    """All subjects of a benchmark with as many questions as published, none of them real."""
    benchmark = benchmarks.find(name)
    columns = ("id", "question") if name == "ceval" else ("", "Question")
    for split in ("dev", *benchmark.splits):
        (data / name / split).mkdir(parents=True)
        answered = split == "dev" or split in benchmark.answered
        for subject in benchmark.subjects.values():
            path = file_of(data / name, benchmark, split, subject.id)
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                key = "answer" if name == "ceval" else "Answer"
                row = [*columns, *"ABCD", *([key] if answered else [])]
                writer.writerow([*row, "explanation"] if split == "dev" else row)
                for number in range(subject.counts[split]):
                    seed = hashlib.sha256(f"{subject.id} {split} {number}".encode()).digest()
                    text = f"{subject.name_zh}第{number}题：{seed[0]} 加 {seed[1]} 是多少？"
                    row = [str(number), text, *(str(value) for value in seed[2:6])]
                    row += ["ABCD"[seed[6] % 4]] if answered else []
                    writer.writerow([*row, f"1. 看{seed[7]}。"] if split == "dev" else row)


@pytest.fixture(scope="session")
def made_up_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("questions")
    for name in benchmarks.NAMES:
        write_made_up(data, name)
    return data


@pytest.fixture(scope="session")
def evaluation_data() -> Path:
    """The real questions: ../shared/data beside the repository, or those a person has pulled."""
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    for folder in (shared, user_model_home() / "data"):
        if all((folder / name / "dev").is_dir() for name in benchmarks.NAMES):
            return folder
    pytest.skip("the questions are not here; bring them with: qingyu pull ceval cmmlu")
