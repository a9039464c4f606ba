"""From what a model wrote to the letter it chose. Knows no model and no question.

    extract("正确答案是 B。", benchmark="ceval", method="generate")     # ("B", "ceval-phrase")

Nothing is guessed: a text in which no rule finds a letter has the letter "", which counts as
wrong (CMMLU's own code draws one at random there, unseeded). A rule that finds two letters where
it looks for one finds none.

First the text is cleaned: thoughts (`<think>…</think>`, also one never closed) go, full-width
letters become plain, marks of Markdown and LaTeX and brackets around a single letter go. Then the
first rule that finds a letter decides. In order, for `generate` (c: C-Eval, m: CMMLU):

    exact            cm  the letter and nothing else but punctuation (C-Eval's rule for 5 shots)
    boxed            cm  the last \\boxed{B}
    first            cm  the text begins with the letter (both papers' first rule for 0 shots)
    ceval-phrase     c   17 phrases such as 答案是B, 答案：B, 选B; last match (C-Eval, chatgpt.py)
    cmmlu-phrase      m  12 phrases such as 答案为B, B选项正确, 故选：B (CMMLU, extract_choice)
    cmmlu-verdict     m  the letter before 当选 or 正确
    cmmlu-weak        m  是B
    cmmlu-only        m  the only letter of the text
    answer           cm  answers as chat models write them: 正确答案应该是：选项 B; last match
    english          cm  the answer is B, option B is correct; last match
    choose           cm  应选B, 选择 B, but not 不选B; last match
    correct          cm  B 项正确, B 符合题意, when that is said of one letter alone
    line             cm  one line of the text, and no other, is a letter, or begins "B. "
    only             c   the only letter of a text of one line

With `cot` the conclusion stands at the end, so exact, boxed, ceval-conclusion (所以答案是B。 and
two more, last match; C-Eval only), answer, english, choose come first and `first` last.

Where the papers' own code would read something nobody said, these rules do not follow it: a
letter is one only as a word of its own (An apple, DNA), not when it begins a list (A、C 都错)
or is turned down at once (A错误, B正确; 不选A), and `first` does not hold for a text that repeats
the options line by line. With shots C-Eval's code takes nothing but `exact`: `Answer.rule` says
which rule it was, so that the strict number can be counted as well.

Sources: code/evaluator_series/evaluators/chatgpt.py of github.com/hkust-nlp/ceval,
src/mp_utils.py of github.com/haonan-li/CMMLU.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

# Longer texts are read at both ends only: patterns stay fast on whatever a server sends.
_MAX_CHARACTERS = 1 << 15


class Extraction(NamedTuple):
    """letter: A to D, or "" when none was found; rule: its name in the module's table, or ""."""

    letter: str
    rule: str


def extract(text: str, *, benchmark: str, method: str) -> Extraction:
    """The letter chosen in a text. benchmark: ceval, cmmlu; method: generate, cot."""
    cleaned = clean(text)
    for name in _ORDER[benchmark, method]:
        letter = _RULES[name](cleaned)
        if letter:
            return Extraction(letter, name)
    return Extraction("", "")


_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL)
_THOUGHT_END = re.compile(r"</(?:think|thinking|reasoning)>")
_PLAIN = {0xFF21 + place: chr(0x41 + place) for place in range(26)}
_PLAIN |= {0xFF41 + place: chr(0x61 + place) for place in range(26)}
_MARKS = re.compile(r"[*`$]|__|\\[()\[\]]|^\s*(?:#+|>)\s*", re.MULTILINE)
_COMMAND = re.compile(r"\\(?:text|textbf|mathrm|mathbf|rm|bf)\s*\{([^{}]*)\}")
_BRACKETS = re.compile(r"[(（\[【「『“\"'‘{<《]\s*([A-D])\s*[)）\]】」』”\"'’}>》]")


def clean(text: str) -> str:
    """The text as the rules read it: see the module."""
    text = _THOUGHT.sub("", text)
    # A template may open the thought in the prompt: then only its end is in the text.
    text = _THOUGHT_END.split(text)[-1]
    if len(text) > _MAX_CHARACTERS:
        text = text[: _MAX_CHARACTERS // 2] + "\n" + text[-_MAX_CHARACTERS // 2 :]
    text = re.sub(r"[^\S\n]+", " ", text)
    # One at most in a row: patterns with several optional parts then stay fast.
    text = re.sub(r" ?\n[\n ]*", "\n", text).translate(_PLAIN)
    text = _MARKS.sub("", _COMMAND.sub(r"\1", text))
    text = re.sub(r"\\boxed\s*\{\s*([A-D])\b[^{}]*\}", r"\\boxed \1", text)
    return _BRACKETS.sub(r"\1", text).strip()


# A letter as a word of its own ...
_ALONE = r"(?<![A-Za-z0-9])([A-D])(?![A-Za-z0-9'’+°%_]|-[A-Za-z0-9])"
# ... that is not the first of several (A、C; A和B; A, C。) ...
_NO_LIST = (
    r"(?!\s*(?:[、/和与及或&]|and\b|or\b)\s*[A-D](?![A-Za-z0-9]))"
    r"(?!(?:\s*[,，]\s*[A-D]){1,8}\s*(?:$|[。.\n]))"
)
_LETTER = _ALONE + _NO_LIST
# ... and not said to be wrong in the same breath.
_NOT_WRONG = (
    r"(?!\s*选?项?\s*的?(?:说法|表述|叙述|描述|内容|观点)?\s*(?:是|为|显然|明显)?\s*"
    r"(?:错|不正确|不对|不符|不是|不选|不成立|有误|排除|不能选|不当选))"
)
_NOT_DENIED = r"(?<![不误错漏未勿别])(?<!不能)(?<!不应)(?<!不会)(?<!不该)(?<!不可)(?<!不要)"


def _last(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def rule(text: str) -> str:
        found: list[str] = pattern.findall(text)
        return found[-1] if found else ""

    return rule


def _exact(text: str) -> str:
    found = re.fullmatch(r"\W*([A-Da-d])\W*", text)
    return found.group(1).upper() if found else ""


_FIRST = re.compile(
    _LETTER
    + _NOT_WRONG
    + r"(?!(?:\s*[,，]\s*[A-D]){1,8}\s*选?项?\s*[都均皆两])"  # A, C 都错
    + r"(?! +[a-z])|"  # an English word follows: A is an article, unless
    + _ALONE
    + r"(?= +is\b(?! +(?:not|wrong|incorrect|false)\b))"
)
_OPTION_LINE = re.compile(r"^\s*([A-D])\s*[.．、:：)）]", re.MULTILINE)


def _first(text: str) -> str:
    found = _FIRST.match(text)
    if not found:
        return ""
    letter = found.group(1) or found.group(2)
    if not _exact(text.split("\n", 1)[0]) and set(_OPTION_LINE.findall(text)) - {letter}:
        return ""
    return letter


# Each phrase with what may stand between it and the letter, in the order of chatgpt.py.
_CEVAL_PHRASES = tuple(
    re.compile(phrase + r"\s?选?项?\s?" + _LETTER)
    for phrase in (
        *("答案是", "答案为", "答案应为", "答案选", "答案是:", "答案应该是:", "正确的一项是"),
        *("答案为:", "答案应为:", "答案:"),
        *("答案是：", "答案应该是：", "答案为：", "答案应为：", "答案："),
    )
)
_CEVAL_BEGINNINGS = tuple(re.compile(word + _LETTER + _NOT_WRONG) for word in ("选", "选项"))


def _ceval_phrase(text: str) -> str:
    for beginning in _CEVAL_BEGINNINGS:
        found = beginning.match(text)
        if found:
            return found.group(1)
    for phrase in _CEVAL_PHRASES:
        letters = phrase.findall(text)
        if letters:
            return str(letters[-1])
    return ""


def _ceval_conclusion(text: str) -> str:
    for pattern in (
        r"答案是([^。\n]{1,40})。",
        r"答案为([^。\n]{1,40})。",
        r"选项([^。\n]{1,40}?)是正确的。",
    ):
        found = re.findall(pattern, text)
        if found:
            return _exact(found[-1])
    return ""


_COLON = r"：? ?"
_CMMLU_PHRASES = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"答案(?:选项)?[是为]" + _COLON + _LETTER,
        r"答案[是为]选项 ?" + _LETTER,
        _NOT_DENIED + r"选择?" + _COLON + _LETTER,
        _LETTER + r" ?选?项[是为]?正确",
        r"正确的?选项[是为] ?" + _LETTER,
        r"答案(?:应该)?[是为]" + _LETTER,
        r"选项 ?" + _LETTER + r" ?[是为]?正确",
        r"选择答案 ?" + _LETTER,
        r"答案?：?" + _LETTER,
        _LETTER + r"(?:选?项)?是?符合题意",
        r"答案选项" + _COLON + _LETTER,
        r"答案(?:选项)?为.{0,200}?" + _LETTER,
    )
)
# The last letter before the first such word after a letter: what CMMLU's recursion comes to.
_BEFORE = _ALONE + rf"(?:(?!{_ALONE.replace('([A-D])', '[A-D]')})[^\n])*?"
_CMMLU_VERDICTS = tuple(re.compile(_BEFORE + word) for word in (r"(?<!不)当选", r"(?<!不)正确"))


def _first_match(patterns: tuple[re.Pattern[str], ...]) -> Callable[[str], str]:
    def rule(text: str) -> str:
        for pattern in patterns:
            found = pattern.search(text)
            if found:
                return found.group(1)
        return ""

    return rule


# "A" before an English word is an article.
_MENTIONED = re.compile(_ALONE + r"(?! +[a-z])")
_DENIED = re.compile(r"(?:不|别|不能|不应该?|不会|不该|不可|不要)选择?(?:选项)? ?[A-D]")


def _only(text: str) -> str:
    found = _MENTIONED.findall(text)
    return found[0] if len(found) == 1 and not _DENIED.search(text) else ""


def _only_in_a_line(text: str) -> str:
    return "" if "\n" in text else _only(text)


_ANSWER = re.compile(
    r"(?:答案[】\])）]?|的(?:一项|选项|说法|叙述|表述|做法)|的(?=是)|(?:正确|最终|最佳)(?:选项|选择))\s*"
    r"(?:应当|应该|应|就|只能|可能)?(?:是|为|选择|选|在于)?\s*[:：]?\s*"
    r"[(（“\"「【]?\s*(?:选项|选择|选)?\s*[:：]?\s*" + _LETTER + _NOT_WRONG
)
_ENGLISH = re.compile(
    r"(?:[Aa]nswer|[Cc]hoice|[Oo]ption|[Cc]hoose|[Ss]elect|ANSWER)"
    r"(?:\s+(?:is|would be|should be|to [a-z ]{0,30}is))?\s*:?\s*(?:[Oo]ption|[Cc]hoice)?\s*[(\"]?"
    + _LETTER
    + r"(?! +(?:is|was) +(?:not|wrong|incorrect|false)\b)(?! +(?!is\b|because\b|since\b|as\b)[a-z])"
)
_CHOOSE = re.compile(_NOT_DENIED + r"选(?:择|定|取)?(?:答案|选项)?\s*[:：]?\s*" + _LETTER)
_CORRECT = re.compile(
    _ALONE
    + r"\s*选?项?\s*的?(?:说法|表述|叙述|描述|内容|观点)?\s*(?:才|就|都|均)?(?:是|为)?\s*(?:最)?"
    + r"(?:正确|对的|符合题意|当选|准确|合适)"
)
_LINE = re.compile(r"^\s*" + _LETTER + r"\s*(?:[.．、:：)）]|[。！!]?\s*$)", re.MULTILINE)


def _one_letter(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def rule(text: str) -> str:
        found = set(pattern.findall(text))
        return str(found.pop()) if len(found) == 1 else ""

    return rule


_RULES: Mapping[str, Callable[[str], str]] = {
    "exact": _exact,
    "boxed": _last(re.compile(r"\\boxed " + _LETTER)),
    "first": _first,
    "ceval-phrase": _ceval_phrase,
    "ceval-conclusion": _ceval_conclusion,
    "cmmlu-phrase": _first_match(_CMMLU_PHRASES),
    "cmmlu-verdict": _first_match(_CMMLU_VERDICTS),
    "cmmlu-weak": _first_match((re.compile(r"(?<=[^不])是：? ?" + _LETTER),)),
    "cmmlu-only": _only,
    "answer": _last(_ANSWER),
    "english": _last(_ENGLISH),
    "choose": _last(_CHOOSE),
    "correct": _one_letter(_CORRECT),
    "line": _one_letter(_LINE),
    "only": _only_in_a_line,
}
NAMES = tuple(_RULES)

_CHAT = ("answer", "english", "choose", "correct", "line")
_CMMLU = ("cmmlu-phrase", "cmmlu-verdict", "cmmlu-weak", "cmmlu-only")
_CONCLUSIONS = ("answer", "english", "choose")
_ORDER: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("ceval", "generate"): ("exact", "boxed", "first", "ceval-phrase", *_CHAT, "only"),
    ("cmmlu", "generate"): ("exact", "boxed", "first", *_CMMLU, *_CHAT),
    ("ceval", "cot"): (
        *("exact", "boxed", "ceval-conclusion", *_CONCLUSIONS),
        *("ceval-phrase", "correct", "line", "first", "only"),
    ),
    ("cmmlu", "cot"): ("exact", "boxed", *_CONCLUSIONS, *_CMMLU, "correct", "line", "first"),
}
