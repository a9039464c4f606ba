"""The households that ship, and how to find one by its name or file.

open_household("lakeside_house")        # one of ours
open_household("home.yaml")             # a file, named with a "/" or its ending
"""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from qingyu.act.world import World
from qingyu.act.world_file import read_world
from qingyu.act.yaml_file import close_to
from qingyu.errors import WorldError
from qingyu.models.store import home_folder
from qingyu.text import pick

DEFAULT = "attic_flat"


def household_names() -> tuple[str, ...]:
    """Those that ship: a flat, a house, a car, a phone, a robot."""
    folder = files("qingyu.act") / "worlds"
    names = sorted(
        one.name.removesuffix(".yaml") for one in folder.iterdir() if ".yaml" in one.name
    )
    return (DEFAULT, *(one for one in names if one != DEFAULT))


def open_household(name: str) -> World:
    """Raises WorldError for a name or file that is not there, and for a file that says what cannot
    be."""
    known = household_names()
    if name in known:
        with as_file(files("qingyu.act") / "worlds" / f"{name}.yaml") as path:
            return read_world(path)
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml") or "/" in name:
        return read_world(path)
    english, chinese = close_to(name, known)
    raise WorldError(
        pick(
            f"there is no household {name!r}{english}; known are {', '.join(known)}, or give a"
            " .yaml file",
            f"没有名为 {name!r} 的家庭{chinese}；已有 {'、'.join(known)}，也可给出 .yaml 文件",
        )
    )


class RecordFiles(NamedTuple):
    """database: what was done, planned, taught. state: how simulated devices were left."""

    database: Path
    state: Path


def record_files(world: World) -> RecordFiles:
    """Where a household's records are kept, by its name; both in one folder."""
    # A household's name is anybody's text, and no path.
    name = re.sub(r"[^\w-]+", "_", world.name)
    folder = home_folder() / "act"
    return RecordFiles(database=folder / f"{name}.sqlite", state=folder / f"{name}.json")
