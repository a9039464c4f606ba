"""Which file is read in which task.

    plan = make_plan(recipe, base)       # plan.tasks: tuples of files of about the same size

Files in a fixed order, so that the same recipe and files give the same data.
"""

from __future__ import annotations

import glob
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from qingyu.errors import DataError
from qingyu.make.data import packages
from qingyu.make.data.recipe import Recipe, Source
from qingyu.text import pick

_TASK_BYTES = 16 << 20
_MAX_TASKS = 1000


@dataclass(frozen=True, kw_only=True)
class File:
    """source: its number in the recipe; name: its path as ids show it."""

    path: str
    name: str
    source: int
    size: int
    changed: int  # nanoseconds since 1970


@dataclass(frozen=True, kw_only=True)
class Plan:
    recipe: Recipe
    tasks: tuple[tuple[File, ...], ...]

    @property
    def num_bytes(self) -> int:
        return sum(file.size for task in self.tasks for file in task)

    @property
    def fingerprint(self) -> str:
        """Of the recipe and the files as they are now: work of another one is not gone on with."""
        files = [
            (file.name, file.source, file.size, file.changed)
            for task in self.tasks
            for file in task
        ]
        text = json.dumps([self.recipe.as_json(), files], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def make_plan(recipe: Recipe, base: Path) -> Plan:
    """base: the folder that relative paths begin at. Raises DataError for a path without files."""
    files = [
        file
        for number, source in enumerate(recipe.sources)
        for file in _files(source, number, base)
    ]
    total = sum(file.size for file in files)
    count = max(1, min(_MAX_TASKS, len(files), -(-total // _TASK_BYTES)))
    tasks: list[list[File]] = [[] for _ in range(count)]
    loads = [0] * count
    for file in sorted(files, key=lambda one: (-one.size, one.source, one.name)):
        lightest = loads.index(min(loads))
        tasks[lightest].append(file)
        loads[lightest] += file.size + 4096
    ordered = (sorted(task, key=lambda one: (one.source, one.name)) for task in tasks)
    return Plan(recipe=recipe, tasks=tuple(map(tuple, ordered)))


def _files(source: Source, number: int, base: Path) -> list[File]:
    root = packages.require(source)[0] if source.package else base
    found: dict[str, File] = {}
    for pattern in source.paths:
        relative = Path(pattern).expanduser()
        if source.package and (relative.is_absolute() or ".." in relative.parts):
            raise DataError(
                pick(
                    f"{pattern} is not within {source.package}",
                    f"{pattern} 不在 {source.package} 之内",
                )
            )
        matches = _matches(root / relative)
        if not matches:
            raise DataError(
                pick(
                    f"{source.title}: {pattern} names no file below {root}",
                    f"{source.title}：{root} 下没有与 {pattern} 对应的文件",
                )
            )
        for path in matches:
            if source.package and root.resolve() not in path.resolve().parents:
                continue  # a link that leads out of the package
            status = path.stat()
            name = path.relative_to(root).as_posix() if root in path.parents else path.as_posix()
            shown = f"{source.package}/{name}" if source.package else name
            found[str(path)] = File(
                path=str(path), name=shown, source=number, size=status.st_size,
                changed=0 if source.package else status.st_mtime_ns,
            )  # fmt: skip
    return list(found.values())


def _matches(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(one for one in path.rglob("*") if one.is_file())
    return sorted(Path(one) for one in glob.glob(str(path), recursive=True) if Path(one).is_file())
