"""The households that ship: sound, in both languages, and none of the benchmark's."""

from __future__ import annotations

import re
from importlib.resources import as_file, files

import pytest

from qingyu.act.households import DEFAULT, household_names, open_household
from qingyu.act.world import World, plain
from qingyu.act.world_file import read_world
from qingyu.errors import WorldError

NAMES = household_names()


def test_a_flat_a_house_a_car_a_phone_a_robot() -> None:
    assert set(NAMES) == {"attic_flat", "lakeside_house", "city_car", "amei_phone", "scout"}
    assert NAMES[0] == DEFAULT
    assert len(open_household("lakeside_house").entities) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_a_household_speaks_both_languages(name: str) -> None:
    world = open_household(name)
    assert world.name == name
    assert world.area(world.speaker) is not None
    assert world.now is None
    for one in (*world.entities, *world.areas, *world.floors):
        assert re.search(r"[\u3400-\u9fff]", one.name("zh")), one.id
        assert re.search(r"[A-Za-z]", one.name("en")), one.id


def device_names(world: World) -> set[str]:
    return {plain(name) for one in world.entities for name in one.names}


def test_no_device_is_called_as_one_of_the_benchmark_s() -> None:
    taken: set[str] = set()
    with as_file(files("qingyu.act.bench") / "worlds") as folder:
        for path in folder.glob("*.yaml"):
            taken |= device_names(read_world(path))
    alike = {name: sorted(device_names(open_household(name)) & taken) for name in NAMES}
    assert not any(alike.values()), alike


def test_one_that_is_not_there() -> None:
    with pytest.raises(WorldError, match=r'did you mean|"attic_flat"|attic_flat'):
        open_household("attic_flats")
