"""What a terminal says of a result, and how its folder is called.

print("\\n".join(lines(result, folder)))
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qingyu.models.hashes import write_atomically
from qingyu.prove.benchmarks import CATEGORY_NAMES_ZH
from qingyu.prove.exam import Exam
from qingyu.prove.results import Result
from qingyu.text import pick

SUBMISSION = "submission.json"


def folder_name(exam: Exam, model: Mapping[str, Any]) -> str:
    """A name that says what was asked of whom: ceval-val-5shot-smollm2-135m."""
    parts = [exam.benchmark.id, exam.split, f"{exam.num_shots}shot"]
    if exam.protocol != "official":
        parts.append(exam.protocol)
    if exam.method != "logits":
        parts.append(exam.method)
    if len(exam.questions) < len(exam.benchmark.subjects) or (exam.limit, exam.sample) != (
        None,
        None,
    ):
        parts.append(f"part-{exam.data_sha256[:6]}")
    parts.append(re.sub(r"[^A-Za-z0-9.]+", "-", str(model["name"])).strip("-").lower() or "model")
    if model.get("activation_bits") == 8:
        parts.append("a8")
    return "-".join(parts)


def group_name(name: str) -> str:
    """A category's name in the language in force."""
    return pick(name, CATEGORY_NAMES_ZH[name])


def guessing_note(result: Result) -> str:
    """What stands beside a score that guessing would reach; "" for one that is above it."""
    scores = result.scores
    if scores.beats_guessing:
        return ""
    return pick(
        f"Not distinguishable from guessing: always answering {scores.guessing_letter} gives"
        f" {scores.guessing:.2f} on these questions.",
        f"与猜测无法区分：在这些题目上全部回答 {scores.guessing_letter} 可得"
        f" {scores.guessing:.2f}。",
    )


def part_note(result: Result) -> str:
    """What stands beside a run on some of the questions; "" for a whole one."""
    if result.is_complete:
        return ""
    total = sum(one.counts[result.exam["split"]] for one in result.benchmark.subjects.values())
    return pick(
        f"Only {len(result.answers):,} of {total:,} questions were asked: not to be compared with"
        " published scores.",
        f"只问了 {total:,} 题中的 {len(result.answers):,} 题：不能与公布的分数比较。",
    )


def lines(result: Result, folder: Path) -> Iterator[str]:
    """The result for a person at a terminal."""
    yield f"{result.name} · {result.benchmark.title} {result.setting}"
    if result.is_scored:
        scores = result.scores
        yield pick(
            f"average {scores.macro:.2f} ± {scores.standard_error:.2f}"
            f"  (macro over {len(scores.subjects)} subjects; over questions {scores.micro:.2f})",
            f"平均 {scores.macro:.2f} ± {scores.standard_error:.2f}"
            f"（{len(scores.subjects)} 科的宏平均；按题平均 {scores.micro:.2f}）",
        )
        yield "  ".join(f"{group_name(name)} {value:.2f}" for name, value in scores.groups.items())
        yield from filter(None, (guessing_note(result), part_note(result)))
        if result.exam["method"] != "logits":
            yield pick(
                f"could not be read, and counted as wrong: {scores.unparsed}",
                f"无法识别、按错误计的回答：{scores.unparsed}",
            )
    else:
        yield pick(
            f"answered {len(result.answers):,} questions; the split has no key to score by",
            f"已回答 {len(result.answers):,} 题；此部分没有答案，不计分",
        )
    dropped = [one for one in result.answers if one.dropped_shots]
    if dropped:
        shots = sum(one.dropped_shots for one in dropped)
        yield pick(
            f"{len(dropped)} prompts did not fit the context and lost {shots} examples in all",
            f"{len(dropped)} 个提示超出上下文，共去掉 {shots} 个示例",
        )
    time = result.time
    yield pick(
        f"{time['seconds']:.1f} s, {time['questions_per_second']:.1f} questions/s"
        + (f", {time['resumed']} answers from before" if time["resumed"] else ""),
        f"{time['seconds']:.1f} 秒，每秒 {time['questions_per_second']:.1f} 题"
        + (f"，其中 {time['resumed']} 题此前已答" if time["resumed"] else ""),
    )
    yield pick(f"written to {folder}/", f"已写入 {folder}/")


def write_submission(result: Result, folder: Path) -> Path:
    """C-Eval's submission file; answers that could not be read stay empty."""
    path = folder / SUBMISSION
    write_atomically(path, json.dumps(result.submission(), ensure_ascii=False, indent=1) + "\n")
    return path
