from collections.abc import Iterator
from pathlib import Path

import pytest

from qingyu.act.records.database import Database
from qingyu.act.world import World
from tests.act.houses import house
from tests.act.talking import Start, Talking


@pytest.fixture
def world(tmp_path: Path) -> World:
    return house(tmp_path)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    """The assistant's database, empty."""
    with Database(tmp_path / "act.sqlite") as database:
        yield database


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(world=..., forms={sentence: form}) begins a conversation."""
    begun: list[Talking] = []

    def begin(**options: object) -> Talking:
        folder = tmp_path / str(len(begun))
        begun.append(Talking(folder, **options))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for one in begun:
        one.close()
