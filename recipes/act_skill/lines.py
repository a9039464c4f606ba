"""Writes the sentences that the skill model learns from: train.jsonl and held_out.jsonl.

    python lines.py --lines 600000 --processes 2

Each line is a conversation of two: the turn before with the marked sentence, and its form. Nothing
of the benchmark is in them (`qingyu.act.bench.leaks`). The same seed gives the same lines, however
many processes make them; held_out.jsonl is of other seeds, so of other households.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from qingyu.act.marks.marker import Marker
from qingyu.act.skill.model import prompt_of
from qingyu.act.skill.sentences.generator import sentences
from qingyu.act.skill.sentences.lines import lines_of
from qingyu.act.world import World

HERE = Path(__file__).parent
PIECE = 10_000  # lines of one seed
HELD_OUT_SEED = 1_000_000
LANGUAGES = ("zh", "en")


def piece(job: tuple[int, str, int]) -> list[str]:
    """So many lines of one seed and language, as JSON."""
    seed, language, count = job
    return [
        json.dumps({"messages": messages}, ensure_ascii=False)
        for messages in islice(talks(seed, language), count)
    ]


def talks(seed: int, language: str) -> Iterator[list[dict[str, str]]]:
    markers: dict[int, tuple[World, Marker]] = {}
    for example in sentences(seed, language):
        known = markers.get(id(example.world))
        if known is None or known[0] is not example.world:
            if len(markers) > 200:
                markers.clear()
            known = markers[id(example.world)] = (example.world, Marker(example.world))
        for line in lines_of(example, known[1]):
            context, _, text = line.prompt.removesuffix("\n").partition("\n")
            yield [*prompt_of(context, text), {"role": "assistant", "content": line.answer}]


def write(path: Path, jobs: list[tuple[int, str, int]], processes: int) -> None:
    partial = path.with_suffix(".partial")
    with (
        ProcessPoolExecutor(processes) as pool,
        partial.open("w", encoding="utf-8") as file,
        tqdm(total=sum(count for _, _, count in jobs), unit=" lines", desc=path.name) as bar,
    ):
        for lines in pool.map(piece, jobs):
            file.writelines(line + "\n" for line in lines)
            bar.update(len(lines))
    partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=600_000, help="to learn from")
    parser.add_argument("--held-out", type=int, default=4_000)
    parser.add_argument("--out", type=Path, default=HERE / "train.jsonl")
    parser.add_argument("--first-seed", type=int, default=1, help="other seeds, other lines")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    pieces = -(-arguments.lines // PIECE // len(LANGUAGES))
    jobs = [
        (seed, language, min(PIECE, arguments.lines // len(LANGUAGES)))
        for seed in range(arguments.first_seed, arguments.first_seed + pieces)
        for language in LANGUAGES
    ]
    held = [(HELD_OUT_SEED, language, arguments.held_out // 2) for language in LANGUAGES]
    write(HERE / "held_out.jsonl", held, arguments.processes)
    write(arguments.out, jobs, arguments.processes)


if __name__ == "__main__":
    main()
