"""The text of a question, byte for byte as the papers and the harness have it.

    prompt = logits_prompt(benchmark, "official", subject, shots, question)
    prompt.shared + prompt.own, prompt.continuations       # ("A", "B", "C", "D")

official  C-Eval: evaluators/evaluator.py and README of github.com/hkust-nlp/ceval (cba65ae);
          CMMLU: src/mp_utils.py of github.com/haonan-li/CMMLU (d6e7b71). The subject is its
          Chinese name (eval.py of C-Eval passes the English one; README and all others do not).
harness   lm-evaluation-harness, ceval-valid 2.0 and cmmlu 1.0: no 考试, no 题目：, one cue for
          both, a space before each letter.

Chain of thought (`cot`): C-Eval's README; CMMLU's `逐步分析`. Its zero-shot C-Eval prompt ends
with `让我们一步一步思考，\\n1.`, as in the authors' llama.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from qingyu.prove.benchmarks import LETTERS, Benchmark, Subject
from qingyu.prove.questions import Question

Protocol = Literal["official", "harness"]
Method = Literal["logits", "generate", "cot"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """`shared` is the same for all questions of a subject; `own` follows it. The likeliest of
    the four continuations is the answer."""

    shared: str
    own: str
    continuations: tuple[str, str, str, str]

    @property
    def text(self) -> str:
        return self.shared + self.own


def header(benchmark: Benchmark, protocol: Protocol, subject: Subject, *, cot: bool = False) -> str:
    """The first line, without line ends."""
    name = subject.name_zh
    if benchmark.id == "ceval":
        exam = "考试" if protocol == "official" else ""
        return f"以下是中国关于{name}{exam}的单项选择题，请选出其中的正确答案。"
    if cot:
        return f"以下是关于{name}的单项选择题，请分析并选出正确答案。"
    return f"以下是关于{name}的单项选择题，请直接给出正确答案的选项。"


def body(benchmark: Benchmark, protocol: Protocol, question: Question) -> str:
    """Question and options, without the cue for the answer."""
    official_cmmlu = benchmark.id == "cmmlu" and protocol == "official"
    text = question.text.strip() if protocol == "harness" else question.text
    options = "".join(
        f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, question.choices, strict=True)
    )
    return ("题目：" if official_cmmlu else "") + text + options


def cue(benchmark: Benchmark, protocol: Protocol) -> str:
    official_cmmlu = benchmark.id == "cmmlu" and protocol == "official"
    return "\n答案是：" if official_cmmlu else "\n答案："


def logits_prompt(
    benchmark: Benchmark,
    protocol: Protocol,
    subject: Subject,
    shots: Sequence[Question],
    question: Question,
    *,
    with_header: bool = True,
) -> Prompt:
    """What is scored by the next token."""
    end = cue(benchmark, protocol)
    space = " " if protocol == "harness" else ""
    shared = header(benchmark, protocol, subject) + "\n\n" if with_header else ""
    for shot in shots:
        shared += body(benchmark, protocol, shot) + end + space + shot.answer + "\n\n"
    a, b, c, d = (space + letter for letter in LETTERS)
    return Prompt(
        shared=shared, own=body(benchmark, protocol, question) + end, continuations=(a, b, c, d)
    )


def cot_prompt(
    benchmark: Benchmark, subject: Subject, shots: Sequence[Question], question: Question
) -> Prompt:
    """A base model's chain of thought; the answer is read out of what it writes."""
    shared = header(benchmark, "official", subject, cot=True) + "\n\n"
    for shot in shots:
        shared += body(benchmark, "official", shot)
        if benchmark.id == "ceval":
            shared += f"\n答案：让我们一步一步思考，\n{shot.explanation}\n所以答案是{shot.answer}。"
        else:  # CMMLU's shots are plain answers here too
            shared += cue(benchmark, "official") + shot.answer
        shared += "\n\n"
    if benchmark.id == "ceval":
        end = "\n答案：让我们一步一步思考，\n1."
    else:
        end = "\n逐步分析并给出答案选项。"
    return Prompt(
        shared=shared, own=body(benchmark, "official", question) + end, continuations=LETTERS
    )


def messages(
    benchmark: Benchmark,
    protocol: Protocol,
    subject: Subject,
    shots: Sequence[Question],
    question: Question,
    *,
    cot: bool = False,
) -> list[dict[str, str]]:
    """A chat model's conversation.

    C-Eval (chatgpt.py): the header as the system message, shots as turns whose answer is the
    letter (with `cot`, the explanation and 所以答案是X。). CMMLU: all in one user turn.
    """
    if benchmark.id == "cmmlu" and protocol == "official":
        prompt = (
            cot_prompt(benchmark, subject, shots, question)
            if cot
            else logits_prompt(benchmark, protocol, subject, shots, question)
        )
        return [{"role": "user", "content": prompt.text}]
    turns = [{"role": "system", "content": header(benchmark, protocol, subject)}]
    end = cue(benchmark, protocol) + ("让我们一步一步思考，\n" if cot else "")
    for shot in shots:
        answer = f"{shot.explanation}\n所以答案是{shot.answer}。" if cot else shot.answer
        turns.append({"role": "user", "content": body(benchmark, protocol, shot) + end})
        turns.append({"role": "assistant", "content": answer})
    turns.append({"role": "user", "content": body(benchmark, protocol, question) + end})
    return turns
