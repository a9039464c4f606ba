"""Build a data set: plan, stages, report.

    report = build(read_recipe(path), base=path.parent, out=Path("data"))
    report.lines()

What is done is noted in OUT/.work: the same call goes on where a killed one was. The shards appear
when everything is written, and .work goes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from qingyu.errors import DataError
from qingyu.make.data import packages
from qingyu.make.data.contamination import BENCHMARKS
from qingyu.make.data.pipeline import StageProgress, cleaning, run_stage, stages, statistics
from qingyu.make.data.plan import Plan, make_plan
from qingyu.make.data.recipe import Recipe
from qingyu.make.data.report import Report, make_report
from qingyu.make.shards import INDEX
from qingyu.make.text_tokenizer import load_tokenizer
from qingyu.models.hashes import read_json, write_atomically
from qingyu.models.store import home_folder
from qingyu.text import pick

WORK = ".work"


def no_stage_progress(name: str, done: int, total: int) -> None:
    """For whoever does not want to hear about progress."""


def build(
    recipe: Recipe,
    *,
    base: Path,
    out: Path,
    data: Path | None = None,
    workers: int = 1,
    fetch: bool = False,
    restart: bool = False,
    progress: StageProgress = no_stage_progress,
) -> Report:
    """base: the folder relative paths begin at; data: of the evaluation questions; fetch: bring
    packages that are not here; restart: forget work that was begun.

    Raises DataError when the folder holds another data set or work of another recipe, and what
    reading the tokenizer and fetching raise.
    """
    _bring(recipe, fetch)
    recipe = _with_tokenizer(recipe, base)
    plan = make_plan(recipe, base)
    questions = _questions(recipe, data)
    work = out / WORK
    _begin(plan, out, work, restart)
    made = stages(plan, work, out, questions)
    for stage in made:
        try:
            run_stage(stage, workers=workers, progress=progress)
        except DataError:
            raise
        except OSError as error:
            raise DataError(
                pick(
                    f"{out}: {error}; make room or mend it, then run the same command again",
                    f"{out}：{error}；请腾出空间或排除问题后重新运行同一命令",
                )
            ) from error
    counts = {stage.name: statistics(stage) for stage in made}
    report = make_report(plan, out, counts, work, questions is not None)
    report.write(out)
    shutil.rmtree(work)
    return report


def clean_texts(recipe: Recipe, *, base: Path, fetch: bool = False) -> Iterator[tuple[str, str]]:
    """(language, text) of the documents that the rules leave, duplicates among them: what a
    tokenizer is trained on. The recipe's own tokenizer need not exist yet."""
    _bring(recipe, fetch)
    plan = make_plan(recipe, base)
    with tempfile.TemporaryDirectory() as scratch:
        steps = cleaning(plan, Path(scratch), None)
        for rank in range(len(plan.tasks)):
            data: Any = None
            for step in steps:
                data = step.run(data, rank, len(plan.tasks))
            for document in data:
                yield document.metadata["language"], document.text


def _bring(recipe: Recipe, fetch: bool) -> None:
    for source in recipe.sources:
        if source.package and fetch:
            packages.fetch(source.package)


def _with_tokenizer(recipe: Recipe, base: Path) -> Recipe:
    """The recipe with a tokenizer's path made whole; raises when it cannot be loaded."""
    path = base / Path(recipe.tokenizer).expanduser()
    if path.exists():
        recipe = replace(recipe, tokenizer=str(path.resolve()))
    tokenizer = load_tokenizer(recipe.tokenizer)
    if recipe.has_chat and tokenizer.parts.template is None:
        raise DataError(
            pick(
                f"{recipe.tokenizer} has no chat template, and the recipe has chats",
                f"{recipe.tokenizer} 没有对话模板，而配方中有对话数据",
            )
        )
    return recipe


def _questions(recipe: Recipe, data: Path | None) -> Path | None:
    """The folder with evaluation questions to check against, or None."""
    if recipe.contamination == "off":
        return None
    folder = data or home_folder() / "data"
    if any((folder / name).is_dir() for name in BENCHMARKS):
        return folder
    if recipe.contamination == "require" or data is not None:
        raise DataError(
            pick(
                f"there are no evaluation questions in {folder}; bring them with: qingyu pull"
                " ceval and qingyu pull cmmlu",
                f"{folder} 中没有评测题目；请运行 qingyu pull ceval 和 qingyu pull cmmlu",
            )
        )
    return None


def _begin(plan: Plan, out: Path, work: Path, restart: bool) -> None:
    if (out / INDEX).exists() and not work.exists():
        raise DataError(
            pick(
                f"{out} holds a finished data set; choose another --out or remove it",
                f"{out} 中已有完成的数据集；请换一个 --out 或将其删除",
            )
        )
    note = work / "plan.json"
    if restart:
        shutil.rmtree(work, ignore_errors=True)
    if work.exists():
        found = read_json(note)
        if not isinstance(found, dict) or found.get("fingerprint") != plan.fingerprint:
            raise DataError(
                pick(
                    f"{work} was begun with another recipe or other files; begin anew with"
                    " --restart, or choose another --out",
                    f"{work} 属于另一份配方或其他文件；请用 --restart 重新开始，或换一个 --out",
                )
            )
        return
    work.mkdir(parents=True)
    write_atomically(note, json.dumps({"fingerprint": plan.fingerprint}))
