"""The stages of a build, each a datatrove pipeline over a number of tasks.

    for stage in stages(plan, folder, questions): run_stage(stage, workers=2)

On a cluster the same stages go to another executor: docs/data.md. A task that was finished is not
run again; one that was cut short is, from its beginning, and its output has no name until then.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import (
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
from datatrove.pipeline.dedup.minhash import MinhashConfig
from tqdm import tqdm

from qingyu.make.data import steps
from qingyu.make.data.plan import Plan
from qingyu.make.data.writing import WriteShards

# Called with a stage's name, tasks done and tasks in all.
StageProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """steps run in this order in each of `tasks` tasks; logs: datatrove's folder of the stage."""

    name: str
    steps: tuple[PipelineStep, ...]
    tasks: int
    logs: Path


def cleaning(plan: Plan, work: Path, questions: Path | None) -> list[PipelineStep]:
    """The steps that look at one document at a time."""
    recipe = plan.recipe
    trusted = frozenset(i for i, source in enumerate(recipe.sources) if source.trusted)
    made: list[PipelineStep] = [
        steps.ReadFiles(plan, work / "problems"),
        steps.ExtractText(),
        steps.RepairText(recipe.traditional == "simplify"),
        steps.FilterLanguage(recipe.languages),
        steps.FilterQuality(recipe.quality, trusted),
    ]
    if recipe.mask:
        made.append(steps.MaskPersonal())
    if questions is not None:
        made.append(steps.FilterContamination(questions, work / "hits"))
    return made


def stages(plan: Plan, work: Path, out: Path, questions: Path | None) -> list[Stage]:
    """In the order they must run. work: where everything in between lies; out: of the shards."""
    recipe, count = plan.recipe, len(plan.tasks)
    made: list[Stage] = []

    def stage(name: str, tasks: int, *parts: PipelineStep) -> None:
        made.append(Stage(name=name, steps=parts, tasks=tasks, logs=work / "logs" / name))

    clean = cleaning(plan, work, questions)
    last = work / "clean"
    stage("clean", count, *clean, steps.KeepDocuments(last))
    if recipe.duplicates.exact:
        exact = ExactDedupConfig(content_getter=steps.comparable)
        marks, found = str(work / "exact"), str(work / "exact-found")
        stage("exact-1", count, steps.ReadDocuments(last), ExactDedupSignature(marks, exact))
        stage("exact-2", 1, ExactFindDedups(marks, found, exact))
        into = work / "unique"
        stage(
            "exact-3", count, steps.ReadDocuments(last), ExactDedupFilter(found, exact),
            steps.KeepDocuments(into),
        )  # fmt: skip
        last = into
    if recipe.duplicates.near:
        wanted = recipe.duplicates
        near = MinhashConfig(
            n_grams=wanted.ngram, num_buckets=wanted.bands, hashes_per_bucket=wanted.rows
        )
        marks, pairs, groups = (str(work / name) for name in ("near", "near-pairs", "near-groups"))
        stage("near-1", count, steps.ReadDocuments(last), steps.ShingleSignature(marks, near))
        stage("near-2", wanted.bands, MinhashDedupBuckets(marks, pairs, config=near))
        stage("near-3", 1, MinhashDedupCluster(pairs, groups, config=near))
        into = work / "distinct"
        stage(
            "near-4", count, steps.ReadDocuments(last), MinhashDedupFilter(groups),
            steps.KeepDocuments(into),
        )  # fmt: skip
        last = into
    stage("shards", 1, WriteShards(last, work / "order", out, recipe, count))
    return made


class _Executor(LocalPipelineExecutor):  # type: ignore[misc]
    """datatrove's local executor without its manager process, which needs a socket."""

    def run_quietly(self, progress: Callable[[int], None]) -> None:
        todo = self.get_incomplete_ranks()
        done = self.tasks - len(todo)
        progress(done)
        self.save_executor_as_json()
        if self.workers == 1 or len(todo) == 1:
            for rank in todo:
                deepcopy(self)._run_for_rank(rank, 1)
                done += 1
                progress(done)
            return
        context = multiprocessing.get_context("spawn")
        with context.Pool(min(self.workers, len(todo))) as pool:
            # Pipes only: a sealed process may not make a socket.
            run = partial(_run_rank, self)
            for _ in pool.imap_unordered(run, todo):
                done += 1
                progress(done)


def _run_rank(executor: _Executor, rank: int) -> None:
    # Rank 1 on its machine: datatrove's log goes to its file, not to the terminal.
    quiet()
    executor._run_for_rank(rank, 1)


def quiet() -> None:
    """No log and bars of datatrove on the terminal; its files have the log."""
    from datatrove.pipeline.dedup import exact_dedup, minhash
    from loguru import logger

    logger.remove()
    for module in (exact_dedup, minhash):
        module.tqdm = partial(tqdm, disable=True)


def run_stage(
    stage: Stage, *, workers: int = 1, progress: StageProgress = lambda name, done, total: None
) -> None:
    """Run what of a stage has not been run."""
    quiet()
    executor = _Executor(
        pipeline=list(stage.steps), tasks=stage.tasks, workers=workers, logging_dir=str(stage.logs)
    )
    executor.run_quietly(partial(_report, progress, stage))


def _report(progress: StageProgress, stage: Stage, done: int) -> None:
    progress(stage.name, done, stage.tasks)


def statistics(stage: Stage) -> dict[str, int]:
    """Every count of a stage's steps, summed over its tasks; a step's counts begin with its
    name and a slash."""
    from qingyu.models.hashes import read_json

    total: dict[str, int] = {}
    for path in sorted((stage.logs / "stats").glob("*.json")):
        rows: Any = read_json(path) or []
        for row in rows:
            name = str(row["name"]).rpartition(": ")[2].lstrip("💥🎯 ")
            for key, value in row["stats"].items():
                number = value["total"] if isinstance(value, dict) else value
                if isinstance(number, int | float):
                    label = f"{name}/{key}"
                    total[label] = total.get(label, 0) + int(number)
    return total
