"""The names that training households draw from: data/<language>/names*.yaml, read once.

    names = read_names("zh")
    names.plain("light")          # ("落地灯", ...)

A list in a file is of single names; where one thing has several names, they are written with a
slash between them (妈妈/老妈).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qingyu.act.yaml_file import read_yaml
from qingyu.errors import DataError

DATA = Path(__file__).parent / "data"
Group = tuple[str, ...]


@dataclass(frozen=True)
class Names:
    """groups: {key: names of one thing each}. Keys: a domain, domain.kind, "nick", "area.home",
    "floor", "contact", "place.car", "app", "source", "mode.climate.cool", "item", ..."""

    groups: Mapping[str, tuple[Group, ...]]

    def of(self, key: str) -> tuple[Group, ...]:
        """The names of a key, () where there are none."""
        return self.groups.get(key, ())

    def plain(self, key: str) -> tuple[str, ...]:
        """The first name of each."""
        return tuple(one[0] for one in self.of(key))


@cache
def read_names(language: str) -> Names:
    """All names of a language. Raises DataError for a damaged file."""
    groups: dict[str, tuple[Group, ...]] = {}
    for path in sorted((DATA / language).glob("names*.yaml")):
        for key, values in (read_yaml(path, DataError) or {}).items():
            found = [tuple(part.strip() for part in str(one).split("/")) for one in values]
            groups[key] = (*groups.get(key, ()), *found)
    return Names(groups)
