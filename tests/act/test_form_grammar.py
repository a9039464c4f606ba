"""The grammar of one sentence lets through what its form can be, and nothing else."""

from __future__ import annotations

import pytest

from qingyu.act.forms.grammar import Pending, form_grammar
from qingyu.act.forms.reader import parse_form
from qingyu.act.marks.mark import Mark, Marked
from qingyu.engine.constraint import Constraints, Grammar
from tests.act.test_form import FORMS
from tests.act.test_forms_of_dev import FORMS as DEV
from tests.act.test_forms_of_dev import cases
from tests.act.written_forms import written
from tests.engine.test_constraint import follows
from tests.fakes import VOCAB_SIZE, ByteTokenizer


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteTokenizer(), VOCAB_SIZE)  # type: ignore[arg-type]


def sentence(text: str, *types: str) -> Marked:
    marks = tuple(Mark(type=one, start=0, end=0, words="", value="") for one in types)
    return Marked(text, marks, text)


EVERYTHING = sentence(
    "微波炉 交报告 酸 奶 tea 我晚点到 周 b weld it 小白 睡觉了",
    "light", "cover.curtain", "level.volume", "area", "floor", "contact", "app", "place", "target",
)  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_forms_of_the_dev_cases_can_be_decoded(constraints: Constraints, language: str) -> None:
    refused = []
    for world, case in cases("zh" if language == "zh" else "en")[::3]:
        assert world.now is not None
        for text, said in zip(DEV[case.id], case.say, strict=True):
            form, marked = written(text, said, world, world.now)
            if not follows(constraints, Grammar.lark(form_grammar(marked)), str(form)):
                refused.append(f"{case.id}: {form} of {marked.text}")
    assert refused == []


@pytest.mark.parametrize("text", [one for one in FORMS if "<" not in one])
def test_every_form_without_marks_can_be_decoded(constraints: Constraints, text: str) -> None:
    grammar = Grammar.lark(form_grammar(EVERYTHING))
    assert follows(constraints, grammar, str(parse_form(text)))


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ("on <light>1", True),
        ("on <light>2", False),
        ("on <fan>1", False),
        ("off light at <area>2", True),
        ("off light at <area>1", False),
        ("set <light>1 brightness <percent>3", True),
        ("set <light>1 brightness <percent>1", False),
        ("set <light>1 brightness", False),
        ('absent "toaster"', True),
        ('absent "the toaster in <area>2"', True),
        ('absent "toast"', False),
        ('absent "<area"', False),
        ('absent "oven"', False),
        ('absent ""', False),
        ("when <percent>3 : on <light>1", False),
        ("talk ; on <light>1", False),
        ("on <light>1 ; talk", False),
        ("fly", False),
    ],
)
def test_only_what_is_in_the_sentence(constraints: Constraints, text: str, can: bool) -> None:
    marked = sentence(
        "dim <light>1 and the toaster in <area>2 to <percent>3", "light", "area", "percent"
    )
    assert follows(constraints, Grammar.lark(form_grammar(marked)), text) is can


def test_a_sentence_without_marks_or_words(constraints: Constraints) -> None:
    grammar = Grammar.lark(form_grammar(Marked("", (), "")))
    assert follows(constraints, grammar, "talk")
    assert follows(constraints, grammar, "off light all")
    assert not follows(constraints, grammar, 'absent ""')
    assert not follows(constraints, grammar, "off <light>1")


def test_a_quote_sign_in_a_sentence_ends_no_quote(constraints: Constraints) -> None:
    marked = Marked('add "salt" please', (), 'Add "Salt" please')
    grammar = Grammar.lark(form_grammar(marked))
    assert follows(constraints, grammar, "add todo \"'salt' please\"")


@pytest.mark.parametrize(
    ("pending", "possible"),
    [
        (None, {"yes", "no", "pick everything all", "talk", "undo", "on fan"}),
        ("", {"talk", "undo", "on fan"}),
        ("confirm", {"yes", "no", "talk", "undo", "on fan"}),
        ("which", {"pick everything all", "no", "talk", "undo", "on fan"}),
    ],
)
def test_only_answers_to_what_was_asked(
    constraints: Constraints, pending: Pending | None, possible: set[str]
) -> None:
    grammar = Grammar.lark(form_grammar(Marked("x", (), "x"), pending=pending))
    every = {"yes", "no", "pick everything all", "talk", "undo", "on fan"}
    assert {one for one in every if follows(constraints, grammar, one)} == possible
