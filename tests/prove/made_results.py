"""Results made of seeded random numbers: any benchmark, any skill, no question needed.

result = made("a model", skill=0.6)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qingyu.prove import benchmarks
from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.exam import Answer
from qingyu.prove.results import Result


def made(
    name: str = "made",
    *,
    skill: float = 0.6,
    seed: int = 1,
    benchmark: str = "ceval",
    split: str = "val",
    shots: int = 5,
    unparsed: int = 0,
    dropped: int = 0,
    keyed: bool = True,
    subjects: int | None = None,
    **model: Any,
) -> Result:
    """skill: how often the right letter gets most of the probability. The keys depend on the
    benchmark and split only, so that results pair. subjects: only so many, the first ones."""
    found = benchmarks.find(benchmark)
    chosen = list(found.subjects)[:subjects]
    keys_of = np.random.default_rng(7)
    generator = np.random.default_rng(seed)
    answers, keys = [], []
    for subject in chosen:
        for number in range(found.subjects[subject].counts[split]):
            key = int(keys_of.integers(4))
            likely = key if generator.random() < skill else int(generator.integers(4))
            logits = generator.normal(size=4)
            logits[likely] += abs(generator.normal()) + 0.5
            logs = logits - math.log(float(np.exp(logits).sum())) - 0.7
            place = len(answers)
            answers.append(
                Answer(
                    subject=subject,
                    id=number,
                    choice="" if place < unparsed else LETTERS[int(logits.argmax())],
                    log_probs=tuple(map(float, logs)),  # type: ignore[arg-type]
                    prompt_tokens=700 + number,
                    dropped_shots=2 if place < dropped else 0,
                )
            )
            keys.append(LETTERS[key] if keyed else "")
    return Result(
        exam={
            "benchmark": benchmark,
            "split": split,
            "shots": shots,
            "protocol": "official",
            "method": "logits",
            "limit": None,
            "subjects": chosen,
            "questions": len(answers),
            "data_sha256": f"{shots}{len(answers):063x}",
        },
        model={
            "name": name,
            "sha256": "ab" * 32,
            "bytes": 98_362_432,
            "parameters": 134_515_008,
            "family": "llama",
            "types": {"Q4_1": 210, "F32": 61, "Q8_0": 1},
            "activation_bits": 8,
            **model,
        },
        answers=tuple(answers),
        keys=tuple(keys),
        time={
            "started": "2026-11-25T20:00:00Z",
            "seconds": 61.25,
            "resumed": 0,
            "questions_per_second": round(len(answers) / 61.25, 3),
        },
        version="0.1.0",
    )
