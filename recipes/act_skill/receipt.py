"""Writes down what a skill model is: the file, what it learned from, and how it scored.

    python receipt.py skill.gguf --run runs/scratch --shards shards --run runs/qingyu-skill \\
        --shards shards_more --bench bench/dev --bench bench/test

The receipt (skill.json beside the model) has the sha256 of the model and of its data, the recipe as
it was run, the last losses, and the scores of act-bench. It holds no sentence of the benchmark.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import qingyu
from qingyu.act.bench.results import Summary, read_summary
from qingyu.act.bench.scores import requirements
from qingyu.errors import DataError
from qingyu.models.hashes import hash_file, read_json, write_atomically


def data_of(shards: Path) -> dict[str, Any]:
    """What was learned from: the tokens, by hash."""
    index = read_json(shards / "index.json")
    return {
        "made by": "recipes/act_skill/lines.py",
        "lines": index["num_documents"],
        "tokens": index["num_tokens"],
        "tokenizer": index["tokenizer"],
        "vocab_size": index["vocab_size"],
        "shards": [one["sha256"] for one in index["shards"]],
        "date": index["made"]["date"],
    }


def training_of(run: Path) -> dict[str, Any]:
    """The recipe as it was run, what it took, and the losses at its end."""
    steps = [
        json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines() if line
    ]
    trained = [one for one in steps if "seconds" in one]
    held_out = [one["held_out_loss"] for one in steps if "held_out_loss" in one]
    return {
        "recipe": read_json(run / "config.json"),
        "environment": read_json(run / "environment.json"),
        "steps": trained[-1]["step"] + 1,
        "tokens": trained[-1]["tokens"],
        "minutes": round(sum(one["seconds"] for one in trained) / 60, 1),
        "loss": round(trained[-1]["loss"], 4),
        "held_out_loss": round(held_out[-1], 4) if held_out else None,
    }


def scores_of(result: Summary, sha256: str) -> Mapping[str, Any]:
    """Raises DataError where the result is of another model."""
    if result.system.get("skill", {}).get("sha256") != sha256:
        raise DataError(f"the result of {result.time} was made with another skill model")
    return {
        "cases": dict(result.cases),
        "version": result.version,
        "right": {
            language: {
                name: f"{tally.right} of {tally.count}" for name, tally in categories.items()
            }
            for language, categories in result.scores.tallies.items()
        },
        "required": [asdict(one) for one in requirements(result.scores)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "--run", type=Path, action="append", required=True, help="training runs, the last one its"
    )
    parser.add_argument(
        "--shards", type=Path, action="append", required=True, help="of each run, what it read"
    )
    parser.add_argument("--bench", type=Path, action="append", default=[], help="results")
    arguments = parser.parse_args()
    sha256 = hash_file(arguments.model)[0]
    results = [read_summary(one) for one in arguments.bench]
    receipt = {
        "file": arguments.model.name,
        "sha256": sha256,
        "bytes": arguments.model.stat().st_size,
        "program": qingyu.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "training": [
            {"data": data_of(shards), **training_of(run)}
            for run, shards in zip(arguments.run, arguments.shards, strict=True)
        ],
        "scores": {one.cases["name"]: scores_of(one, sha256) for one in results},
    }
    path = arguments.model.with_suffix(".json")
    write_atomically(path, json.dumps(receipt, ensure_ascii=False, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
