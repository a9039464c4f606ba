from collections.abc import Iterator
from pathlib import Path

import pytest

from qingyu.act.database import Database
from qingyu.act.world import World
from tests.act.houses import house


@pytest.fixture
def world(tmp_path: Path) -> World:
    return house(tmp_path)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    """The assistant's database, empty."""
    with Database(tmp_path / "act.sqlite") as database:
        yield database
