"""Forms as text: read, written again the same, and refused with the place named."""

from __future__ import annotations

import pytest

from qingyu.act.forms.reader import parse_form
from qingyu.act.forms.terms import (
    Add,
    Adjust,
    Clause,
    Orders,
    Pick,
    Plain,
    Pointer,
    Quote,
    Remove,
    Scope,
    Serve,
    Set,
    Who,
    Word,
)
from qingyu.errors import InvalidRequestError

FORMS = [
    "talk",
    "yes",
    "no",
    "undo",
    "pick <area>1",
    "pick <ordinal>2",
    "pick everything all",
    'pick "b"',
    "pick <light>1 at <area>2",
    "set <light>1 brightness <percent>2",
    "set <level.volume>1 value <level>2",
    "set <light>1 color cyan brightness <percent>2",
    "more <light>1 brightness",
    "more <climate>1 temperature by <degree>2",
    "on <switch>2",
    "on <light>1 <cover.curtain>2 <level.volume>3",
    "off light at <area>1 but <light>2",
    "off light all but <area>1 ac",
    "set climate all but <climate>1 temperature <degree>2",
    "less heater all but <area>1 temperature by <degree>2",
    "ask sensor all but <area>1 temperature ; off everything all but temperature",
    "on light elsewhere",
    "off <light>1 all",
    "when <time>1 : off <light>2",
    "when <duration>1 : off <light>2 ; on fan",
    "wish cold",
    "wish cold at <area>1 <floor>2",
    "wish bright <light>1",
    "ask temperature at <area>1 state",
    "ask clock",
    "ask date",
    "ask calendar list <time>1",
    "set it color white",
    'absent "微波炉"',
    'add reminder "交报告" <time>1',
    "add timer <duration>1",
    'add it "酸 奶"',
    'remove <todo>1 all but <item>2 "tea"',
    "remove timer all",
    "remove alarm at <area>1 <time>2",
    'send <contact>1 "我晚点到"',
    'call "周"',
    "call it",
    'send it "小白"',
    "hangup",
    "arrive",
    "launch <app>1",
    "navigate <place>1",
    "go here",
    "go <area>1",
    "follow me",
    "follow <target>1",
    "walk <metre>1 back",
    "turn <angle>1 left",
    "turn 180 right",
    "halt",
    "patrol",
    "dock robot",
    "clean vacuum <area>1",
    'unable <robot>1 "weld it"',
    "unable",
    'name it "小白"',
    'forget "小白"',
    "forget <light>1",
    "prefer temperature <degree>1",
    'routine "睡觉了" ; off light all',
]


@pytest.mark.parametrize("text", FORMS)
def test_a_form_is_read_and_written_the_same(text: str) -> None:
    assert str(parse_form(text)) == text


def test_what_a_form_is_made_of() -> None:
    light = Pointer("light", 1)
    assert parse_form("talk") == Word("talk")
    assert parse_form('pick "b"') == Pick(Quote("b"))
    assert parse_form("when <time>1 : off light at <area>2 but <light>3 ; hangup") == Orders(
        (
            Clause(
                Plain(
                    "off",
                    Who("light", Scope(at=(Pointer("area", 2),), but=(Pointer("light", 3),))),
                ),
                Pointer("time", 1),
            ),
            Clause(Serve("hangup")),
        )
    )
    assert parse_form("set <light>1 color red value <percent>2") == Orders(
        (Clause(Set(Who((light,)), (("color", "red"), ("value", Pointer("percent", 2))))),)
    )
    assert parse_form("less it volume") == Orders((Clause(Adjust(False, Who("it"), "volume")),))
    assert parse_form('add todo "a b" <day>1') == Orders(
        (Clause(Add(Who("todo"), Quote("a b"), (Pointer("day", 1),))),)
    )
    assert parse_form("remove timer all") == Orders((Clause(Remove(Who("timer"), None)),))
    assert parse_form("pick everything all") == Pick(Who("everything", Scope(everywhere=True)))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "token 1 is the end"),
        ("dance", "token 1 is dance"),
        ("on", "token 2 is the end"),
        ("on <area>1", "token 2 is <area>1"),
        ("on <light>1 talk", "token 3 is talk"),
        ("set <light>1", "token 3 is the end"),
        ("set <light>1 volume", "token 4 is the end"),
        ("set <light>1 colour red", "token 3 is colour"),
        ("off light at", "token 4 is the end"),
        ("off light but", "token 4 is the end"),
        ("when <time>1 off <light>2", "token 3 is off"),
        ("call <light>1", "token 2 is <light>1"),
        ("walk <metre>1 left", "token 3 is left"),
        ("wish happy", "token 2 is happy"),
        ("on <light>0", "token 2 is <light>0"),
        ("on <lamp>1", "token 2 is <lamp>1"),
        ("on <light>1 ;", "token 4 is the end"),
        ("talk ; on light", "token 2 is ;"),
        ("add todo", "token 3 is the end"),
        ('absent ""', 'token 2 is ""'),
        ("clean vacuum all <area>1", "token 3 is all"),
        ("on  light", "single spaces"),
        ('absent "a', "quotes are closed"),
    ],
)
def test_what_is_no_form_is_named(text: str, place: str) -> None:
    with pytest.raises(InvalidRequestError) as found:
        parse_form(text)
    assert place in str(found.value)
