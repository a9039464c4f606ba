"""Cases read from text, and the judge on right, missing, wrong and other changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.act.actions import apply
from qingyu.act.bench.cases import Case, read_cases
from qingyu.act.bench.judging import Judgement, Scheduled, judge
from qingyu.act.calls import Call
from qingyu.act.when import parse_when
from qingyu.act.world import World
from qingyu.errors import DataError

LAMP_ON = Call("turn_on", "light.desk")


def cases(folder: Path, world: World, text: str) -> tuple[Case, ...]:
    path = folder / "house.en.yaml"
    path.write_text(text, encoding="utf-8")
    return read_cases(path, world)


def one(folder: Path, world: World, rest: str) -> Case:
    text = f'- id: house.en.plain.1\n  say: ["Lamp on"]\n{rest}'
    return cases(folder, world, text)[0]


def judged(
    case: Case,
    world: World,
    *calls: Call,
    reply: str = "Done.",
    later: tuple[Scheduled, ...] = (),
) -> Judgement:
    state = case.beginning
    for call in calls:
        state = apply(world, state, call)
    return judge(case, world, state, reply, later)


def kinds(judgement: Judgement) -> list[str]:
    return [one.kind for one in judgement.reasons]


def test_right(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, '  want: {light.desk: {state: "on"}}\n')
    judgement = judged(case, world, LAMP_ON)
    assert judgement.right
    assert not judgement.wrongly_done


def test_missing(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, '  want: {light.desk: {state: "on", brightness: 20}}\n')
    judgement = judged(case, world, LAMP_ON)
    assert [str(one) for one in judgement.reasons] == [
        "missing: light.desk.brightness should be 20 and is still 80"
    ]
    assert not judgement.wrongly_done


def test_wrong_and_other_changes(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, '  want: {light.desk: {state: "on", brightness: ">90"}}\n')
    judgement = judged(
        case,
        world,
        Call("set", "light.desk", {"brightness": 30}),
        Call("turn_on", "light.torch"),
    )
    assert [str(one) for one in judgement.reasons] == [
        "wrong: light.desk.brightness should be >90 and became 30",
        "other change: light.torch.state became on",
    ]
    assert judgement.wrongly_done


def test_nothing_wanted(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, "  want: {}\n")
    assert judged(case, world).right
    assert kinds(judged(case, world, LAMP_ON)) == ["other"]


def test_from_is_where_it_begins(tmp_path: Path, world: World) -> None:
    case = one(
        tmp_path,
        world,
        '  from: {light.desk: {state: "on"}}\n  want: {light.desk: {brightness: 20}}\n',
    )
    assert case.beginning.get("light.desk") == "on"
    assert judged(case, world, Call("set", "light.desk", {"brightness": 20})).right


def test_one_of_several(tmp_path: Path, world: World) -> None:
    case = one(
        tmp_path,
        world,
        '  any:\n    - {light.desk: {state: "on"}}\n    - {fan.round: {state: "on"}}\n',
    )
    assert judged(case, world, Call("turn_on", "fan.round")).right
    assert kinds(judged(case, world, LAMP_ON, Call("turn_on", "fan.round"))) == ["other"]
    assert kinds(judged(case, world)) == ["missing"]


def test_what_may_change(tmp_path: Path, world: World) -> None:
    case = one(
        tmp_path,
        world,
        '  want: {light.desk: {state: "on"}}\n  may: {light.desk: {brightness: "<80"}}\n',
    )
    assert judged(case, world, LAMP_ON).right
    assert judged(case, world, Call("set", "light.desk", {"brightness": 20})).right
    assert kinds(judged(case, world, Call("set", "light.desk", {"brightness": 90}))) == ["other"]


def test_what_is_kept_in_mind_does_not_count(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, "  want: {climate.hall: {state: cool}}\n")
    assert judged(case, world, Call("set", "climate.hall", {"mode": "cool"})).right


def test_replies(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, '  want: {}\n  reply: ["19.5|nineteen", "Sure？"]\n')
    assert judged(case, world, reply="It is NINETEEN and a half. sure?").right
    judgement = judged(case, world, reply="It is warm.")
    assert [str(one) for one in judgement.reasons] == [
        "reply lacks 19.5|nineteen",
        "reply lacks Sure？",
    ]


def test_asking_back(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, '  want: {}\n  asks: ["hall", "attic|loft"]\n')
    assert judged(case, world, reply="The one in the Hall or in the attic?").right
    assert kinds(judged(case, world, reply="The one in the hall?")) == ["asks"]


SCHEDULE = '  want: {}\n  schedule: {at: "22:00", want: {light.desk: {state: "on"}}}\n'


def test_schedules(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, SCHEDULE)

    def later(when: str, *calls: Call) -> tuple[Scheduled, ...]:
        return (Scheduled(parse_when(when), calls),)

    assert judged(case, world, later=later("22:00", LAMP_ON)).right
    assert judged(case, world, later=later("2026-11-26 22:00", LAMP_ON)).right
    assert judged(case, world, later=later("+9000", LAMP_ON)).right
    for wrong in (
        (),
        later("21:00", LAMP_ON),
        later("22:00"),
        later("22:00", LAMP_ON, Call("turn_on", "light.torch")),
        later("22:00", LAMP_ON) + later("23:00", Call("turn_on", "light.torch")),
        later("22:00", Call("turn_on", "light.none")),
    ):
        judgement = judged(case, world, later=wrong)
        assert set(kinds(judgement)) == {"schedule"}, wrong
    assert kinds(judged(case, world, LAMP_ON, later=later("22:00", LAMP_ON)))[0] == "other"


def test_two_schedules_at_one_moment_are_one(tmp_path: Path, world: World) -> None:
    case = one(
        tmp_path,
        world,
        '  want: {}\n  schedule: {at: "+60", want: {light.desk: {state: "on"}, fan.round: '
        '{state: "on"}}}\n',
    )
    both = tuple(
        Scheduled(parse_when("+60"), (Call("turn_on", one),)) for one in ("light.desk", "fan.round")
    )
    assert judged(case, world, later=both).right
    assert not judged(case, world, later=both[:1]).right


def test_a_schedule_nobody_asked_for(tmp_path: Path, world: World) -> None:
    case = one(tmp_path, world, "  want: {}\n")
    judgement = judged(case, world, later=(Scheduled(parse_when("+60"), (LAMP_ON,)),))
    assert kinds(judgement) == ["schedule"]
    assert judgement.wrongly_done


def test_speaker(tmp_path: Path, world: World) -> None:
    assert one(tmp_path, world, "  want: {}\n").speaker == "hall"
    assert one(tmp_path, world, "  want: {}\n  speaker: attic\n").speaker == "attic"
    assert one(tmp_path, world, '  want: {}\n  speaker: ""\n').speaker == ""


BAD = {
    "an unknown key": ("  wants: {}\n", ["wants", "did you mean want?"]),
    "neither want nor any": ("", ["want", "any"]),
    "both": ("  want: {}\n  any: [{}]\n", ["want", "any"]),
    "an unknown device": ('  want: {light.dusk: {state: "on"}}\n', ["light.dusk", "light.desk"]),
    "an unknown attribute": ("  want: {light.desk: {speed: 3}}\n", ["light.desk", "speed"]),
    "a value out of range": ("  want: {light.desk: {brightness: 0}}\n", ["brightness is 0"]),
    "a value never reached": ('  want: {light.desk: {brightness: ">100"}}\n', [">100"]),
    "a state that is none": ("  want: {light.desk: {state: bright}}\n", ["'bright'"]),
    "no change": ('  want: {light.desk: {state: "off"}}\n', ["light.desk.state", "beginning"]),
    "no change by a matcher": (
        '  want: {light.desk: {state: "on", brightness: ">50"}}\n',
        ["light.desk.brightness", ">50", "(80)"],
    ),
    "no change in one of any": (
        '  any: [{light.desk: {state: "on"}}, {fan.round: {state: "off"}}]\n',
        ["fan.round.state"],
    ),
    "from an unknown device": ('  from: {light.x: {state: "on"}}\n  want: {}\n', ["light.x"]),
    "from what cannot be": ("  from: {fan.round: {speed: 0}}\n  want: {}\n", ["speed is 0"]),
    "an unknown place": ("  speaker: moon\n  want: {}\n", ["speaker", "moon"]),
    "no such moment": (
        '  want: {}\n  schedule: {at: noon, want: {light.desk: {state: "on"}}}\n',
        ["noon"],
    ),
    "a schedule without a moment": ("  want: {}\n  schedule: {want: {}}\n", ["schedule", "at"]),
    "a reply that is no list": ("  want: {}\n  reply: hall\n", ["reply", "list"]),
    "a number for a reply": ("  want: {}\n  reply: [23]\n", ["reply", "quotes"]),
    "may of what is not there": ("  want: {}\n  may: {lock.z: {state: locked}}\n", ["lock.z"]),
    "an empty change": ("  want: {light.desk: {}}\n", ["want.light.desk", "empty"]),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_case_is_named(tmp_path: Path, world: World, what: str) -> None:
    rest, words = BAD[what]
    with pytest.raises(DataError) as caught:
        one(tmp_path, world, rest)
    for word in ["house.en.yaml", "house.en.plain.1", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("id", "words"),
    [
        ("house.en.plain", "WORLD.LANGUAGE.CATEGORY.NUMBER"),
        ("house.fr.plain.1", "WORLD.LANGUAGE.CATEGORY.NUMBER"),
        ("house.en.plane.1", "did you mean plain?"),
        ("house.zh.plain.1", "house.en"),
        ("home.en.plain.1", "house.en"),
    ],
)
def test_a_bad_id(tmp_path: Path, world: World, id: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        cases(tmp_path, world, f"- id: {id}\n  say: [x]\n  want: {{}}\n")


def test_ids_are_unique_and_something_is_said(tmp_path: Path, world: World) -> None:
    case = "- id: house.en.plain.1\n  say: [x]\n  want: {}\n"
    with pytest.raises(DataError, match=r"house.en.plain.1: id is there twice"):
        cases(tmp_path, world, case * 2)
    for said in ("[]", '[""]', "x", "[7]"):
        with pytest.raises(DataError, match="say"):
            cases(tmp_path, world, case.replace("[x]", said))
    with pytest.raises(DataError, match="no list of cases"):
        cases(tmp_path, world, "a: b\n")
