"""From texts to letters: what the papers' rules read, what chat models write, what is no answer."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.extraction import NAMES, clean, extract

BOTH = ("ceval", "cmmlu")
WAYS = [(benchmark, method) for benchmark in BOTH for method in ("generate", "cot")]


def letter(text: str, benchmark: str, method: str) -> str:
    return extract(text, benchmark=benchmark, method=method).letter


# Read alike by both benchmarks and both methods.
ANSWERS = [
    ("B", "B"),
    ("b", "B"),
    ("(B)", "B"),
    ("“B”", "B"),
    ("B。", "B"),
    ("**B**", "B"),
    ("Ｂ", "B"),
    ("B. 内容", "B"),
    ("Ｂ．内容", "B"),
    ("B、内容", "B"),
    ("D项", "D"),
    ("A选项", "A"),
    ("A是正确答案", "A"),
    ("答案：B", "B"),
    ("答案:B", "B"),
    ("答：C", "C"),
    ("答案：**C**", "C"),
    ("【答案】D", "D"),
    ("答案：【C】", "C"),
    ("答案是（C）。", "C"),
    ("正确答案是 B。", "B"),
    ("正确答案为：\n\nB. 内容", "B"),
    ("正确答案应该是选项 D", "D"),
    ("我认为答案是：选项B。", "B"),
    ("因此，正确的选项是 C：内容", "C"),
    ("最佳选项：D", "D"),
    ("选B", "B"),
    ("选项B", "B"),
    ("故选：A。", "A"),
    ("应该选择D选项", "D"),
    ("这道题选择 **C. 内容**。", "C"),
    ("不选A，选B", "B"),
    ("选项 C 正确", "C"),
    ("选项A错误，选项B正确", "B"),
    ("A错误，B正确", "B"),
    ("A 不正确，B 正确", "B"),
    ("A、C 都错，选 D", "D"),
    ("A, C 都错，应选D", "D"),
    ("错误的是B", "B"),
    ("综上，C当选", "C"),
    ("根据题意，B 选项符合题意，A 不符合题意", "B"),
    ("答案是A，B选项错在时间。", "A"),
    ("答案是A，B、C、D均错误", "A"),
    ("The answer is B", "B"),
    ("The answer is (C)", "C"),
    ("The correct option is **D**.", "D"),
    ("Answer: C", "C"),
    ("A is the correct answer", "A"),
    ("A is wrong. The correct answer is D.", "D"),
    ("Option A is incorrect, option B is correct.", "B"),
    ("I would choose B because it is right.", "B"),
    (r"\boxed{B}", "B"),
    (r"所以 $\boxed{\text{C}}$", "C"),
    (r"A 看似可以，但结论是 \boxed{D}", "D"),
    ("A. 甲\nB. 乙\nC. 丙\nD. 丁\n\n答案：B", "B"),
    ("B\n\n题目：下一题\nA. 甲\nB. 乙", "B"),
    ("<think>A？不，应该是 A。</think>\n\nB", "B"),
    ("<thinking>\n答案是A\n</thinking>答案是C", "C"),
    ("我先想想 A</think>答案是C", "C"),
    ("首先看一看。\n然后\n\n**C. 内容**", "C"),
]


@pytest.mark.parametrize(("benchmark", "method"), WAYS)
@pytest.mark.parametrize(("text", "expected"), ANSWERS)
def test_answer(text: str, expected: str, benchmark: str, method: str) -> None:
    assert letter(text, benchmark, method) == expected


NOTHING = [
    "",
    "  \n",
    "。",
    "我不知道",
    "An apple",
    "A cell is small",
    "DNA",
    "答案是DNA",
    "The answer is A cell wall",
    "ABCD",
    "A和B",
    "A、C",
    "答案是 A、C",
    "答案是A和B",
    "不应选A",
    "A. 甲\nB. 乙\nC. 丙\nD. 丁",
    "<think>答案是A",
    "<think>答案是A</think>",
    "答案是E",
    "选项E",
    "answer: c3",
    "Vitamin B12",
]


@pytest.mark.parametrize(("benchmark", "method"), WAYS)
@pytest.mark.parametrize("text", NOTHING)
def test_no_answer(text: str, benchmark: str, method: str) -> None:
    assert extract(text, benchmark=benchmark, method=method) == ("", "")


@pytest.mark.parametrize(
    ("text", "benchmark", "method", "expected"),
    [
        ("B", "ceval", "generate", ("B", "exact")),
        ("B，因为甲。", "ceval", "generate", ("B", "first")),
        ("正确答案应为：选项 B", "ceval", "generate", ("B", "ceval-phrase")),
        ("正确的一项是C", "ceval", "generate", ("C", "ceval-phrase")),
        ("答案选D", "ceval", "generate", ("D", "ceval-phrase")),
        # The last match of a phrase counts in C-Eval, the first in CMMLU.
        ("有人说答案是A，其实答案是B", "ceval", "generate", ("B", "ceval-phrase")),
        ("有人说答案是A，其实答案是B", "cmmlu", "generate", ("A", "cmmlu-phrase")),
        ("经分析，选择 C", "cmmlu", "generate", ("C", "cmmlu-phrase")),
        ("由此可知B符合题意", "cmmlu", "generate", ("B", "cmmlu-phrase")),
        ("正确选项是 D", "cmmlu", "generate", ("D", "cmmlu-phrase")),
        ("甲对应 A，乙对应 B，后者当选", "cmmlu", "generate", ("B", "cmmlu-verdict")),
        ("可见 A 与题意无关而 C 说得正确", "cmmlu", "generate", ("C", "cmmlu-verdict")),
        ("甲说的是：D", "cmmlu", "generate", ("D", "cmmlu-weak")),
        ("对的那个不是D，也就没有", "cmmlu", "generate", ("D", "cmmlu-only")),
        ("我倾向于 B 这一个", "ceval", "generate", ("B", "only")),
        ("我倾向于 B 这一个", "cmmlu", "generate", ("B", "cmmlu-only")),
        # Chains of thought: the conclusion, not the option looked at first.
        ("1. A 项……\n所以答案是C。", "ceval", "cot", ("C", "ceval-conclusion")),
        ("A. 这一项说甲\n所以答案是C。", "ceval", "cot", ("C", "ceval-conclusion")),
        ("先得答案是A。再想，所以答案是B。", "ceval", "cot", ("B", "ceval-conclusion")),
        ("所以答案为D。", "ceval", "cot", ("D", "ceval-conclusion")),
        ("选项B是正确的。", "ceval", "cot", ("B", "ceval-conclusion")),
        ("A 项提到甲，与题意不合。\n因此答案是 D", "cmmlu", "cot", ("D", "answer")),
        ("一步一步看。应当选 C", "cmmlu", "cot", ("C", "choose")),
        ("逐项分析后：\n\nB. 乙", "cmmlu", "cot", ("B", "cmmlu-only")),
    ],
)
def test_rule(text: str, benchmark: str, method: str, expected: tuple[str, str]) -> None:
    assert extract(text, benchmark=benchmark, method=method) == expected


def test_every_rule_is_in_the_table() -> None:
    from qingyu.prove import extraction

    assert extraction.__doc__ is not None
    for name in NAMES:
        assert name in extraction.__doc__, name
    used = {extract(text, benchmark=b, method=m).rule for text, _ in ANSWERS for b, m in WAYS}
    assert {"exact", "boxed", "first", "answer", "english", "choose", "correct", "line"} <= used


_PIECES = st.sampled_from(
    [
        *"ABCDＡＢab、，。：.:()（）*\n ",
        "答案",
        "是",
        "选",
        "项",
        "不",
        "正确",
        "错误",
        "当选",
        "the answer",
    ]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=30).map("".join)))
def test_any_text_has_a_letter_and_its_rule_or_neither(text: str) -> None:
    for benchmark, method in WAYS:
        found = extract(text, benchmark=benchmark, method=method)
        assert found == ("", "") or (found.letter in LETTERS and found.rule in NAMES)


def test_clean_text() -> None:
    assert clean("<think>x</think>\r\n\r\n **Ａ** （B）  \n\n# C") == "A B\nC"


@pytest.mark.parametrize(
    "piece",
    ["答案 ", "答案为", "答案是", "A,", "A、", "A ", "\n ", "(", "<think>", r"\text{", "的", "A正"],
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    started = time.process_time()
    for benchmark, method in WAYS:
        extract(piece * 50_000, benchmark=benchmark, method=method)
    assert time.process_time() - started < 5
