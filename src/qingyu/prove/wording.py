"""What reports and comparisons say in words, English or Chinese.

    verdict(scores)    "not distinguishable from guessing: 25.4 ± 1.2%, where ..."

No score is praised that guessing would get as well, and nothing that was left out is kept back.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from qingyu.prove.benchmarks import LETTERS
from qingyu.prove.pairs import Pair
from qingyu.prove.results import Result
from qingyu.prove.scores import Scores
from qingyu.text import pick


def subject_name(result: Result, subject: str) -> str:
    found = result.benchmark.subjects[subject]
    return pick(found.name_en, found.name_zh)


def percent(scores: Scores) -> str:
    """The macro average with its standard error."""
    return f"{scores.macro:.1f} ± {scores.standard_error:.1f}%"


def baseline(scores: Scores) -> str:
    """The answer of one letter to everything that gets most."""
    return pick(
        f"always answering {scores.guessing_letter}: {scores.guessing:.1f}%",
        f"一律答 {scores.guessing_letter}：{scores.guessing:.1f}%",
    )


def headline(scores: Scores) -> str:
    """What there is to say first: the number only when it means something."""
    if scores.beats_guessing:
        return percent(scores)
    return pick("not distinguishable from guessing", "与猜测无法区分")


def is_below_guessing(result: Result) -> bool:
    """Whether even the worst single letter would do better, by more than chance explains."""
    scores = result.scores
    shares: dict[str, dict[str, float]] = {letter: {} for letter in LETTERS}
    for one in result.answered:
        found = shares[one.answer]
        found[one.subject] = found.get(one.subject, 0.0) + 1 / scores.subjects[one.subject].count
    worst = min(100 * sum(found.values()) for found in shares.values()) / len(scores.subjects)
    return scores.macro + 1.645 * scores.standard_error < worst


def verdict(scores: Scores) -> str:
    """The headline and what it stands against, in a sentence."""
    if scores.beats_guessing:
        return headline(scores) + pick(", ", "，") + against(scores)
    return headline(scores) + pick(": ", "：") + against(scores)


def against(scores: Scores) -> str:
    """What goes with the headline: the baseline, and the number where that is not it."""
    letter, guess = scores.guessing_letter, f"{scores.guessing:.1f}%"
    if scores.beats_guessing:
        return pick(
            f"above the {guess} of always answering {letter}", f"高于一律答 {letter} 的 {guess}"
        )
    return pick(
        f"{percent(scores)}, where always answering {letter} gets {guess}"
        " and letters drawn at random get 25%",
        f"{percent(scores)}，而一律答 {letter} 可得 {guess}，随机作答可得 25%",
    )


def activations(result: Result) -> str:
    """How exactly the engine computed; "" where the result does not say."""
    bits = result.model.get("activation_bits")
    return pick(f"{bits}-bit activations", f"{bits} 位激活") if bits in (8, 16) else ""


def notes(result: Result) -> list[str]:
    """All that a reader of the number must know: what is missing, unread or left out."""
    found = []
    if not result.is_complete:
        counts = [one.counts[result.exam["split"]] for one in result.benchmark.subjects.values()]
        asked, subjects = len(result.answers), len({one.subject for one in result.answers})
        found.append(
            pick(
                f"not the whole benchmark: {asked:,} of {sum(counts):,} questions,"
                f" {subjects} of {len(counts)} subjects; not to be compared with published scores",
                f"不是完整评测：{sum(counts):,} 题中的 {asked:,} 题，"
                f"{len(counts)} 科中的 {subjects} 科；不可与公布的成绩相比",
            )
        )
    if not result.is_scored:
        split = result.exam["split"]
        found.append(
            pick(
                f"answered, not scored: the {split} split has no key in this data",
                f"已作答、未计分：此数据的 {split} 部分没有答案",
            )
        )
    elif is_below_guessing(result):
        found.append(
            pick(
                "worse than any single letter would be: look for a prompt or tokens that do not"
                " suit the model, or answers that could not be read",
                "比全部回答任何一个字母都差：请检查提示或词元是否适合此模型，或回答是否无法识别",
            )
        )
    if unparsed := sum(not one.choice for one in result.answers):
        found.append(
            pick(
                f"no letter could be read in {unparsed:,} of {len(result.answers):,} answers;"
                " they count as wrong",
                f"{len(result.answers):,} 个回答中有 {unparsed:,} 个读不出选项，均计为错",
            )
        )
    if cut := sum(one.cut for one in result.answers):
        found.append(
            pick(
                f"{cut:,} answers reached the length limit and were cut",
                f"{cut:,} 个回答达到长度上限而被截断",
            )
        )
    if dropped := [one.dropped_shots for one in result.answers if one.dropped_shots]:
        found.append(
            pick(
                f"{len(dropped):,} prompts did not fit with all their examples;"
                f" {sum(dropped):,} examples were left out",
                f"{len(dropped):,} 个提示放不下全部示例，共去掉 {sum(dropped):,} 个示例",
            )
        )
    return found


def shots(result: Result) -> str:
    return pick(f"{result.exam['shots']}-shot", f"{result.exam['shots']} 个示例")


def setting(result: Result) -> str:
    """C-Eval val, 5-shot, official, logits."""
    exam = result.exam
    parts = [
        f"{result.benchmark.title} {exam['split']}",
        shots(result),
        str(exam["protocol"]),
        str(exam["method"]),
    ]
    return clean(pick(", ", "，").join(parts))


def difference(pair: Pair) -> str:
    """Whether the second run is better, and how sure that is."""
    found = pair.comparison
    interval = pick(
        f"95% interval {found.low:+.1f} to {found.high:+.1f}",
        f"95% 区间 {found.low:+.1f} 到 {found.high:+.1f}",
    )
    numbers = f"{found.difference_macro:+.1f}" + pick(
        f" points ({interval}; McNemar p {p_value(found.p_value)})",
        f" 分（{interval}；McNemar p {p_value(found.p_value)}）",
    )
    if found.flips == 0:
        return pick("every answer is the same", "每个答案都相同")
    if found.low <= 0 <= found.high:
        return pick(f"no difference beyond chance: {numbers}", f"差别未超出偶然：{numbers}")
    return (
        pick(f"the second is better: {numbers}", f"第二个更好：{numbers}")
        if found.difference_macro > 0
        else pick(f"the second is worse: {numbers}", f"第二个更差：{numbers}")
    )


def flips(pair: Pair) -> str:
    """How many answers changed, and which way."""
    found = pair.comparison
    other = found.flips - found.gained - found.lost
    share = 100 * found.flips / found.count
    return pick(
        f"{found.flips:,} of {found.count:,} answers changed ({share:.1f}%): {found.gained:,}"
        f" became right, {found.lost:,} became wrong, {other:,} are wrong in another way",
        f"{found.count:,} 个答案中有 {found.flips:,} 个不同（{share:.1f}%）："
        f"{found.gained:,} 个改对，{found.lost:,} 个改错，{other:,} 个错成了别的",
    )


def settings_warning(pair: Pair) -> str:
    """Says so when not only the models differ; else ""."""
    if not pair.settings_differ:
        return ""
    first, second = (
        clean(", ".join(f"{name} {run.exam[name]}" for name in pair.settings_differ))
        for run in (pair.first, pair.second)
    )
    return pick(
        f"not only the models differ: {first} against {second}",
        f"不只是模型不同：{first} 对 {second}",
    )


def sentences(pair: Pair) -> str:
    """All that is said of a pair, in one paragraph."""
    said = [difference(pair), flips(pair), settings_warning(pair)]
    return "".join(
        pick(f"{one[:1].upper()}{one[1:]}. ", f"{one}。") for one in said if one
    ).rstrip()


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def number(value: Any) -> float | None:
    """A finite number from a file, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 else None


# Letters that must not reach a page: controls, overrides of direction, halves of pairs.
_UNWANTED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(words: str, *, longest: int = 80) -> str:
    """A stranger's text in one line of visible letters."""
    line = " ".join(words.split()) or "?"
    seen = "".join("\ufffd" if unicodedata.category(one) in _UNWANTED else one for one in line)
    return seen if len(seen) <= longest else seen[: longest - 1] + "…"
