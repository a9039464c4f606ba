"""Answers that are written: the same in any company, read, cut, resumed, with shots that fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import EOS, TURN, context_of, fake_model
from prove.made_exams import made_exam
from qingyu.errors import ContextFullError, InvalidRequestError, TemplateError
from qingyu.prove.evaluation import evaluate
from qingyu.prove.exam import Answer, Exam
from qingyu.prove.writing import WritingAnswerer

_LEAD = (TURN, *b"assistant: ")


def says(text: str) -> Any:
    """A script: every conversation is answered with this text."""
    wanted = (*text.encode(), EOS)

    def next_token(history: tuple[int, ...]) -> int | None:
        for done in range(len(wanted)):
            lead = (*_LEAD, *wanted[:done])
            if history[-len(lead) :] == lead:
                return wanted[done]
        return None

    return next_token


def continues(text: str) -> Any:
    """The same for a plain prompt: what follows its last cue."""
    wanted = (*text.encode(), EOS)
    cues = [tuple("让我们一步一步思考，\n1.".encode()), tuple("并给出答案选项。".encode())]

    def next_token(history: tuple[int, ...]) -> int | None:
        for cue in cues:
            for done in range(len(wanted)):
                lead = (*cue, *wanted[:done])
                if history[-len(lead) :] == lead:
                    return wanted[done]
        return None

    return next_token


def model_that(script: Any = None, **options: Any) -> Any:
    settings = {"context": 4096, "kv_tokens": 32768, "chunk_tokens": 512, **options}
    return fake_model(script=script, **settings)


def answered(answerer: WritingAnswerer, exam: Exam) -> list[Answer]:
    found = list(answerer.answers(exam, list(exam.all_questions())))
    return sorted(found, key=lambda one: (one.subject, one.id))


def test_letters_are_read_out_of_texts() -> None:
    model = model_that(says("正确答案是 C。"))
    found = answered(WritingAnswerer(model, max_tokens=60), made_exam(shots=1))
    assert len(found) == 6
    assert {(one.choice, one.text, one.rule, one.cut) for one in found} == {
        ("C", "正确答案是 C。", "ceval-phrase", False)
    }
    assert all(one.prompt_tokens > 0 and one.log_probs is None for one in found)


def test_a_text_that_is_cut_is_read_and_marked() -> None:
    model = model_that(says("选B，因为甲乙丙丁戊己庚辛"))
    found = answered(WritingAnswerer(model, max_tokens=7), made_exam())
    assert {(one.choice, one.text, one.cut) for one in found} == {("B", "选B，", True)}


def test_nothing_read_is_no_letter() -> None:
    found = answered(WritingAnswerer(model_that(says("不知道")), max_tokens=40), made_exam())
    assert {(one.choice, one.rule) for one in found} == {("", "")}


@pytest.mark.parametrize("benchmark", ["ceval", "cmmlu"])
@pytest.mark.parametrize("method", ["generate", "cot"])
def test_same_alone_and_in_company(benchmark: str, method: str) -> None:
    exam = made_exam(benchmark=benchmark, method=method, shots=2, questions_each=5)
    ways = [
        answered(WritingAnswerer(model_that(**options), max_tokens=12, most_running=running), exam)
        for running, options in [
            (1, {}),
            (32, {}),
            (3, {"chunk_tokens": 64}),
            (32, {"kv_tokens": 4096}),
        ]
    ]
    assert all(way == ways[0] for way in ways)
    assert len({one.text for one in ways[0]}) > 5


def test_texts_run_together_and_what_they_share_is_computed_once() -> None:
    exam = made_exam(shots=5, questions_each=8, subjects=1)
    model = model_that(says("A"))
    found = answered(WritingAnswerer(model, max_tokens=8), exam)
    prompts = sum(one.prompt_tokens for one in found)
    assert sum(context_of(model).forwards) < prompts / 2


def test_pages_suffice() -> None:
    """With a small cache fewer run at once, and none is computed twice."""
    exam = made_exam(questions_each=8)
    small, large = model_that(context=1024, kv_tokens=1024), model_that()
    assert answered(WritingAnswerer(small, max_tokens=16), exam)
    assert answered(WritingAnswerer(large, max_tokens=16), exam)
    assert sum(context_of(small).forwards) <= 1.1 * sum(context_of(large).forwards)


def test_answers_come_as_they_finish() -> None:
    exam = made_exam(questions_each=6)
    model = model_that(says("B"))
    stream = WritingAnswerer(model, max_tokens=8, most_running=2).answers(
        exam, list(exam.all_questions())
    )
    next(stream)
    done = len(context_of(model).forwards)
    rest = list(stream)
    assert len(rest) == 11
    assert len(context_of(model).forwards) > 2 * done


def test_leaving_early_frees_the_pages() -> None:
    exam = made_exam(questions_each=6)
    model = model_that()
    stream = WritingAnswerer(model, max_tokens=30).answers(exam, list(exam.all_questions()))
    next(stream)
    stream.close()
    core = model.core
    with core:
        while core.evict():
            pass
    assert context_of(model).pages_free == context_of(model).pages_total


def test_a_base_model_cannot_generate() -> None:
    answerer = WritingAnswerer(model_that(template=False), max_tokens=8)
    exam = made_exam()
    with pytest.raises(TemplateError, match="needs a chat template, and the model fake has none"):
        answerer.answers(exam, list(exam.all_questions()))


@pytest.mark.parametrize(
    ("benchmark", "shots", "written", "kept"),
    [
        ("ceval", 1, " 甲\n2. 乙\n所以答案是C。\n\n下一题", " 甲\n2. 乙\n所以答案是C。"),
        ("ceval", 0, " 甲\n\n2. 乙\n所以答案是C。\n\n以下是", " 甲\n\n2. 乙\n所以答案是C。"),
        ("cmmlu", 1, "\n\n答案是：C\n\n题目：另", "\n\n答案是：C"),
    ],
)
def test_a_base_model_thinks_until_it_asks_itself(
    benchmark: str, shots: int, written: str, kept: str
) -> None:
    model = model_that(continues(written), template=False)
    exam = made_exam(benchmark=benchmark, method="cot", shots=shots)
    found = answered(WritingAnswerer(model, max_tokens=120), exam)
    assert {(one.choice, one.text, one.cut) for one in found} == {("C", kept, False)}


def test_a_chat_model_thinks_in_its_template() -> None:
    model = model_that(says("一步一步看\n\n甲不对。\n所以答案是B。"))
    found = answered(WritingAnswerer(model, max_tokens=120), made_exam(method="cot", shots=1))
    assert {(one.choice, one.rule) for one in found} == {("B", "ceval-conclusion")}


def test_shots_that_leave_no_room_are_dropped() -> None:
    exam = made_exam(shots=5)
    question = next(exam.all_questions())
    model = model_that(says("A"))
    lengths = [
        len(model.chat_tokens(exam.messages(question, shots=exam.shots["law"][:count])))
        for count in range(6)
    ]
    room = lengths[3] + 20
    tight = model_that(says("A"), context=room, kv_tokens=4 * room)
    found = answered(WritingAnswerer(tight, max_tokens=20), exam)
    assert found[0].dropped_shots == 2
    assert found[0].prompt_tokens == lengths[3]


def test_a_question_that_does_not_fit_is_an_error() -> None:
    exam = made_exam(shots=2)
    model = model_that(context=128, kv_tokens=512)
    with pytest.raises(ContextFullError) as caught:
        answered(WritingAnswerer(model, max_tokens=40), exam)
    assert (caught.value.limit, caught.value.room) == (128, 88)
    assert caught.value.prompt > 88


@pytest.mark.parametrize("max_tokens", [0, 4096])
def test_max_tokens_must_leave_room(max_tokens: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"max_tokens is {max_tokens}; with a context"):
        WritingAnswerer(model_that(), max_tokens=max_tokens)


def test_identity_holds_what_decides_answers() -> None:
    chat, base = (
        WritingAnswerer(model_that(), max_tokens=9),
        WritingAnswerer(model_that(template=False), max_tokens=9),
    )
    assert chat.identity["name"] == "fake"
    assert (chat.identity["max_tokens"], chat.identity["context"]) == (9, 4096)
    assert len(chat.identity["chat_template"]) == 64
    assert base.identity["chat_template"] is None
    quiet = WritingAnswerer(model_that(), template_values={"enable_thinking": False})
    assert quiet.identity["template_values"] == {"enable_thinking": False}
    json.dumps(dict(quiet.identity))


def test_interrupted_and_resumed_is_the_same(tmp_path: Path) -> None:
    exam = made_exam(shots=1, questions_each=6)
    whole = evaluate(exam, WritingAnswerer(model_that(), max_tokens=10), tmp_path / "whole")

    class Interrupted(WritingAnswerer):
        def answers(self, exam: Exam, wanted: Any) -> Any:
            for number, answer in enumerate(super().answers(exam, wanted)):
                if number == 3:
                    raise KeyboardInterrupt
                yield answer

    folder = tmp_path / "parts"
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            evaluate(exam, Interrupted(model_that(), max_tokens=10, most_running=4), folder)
    again = evaluate(exam, WritingAnswerer(model_that(), max_tokens=10), folder)
    assert again.answers == whole.answers
    assert again.time["resumed"] == 9


@pytest.mark.model
def test_the_default_model_alone_and_in_company(default_model_path: Path) -> None:
    import qingyu

    exam = made_exam(shots=1, questions_each=3)
    with qingyu.load(default_model_path, context=2048) as model:
        ways = [
            answered(WritingAnswerer(model, max_tokens=24, most_running=running), exam)
            for running in (1, 32)
        ]
    assert ways[0] == ways[1]
    assert all(one.text for one in ways[0])
