"""How much of what strangers say the assistant does right, set by set, in one process.

    python benchmarks/strangers.py                            # all sets, about five minutes
    python benchmarks/strangers.py --set calm --set fair --skill recipes/act_skill/skill.gguf
    python benchmarks/strangers.py --set hard_seen --failures  # what went wrong

What the sets are: benchmarks/strangers/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from _model_files import ROOT
from tqdm import tqdm

from qingyu.act.bench.answers import judged
from qingyu.act.bench.assistant_system import AssistantSystem
from qingyu.act.bench.cases import Case, read_cases
from qingyu.act.bench.running import ask
from qingyu.act.skill.model import open_skill
from qingyu.act.world import World
from qingyu.act.world_file import read_world

FOLDER = ROOT / "benchmarks" / "strangers"
WORLDS = ROOT / "src" / "qingyu" / "act" / "bench" / "worlds"
SETS = sorted(one.name for one in FOLDER.iterdir() if one.is_dir())
SEEN = "_seen"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", action="append", choices=SETS, help="one of them; all by default")
    parser.add_argument("--skill", help="a skill model; the one that ships by default")
    parser.add_argument("--failures", action="store_true", help="print those of the seen sets")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    names = arguments.set or SETS
    if arguments.failures and not any(name.endswith(SEEN) for name in names):
        parser.error(
            f"--failures tells of sets that end in {SEEN}; of others only the score counts"
        )
    rows = []
    with (
        open_skill(arguments.skill) as (skill, identity),
        AssistantSystem(skill=skill, identity=identity) as system,
    ):
        for name in names:
            rows += measure(name, system, arguments.failures and name.endswith(SEEN))
    print(f"{'set':10} {'':2} {'right':>12} {'wrongly done':>13}  lowest categories")
    for row in rows:
        print(line(row))
    target = arguments.json
    if target is None and names == SETS:
        target = ROOT / "benchmarks" / "results" / "strangers.json"
    if target is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    record = {"skill": identity, "rows": rows}
    target.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target}")


def cases(name: str) -> Iterator[tuple[World, Case]]:
    """The cases of a set with their households. Raises DataError, WorldError."""
    for path in sorted((FOLDER / name).glob("*.*.yaml")):
        world = path.stem.rpartition(".")[0]
        own = path.with_name(f"{world}.yaml")
        house = read_world(own if own.exists() else WORLDS / own.name)
        yield from ((house, case) for case in read_cases(path, house))


def measure(name: str, system: AssistantSystem, tell: bool) -> list[dict[str, object]]:
    """A row for each language of a set. tell: print what went wrong."""
    asked: Counter[tuple[str, str]] = Counter()
    right: Counter[tuple[str, str]] = Counter()
    wrong: Counter[str] = Counter()
    for world, case in tqdm(list(cases(name)), desc=name, file=sys.stderr):
        answer = ask(world, case, system)
        verdict = judged(case, world, answer)
        key = (case.language, case.category)
        asked[key] += 1
        right[key] += verdict.right
        wrong[case.language] += verdict.wrongly_done
        if tell and not verdict.right:
            print(f"{case.id}: {'; '.join(map(str, verdict.reasons))}")
            for said, note, reply in zip(case.say, answer.notes, answer.replies, strict=False):
                print(f"    {said}\n      {note}\n      {reply}")
    return [
        {
            "set": name,
            "language": language,
            "cases": sum(count for (one, _), count in asked.items() if one == language),
            "right": sum(count for (one, _), count in right.items() if one == language),
            "wrongly_done": wrong[language],
            "categories": {
                category: [right[one, category], count]
                for (one, category), count in sorted(asked.items())
                if one == language
            },
        }
        for language in sorted({one for one, _ in asked}, reverse=True)
    ]


def line(row: dict[str, object]) -> str:
    categories: dict[str, list[int]] = row["categories"]  # type: ignore[assignment]
    low = sorted(categories.items(), key=lambda one: one[1][0] / one[1][1])[:4]
    told = ", ".join(f"{name} {done}/{count}" for name, (done, count) in low if done < count)
    share = 100 * int(str(row["right"])) / int(str(row["cases"]))
    counts = f"{row['right']}/{row['cases']} {share:.1f}%"
    return f"{row['set']:10} {row['language']:2} {counts:>15} {row['wrongly_done']:>9}   {told}"


if __name__ == "__main__":
    main()
