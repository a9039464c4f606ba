"""Prompts to the byte, on a question made for this test."""

from __future__ import annotations

from qingyu.prove import benchmarks, protocols
from qingyu.prove.questions import Question

CEVAL, CMMLU = benchmarks.find("ceval"), benchmarks.find("cmmlu")
LAW, ARTS = CEVAL.subjects["law"], CMMLU.subjects["arts"]
SHOT = Question(
    subject="law", id=0, text="一加一等于？", choices=("1", "2", "3", " 4"), answer="B",
    explanation="1. 一加一是二。",
)  # fmt: skip
ASKED = Question(subject="law", id=1, text=" 水是？ ", choices=("液", "气", "固", "光"), answer="A")


def test_ceval_official() -> None:
    prompt = protocols.logits_prompt(CEVAL, "official", LAW, [SHOT], ASKED)
    assert prompt.text == (
        "以下是中国关于法学考试的单项选择题，请选出其中的正确答案。\n\n"
        "一加一等于？\nA. 1\nB. 2\nC. 3\nD.  4\n答案：B\n\n"
        " 水是？ \nA. 液\nB. 气\nC. 固\nD. 光\n答案："
    )
    assert prompt.shared.endswith("答案：B\n\n")
    assert prompt.continuations == ("A", "B", "C", "D")


def test_cmmlu_official() -> None:
    prompt = protocols.logits_prompt(CMMLU, "official", ARTS, [SHOT], ASKED)
    assert prompt.text == (
        "以下是关于艺术学的单项选择题，请直接给出正确答案的选项。\n\n"
        "题目：一加一等于？\nA. 1\nB. 2\nC. 3\nD.  4\n答案是：B\n\n"
        "题目： 水是？ \nA. 液\nB. 气\nC. 固\nD. 光\n答案是："
    )


def test_harness() -> None:
    prompt = protocols.logits_prompt(CEVAL, "harness", LAW, [SHOT], ASKED)
    assert prompt.text == (
        "以下是中国关于法学的单项选择题，请选出其中的正确答案。\n\n"
        "一加一等于？\nA. 1\nB. 2\nC. 3\nD.  4\n答案： B\n\n"
        "水是？\nA. 液\nB. 气\nC. 固\nD. 光\n答案："
    )
    assert prompt.continuations == (" A", " B", " C", " D")
    other = protocols.logits_prompt(CMMLU, "harness", ARTS, [], ASKED)
    assert other.text.startswith("以下是关于艺术学的单项选择题，请直接给出正确答案的选项。\n\n水是")
    assert other.text.endswith("\n答案：")


def test_chain_of_thought() -> None:
    prompt = protocols.cot_prompt(CEVAL, LAW, [SHOT], ASKED)
    assert prompt.text == (
        "以下是中国关于法学考试的单项选择题，请选出其中的正确答案。\n\n"
        "一加一等于？\nA. 1\nB. 2\nC. 3\nD.  4\n答案：让我们一步一步思考，\n"
        "1. 一加一是二。\n所以答案是B。\n\n"
        " 水是？ \nA. 液\nB. 气\nC. 固\nD. 光\n答案：让我们一步一步思考，\n1."
    )
    other = protocols.cot_prompt(CMMLU, ARTS, [SHOT], ASKED)
    assert other.text.startswith("以下是关于艺术学的单项选择题，请分析并选出正确答案。\n\n题目：")
    assert "答案是：B\n\n" in other.text
    assert other.text.endswith("\n逐步分析并给出答案选项。")


def test_conversations() -> None:
    turns = protocols.messages(CEVAL, "official", LAW, [SHOT], ASKED)
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[0]["content"] == "以下是中国关于法学考试的单项选择题，请选出其中的正确答案。"
    assert turns[2]["content"] == "B"
    assert turns[3]["content"] == " 水是？ \nA. 液\nB. 气\nC. 固\nD. 光\n答案："
    thinking = protocols.messages(CEVAL, "official", LAW, [SHOT], ASKED, cot=True)
    assert thinking[2]["content"] == "1. 一加一是二。\n所以答案是B。"
    (turn,) = protocols.messages(CMMLU, "official", ARTS, [SHOT], ASKED)
    assert turn["role"] == "user"
    assert turn["content"].startswith("以下是关于艺术学的")
