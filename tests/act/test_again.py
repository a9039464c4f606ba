"""The same for other devices, and all back as it was: turns that repeat the one before."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.act.resolving.again import is_back
from tests.act.talking import Talking

HOME = """
name: home
speaker: lounge
floors: []
areas:
  - {id: lounge, names: [客厅, lounge]}
  - {id: bed, names: [卧室, bedroom]}
entities:
  - {id: light.lounge, names: [客厅主灯, main light], area: lounge, state: "off",
     attributes: {brightness: 50}}
  - {id: light.bed, names: [床头灯, bed lamp], area: bed, state: "off",
     attributes: {brightness: 50}}
  - {id: climate.bed, names: [地暖, floor heating], area: bed, state: heat,
     attributes: {temperature: 20, last_mode: heat}, options: {mode: ["off", heat]}}
  - {id: climate.lounge, names: [空调, air conditioner], area: lounge, state: heat,
     attributes: {temperature: 20, last_mode: heat}, options: {mode: ["off", heat]}}
  - {id: cover.lounge, names: [客厅窗帘, lounge curtain], area: lounge, state: closed,
     attributes: {kind: curtain}}
  - {id: cover.bed, names: [卧室窗帘, bedroom curtain], area: bed, state: closed,
     attributes: {kind: curtain}}
  - {id: lock.door, names: [大门, front door], area: lounge, state: locked}
  - {id: lock.back, names: [后门, back door], area: bed, state: locked}
"""


def talking(folder: Path) -> Talking:
    file = folder / "home.yaml"
    file.write_text(HOME, encoding="utf-8")
    return Talking(folder, world=str(file), forms={})


@pytest.mark.parametrize(
    ("before", "then", "changed"),
    [
        ("turn on the main light", "the bed lamp too", {"light.bed": "on"}),
        ("turn on the main light", "and the same for the bed lamp please", {"light.bed": "on"}),
        ("turn on the main light", "Do the same in the bedroom.", {"light.bed": "on"}),
        ("打开客厅主灯", "床头灯也一样", {"light.bed": "on"}),
        ("open the lounge curtain", "same for the bedroom curtain", {"cover.bed": "open"}),
        ("打开客厅主灯", "卧室也来一个", {"light.bed": "on"}),
        # Another kind of thing, an order of its own, and nothing before.
        ("turn on the main light", "the floor heating too", {}),
        ("打开客厅主灯", "把床头灯打开", {"light.bed": "on"}),
        ("打开客厅主灯", "床头灯", {}),
        ("hello", "the bed lamp too", {}),
    ],
)
def test_the_same_for_another(
    tmp_path: Path, before: str, then: str, changed: dict[str, str]
) -> None:
    talk = talking(tmp_path)
    talk(before)
    known = dict(talk.changed)
    talk(then)
    new = {id: values["state"] for id, values in talk.changed.items() if id not in known}
    assert new == changed


def test_the_same_number(tmp_path: Path) -> None:
    talk = talking(tmp_path)
    talk("把空调调到25度", "地暖也调成这个数")
    assert talk.changed["climate.bed"] == {"temperature": 25}


def test_the_same_later(tmp_path: Path) -> None:
    talk = talking(tmp_path)
    talk("turn on the main light in 10 minutes")
    assert len(talk("the bed lamp too").planned) == 1
    assert not talk.changed


def test_what_was_taken_back_is_not_done_for_others(tmp_path: Path) -> None:
    talk = talking(tmp_path)
    talk("turn on the main light", "undo", "the bed lamp too")
    assert not talk.changed


def test_the_same_risky_thing_is_asked_for(tmp_path: Path) -> None:
    """The guard sees it as any other order."""
    talk = talking(tmp_path)
    talk("unlock the front door", "yes")
    assert talk.changed["lock.door"] == {"state": "unlocked"}
    assert "?" in talk("same for the back door").text
    assert "lock.back" not in talk.changed


@pytest.mark.parametrize(
    ("sentence", "back"),
    [
        ("put it back where it was", True),
        ("Hang on, that'd scald the kids, put it back the way it was", True),
        ("as it was before, please", True),
        ("太暗，还是原来那么亮吧", True),
        ("恢复原样", True),
        ("turn the lamp back on", False),
        ("back up a bit", False),
        ("I liked it as it was", False),
        ("原来是你开的灯", False),
        ("调太高了，恢复原来的温度", True),
        # More is to be done than that.
        ("turn off the fan, and put it back how it was", False),
        ("set it to 21, like it was before", False),
        ("放刚才的", False),
        ("全都" * 200 + "开", False),
    ],
)
def test_back_as_it_was(sentence: str, back: bool) -> None:
    assert is_back(sentence) == back


def test_back_undoes_the_last_turn(tmp_path: Path) -> None:
    talk = talking(tmp_path)
    talk("turn on the main light")
    assert talk.changed
    talk("put it back how it was")
    assert not talk.changed
