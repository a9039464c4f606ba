from pathlib import Path

import pytest

from qingyu.act.world import World
from tests.act.houses import house


@pytest.fixture
def world(tmp_path: Path) -> World:
    return house(tmp_path)
