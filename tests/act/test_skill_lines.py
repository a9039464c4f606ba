"""Lines to train with, from examples and the marks that were found."""

from __future__ import annotations

import datetime

import pytest

from qingyu.act.marks.mark import Mark, Marked
from qingyu.act.skill.sentences.generator import Example, Mention, SaidTurn
from qingyu.act.skill.sentences.lines import answer_of, context_of, lines_of
from qingyu.act.state import State
from qingyu.act.world import Entity, World


def mark(type: str, start: int, words: str, *ids: str) -> Mark:
    return Mark(type=type, start=start, end=start + len(words), words=words, value=ids or 1)


def turn(text: str, form: str, *mentions: tuple[str, str, str]) -> SaidTurn:
    made = []
    for type, words, id in mentions:
        start = text.index(words)
        ids = (id,) if id else ()
        made.append(Mention(type=type, words=words, start=start, end=start + len(words), ids=ids))
    return SaidTurn(text=text, form=form, mentions=tuple(made))


def test_the_form_points_at_the_marks_that_were_found() -> None:
    one = turn(
        "把落地灯调到三成", "set <light:落地灯> brightness <percent:三成>",
        ("light", "落地灯", "light.1"), ("percent", "三成", ""),
    )  # fmt: skip
    marked = Marked(
        "把<light>1调到<percent>2",
        (mark("light", 1, "落地灯", "light.1"), mark("percent", 6, "三成")),
    )
    assert answer_of(one, marked) == "set <light>1 brightness <percent>2"


def test_a_mark_of_another_device_is_none() -> None:
    one = turn("开灯王", "on <light:灯王>", ("light", "灯王", "light.1"))
    marked = Marked("开<light>1", (mark("light", 1, "灯王", "light.9"),))
    assert answer_of(one, marked) is None


def test_a_device_that_was_not_recognised_is_absent() -> None:
    one = turn("打开落地等", "on <light:落地等>", ("light", "落地等", "light.1"))
    assert answer_of(one, Marked("打开落地等", ())) == 'absent "落地等"'


def test_a_number_that_was_not_found_is_not_guessed() -> None:
    one = turn("灯调到三乘", "set light value <percent:三乘>", ("percent", "三乘", ""))
    assert answer_of(one, Marked("灯调到三乘", ())) is None


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ("off ac at <area:客厅>", "off <climate>2 at <area>1"),
        ("off ac all but <area:客厅>", None),
        ("off light at <area:客厅>", "off light at <area>1"),
    ],
)
def test_a_class_word_that_is_a_name_is_the_device(form: str, answer: str | None) -> None:
    one = turn("客厅的空调关了", form, ("area", "客厅", "living"))
    marks = (mark("area", 0, "客厅", "living"), mark("climate", 3, "空调", "climate.1"))
    assert answer_of(one, Marked("<area>1的<climate>2关了", marks)) == answer


def test_a_quote_has_the_marks_that_are_in_it() -> None:
    one = turn("提醒我给妈妈打电话", 'add reminder "给妈妈打电话"')
    marked = Marked("提醒我给<contact>1打电话", (mark("contact", 4, "妈妈", "妈妈"),))
    assert answer_of(one, marked) == 'add reminder "给<contact>1打电话"'


def test_a_quote_that_cuts_a_mark_is_left_out() -> None:
    one = turn("提醒我给老妈打电话", 'add reminder "妈打电话"')
    marked = Marked("提醒我给<contact>1打电话", (mark("contact", 4, "老妈", "老妈"),))
    assert answer_of(one, marked) is None


def test_absent_with_half_a_name_of_something_present_is_left_out() -> None:
    one = turn("开防盗卷帘", 'absent "防盗卷帘"')
    assert (
        answer_of(one, Marked("开防盗<cover.blind>1", (mark("cover.blind", 3, "卷帘", "c.1"),)))
        is None
    )


def test_the_turn_before_is_seen_without_numbers() -> None:
    assert context_of("set <light>1 brightness <percent>2") == "set <light> brightness <percent> |"
    assert context_of("unlock <lock>1", "confirm") == "unlock <lock> | confirm"


class Everything:
    """Marks 灯王 wherever it stands."""

    def mark(self, text: str, state: State, now: datetime.datetime) -> Marked:
        at = text.find("灯王")
        if at < 0:
            return Marked(text, (), text)
        return Marked(
            text.replace("灯王", "<light>1"), (mark("light", at, "灯王", "light.1"),), text
        )


def test_lines_have_the_turn_before() -> None:
    world = World(name="x", entities=(Entity(id="light.1", names=("灯王",), state="on"),))
    first = turn("开灯王", "on <light:灯王>", ("light", "灯王", "light.1"))
    example = Example(
        turns=(first, turn("再亮点", "more it brightness")), world=world, category="c"
    )
    lines = list(lines_of(example, Everything()))
    assert [(one.prompt, one.answer) for one in lines] == [
        ("\n开<light>1\n", "on <light>1"),
        ("on <light> |\n再亮点\n", "more it brightness"),
    ]


def test_a_turn_of_the_fast_path_names_the_devices_it_meant() -> None:
    world = World(name="x", entities=(Entity(id="light.1", names=("灯王",), state="on"),))
    contexts = set()
    for text in (f"关灯{at}" for at in range(60)):
        turns = (turn(text, "off light all"), turn("再打开", "on it"))
        lines = list(lines_of(Example(turns=turns, world=world, category="c"), Everything()))
        contexts.add(lines[1].prompt.split("\n")[0])
    assert contexts == {"off light all |", *(f"off{' <light>' * many} |" for many in range(1, 5))}
