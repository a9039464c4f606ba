"""Numbers with their units in what people say or type, in Chinese and English.

    find_numbers("空调调到二十六度半")     # [Number(start=4, end=9, value=26.5, unit="degree")]
    find_numbers("open it halfway")      # [Number(start=8, end=15, value=50, unit="percent")]

Words that only look like numbers (一起, 一下, 万一, 十几, one of us) are not found. Knows no
devices and no clock: times.py finds times, whose numbers are among these too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from qingyu.act.spoken.number_words import ONES, ORDINALS, TENS, ZH, Run, compiled, folded, runs
from qingyu.act.values import tidy

Unit = Literal[
    "", "percent", "degree", "celsius", "angle", "kelvin", "metre", "second", "level", "ordinal"
]


@dataclass(frozen=True, kw_only=True)
class Number:
    """text[start:end]. unit: "" for a plain number; degree: of temperature or of angle, the
    device tells which; percent: a half is 50, a third 33, 三成 30; celsius: Fahrenheit is
    converted, to the nearest half; metre and second: other lengths and durations are converted;
    ordinal: 第三, 三号, 三楼, third."""

    start: int
    end: int
    value: float | int
    unit: Unit = ""

    def fits(self, unit: Unit) -> bool:
        """Whether it can be meant in a unit: in its own, any if it is plain, either for degrees."""
        return self.unit in ("", unit) or (self.unit == "degree" and unit in ("celsius", "angle"))


_UNITS: tuple[tuple[str, Unit, float], ...] = (
    (r"摄氏度|° ?c|℃|degrees? (?:celsius|centigrade|c)\b|celsius|centigrade|c\b", "celsius", 1),
    (r"华氏度|° ?f|℉|degrees? (?:fahrenheit|f)\b|fahrenheit|f\b", "celsius", 0),
    (r"degrees?|deg\b|[度肚°]", "degree", 1),
    (r"%|per ?cent|percent|个?百分点|个百分比", "percent", 1),
    (r"成(?![功为年立员果都了就])", "percent", 10),
    (r"开尔文|kelvins?|k\b", "kelvin", 1),
    (r"厘米|公分|centimet(?:er|re)s?|cms?\b", "metre", 0.01),
    (r"毫米|millimet(?:er|re)s?|mm\b", "metre", 0.001),
    (r"公里|千米|kilomet(?:er|re)s?|kms?\b", "metre", 1000),
    (r"英尺|feet\b|foot\b|ft\b", "metre", 0.3048),
    (r"英寸|inch(?:es)?\b", "metre", 0.0254),
    (r"米(?![粒饭力粉])|公尺|met(?:er|re)s?\b|m\b", "metre", 1),
    (r"秒钟?|seconds?\b|secs?\b|s\b", "second", 1),
    (r"分钟|分(?![之])|minutes?\b|mins?\b", "second", 60),
    (r"刻钟", "second", 900),
    (r"小时|钟头|hours?\b|hrs?\b|h\b", "second", 3600),
    (r"天|days?\b", "second", 86400),
    (r"[档挡级格]|levels?\b|notch(?:es)?\b", "level", 1),
    (r"[楼层号日月年](?!半)|st\b|nd\b|rd\b|th\b", "ordinal", 1),
)
_UNIT = compiled(
    r" ?-?(?:"
    + "|".join(f"(?P<u{at}>{pattern})" for at, (pattern, _, _) in enumerate(_UNITS))
    + ")"
)
_NO_NUMBER_AFTER = compiled(
    "起|下(?!午)|点|些|会|样|直|定|共|律|切|般|边|侧|块儿|同|并|旦|向|路|概|哈|丢丢|截|丁点|键|体|氧"
    "|旁|面|首|声|趟|圈|眼|遍|齐|氧化|来|生|早|晚|整"
)
_ONE_OF_A_KIND = compiled("[个盏条次台只张把扇本件份种位双套段部间根]")
_HARMLESS_WORDS = compiled(
    rf"(?<![{ZH}])(?:二氧化碳|一氧化碳|三明治|三轮|四周|四处|四面|五花|百叶|千万(?:别|不要|记)|万一"
    "|万能|万事|八卦|七上八下|一五一十|九宫格|十分(?!钟|之)|两边|两侧|两头)|统一|唯一|单一|不一"
)
_VAGUE_BEFORE = compiled("[几数上好]$")
_VAGUE_AFTER = compiled("几|多|来[度分秒米个小]|[个]多|把(?=[度分秒米])")
_WEEKDAY = compiled(r"(?:周|星期|礼拜)$")
_PART_OF_A_NAME = compiled(r"(?:[a-z]|\b[a-z]-)$")
# What was said, what stands before, and from the end of the unit on: 三点零五分, 差五分八点.
_CLOCK_MINUTES = compiled(
    rf"^[^|]*点[^|]*\|[^|]*\|分(?!钟)|[^|]*\|[^|]*(?:点过?|[{ZH}\d]时)\|分|[^|]*\|[^|]*[差欠]\|(?:分|钟)"
)
_TURNING = compiled(
    r"(?:转|旋|掉头|转动|时针)[上了个]?$"
    r"|\b(?:turn|rotate|spin|pivot|swivel)(?: (?:yourself|around|round|left|right|by|about"
    r"|clockwise|anticlockwise|counterclockwise|to|the))* $"
)
_TURNED = compiled(r" (?:to the |to your )?(?:left|right|(?:anti|counter-?)?clockwise)\b|角")
_ONE = compiled(r"(?:\b(?:to|by|level|at|is|of|number|gear|step|notch) )$")
_FRACTIONS = {
    "half": 2, "halves": 2, "quarter": 4, "quarters": 4,
    **{f"{one}{s}": at for one, at in ORDINALS.items() for s in ("", "s") if at > 2},
}  # fmt: skip
_EN_FRACTION = compiled(rf"[ -](?P<below>{'|'.join(sorted(_FRACTIONS, key=len)[::-1])})\b")
_A_FRACTION = compiled(
    rf"\b(?P<a>an? )?(?P<below>{'|'.join(sorted(_FRACTIONS, key=len)[::-1])})\b(?! past| to )"
)
_HALFWAY = compiled(
    r"\bhalf[- ]?way\b|一半儿?|(?<=[开关拉升降])半(?![天夜个])|(?<![大多])半(?=[开掩])"
)
_OF_A_UNIT = compiled(r" of an? (?=(?:hour|minute|day|met(?:er|re)|mile|degree)\b)")
_A_UNIT = compiled(
    r"(?<!of )\ban? (?=(?:degree|met(?:er|re)|foot|percent|second|minute|hour|level|notch|day)\b)"
)
_HALF_UNIT = compiled(
    r"(?<![大小多])半个?(?=小时|钟头|度|米|天|分钟|秒|公里|刻钟|级|档)|\bhalf an? "
)
_AND_HALF = compiled(r" and a half\b")
_AND_QUARTER = compiled(r" and (?:a|three) quarters?\b")
_ROUND = {"hundredth": 100, "thousandth": 1000}
_ORDINAL_WORD = compiled(rf"\b(?:(?P<tens>{'|'.join(TENS)})[ -])?(?P<last>{'|'.join(ORDINALS)})\b")


def find_numbers(text: str) -> list[Number]:
    """All numbers of a sentence in order, none overlapping; places count characters of text."""
    text = folded(text)
    taken: list[tuple[int, int]] = [one.span() for one in _HARMLESS_WORDS.finditer(text)]
    found: list[Number] = []

    def keep(one: Number | None) -> None:
        if one is None or overlaps(one.start, one.end, taken):
            return
        taken.append((one.start, one.end))
        found.append(one)

    spoken = runs(text)
    for place, run in enumerate(spoken):
        keep(_fraction(text, run, spoken[place + 1 :]))
    for run in spoken:
        if not overlaps(run.start, run.end, taken):
            keep(_english_ordinal(text, run))
            keep(_measured(text, run))
    for match in _HALF_UNIT.finditer(text):
        keep(_with_unit(text, Run(match.start(), match.end(), 0.5)))
    for match in _A_UNIT.finditer(text):
        keep(_with_unit(text, Run(match.start(), match.end() - 1, 1)))
    for match in _HALFWAY.finditer(text):
        if text[max(0, match.start() - 1) : match.start()] not in ("减", "另", "多", "小"):
            keep(Number(start=match.start(), end=match.end(), value=50, unit="percent"))
    for match in _A_FRACTION.finditer(text):
        if match["a"] or match["below"] in ("half", "quarter"):
            start, end = match.span()
            if of := _OF_A_UNIT.match(text, end):
                keep(_with_unit(text, Run(start, of.end(), 1 / _FRACTIONS[match["below"]])))
                continue
            value = round(100 / _FRACTIONS[match["below"]])
            keep(Number(start=start, end=end, value=value, unit="percent"))
    for match in _ORDINAL_WORD.finditer(text):
        value = TENS.get(match["tens"], 0) + ORDINALS[match["last"]]
        keep(Number(start=match.start(), end=match.end(), value=value, unit="ordinal"))
    return sorted(found, key=lambda one: one.start)


def overlaps(start: int, end: int, taken: Iterable[tuple[int, int]]) -> bool:
    return any(start < last and first < end for first, last in taken)


def _fraction(text: str, run: Run, later: list[Run]) -> Number | None:
    """三分之一, two thirds; of a unit (三分之一米) or as percent."""
    if text.startswith("分之", run.end) and later and later[0].start == run.end + 2:
        above, start, end = later[0].value, run.start, later[0].end
        if text[run.start : run.end] in ("百", "一百"):
            return _percent(text, run.start, later[0])
        below = run.value
    elif match := _EN_FRACTION.match(text, run.end):
        below = _FRACTIONS[match["below"]]
        above, start, end = run.value, run.start, match.end()
        if below in (20, 30, 40, 50, 60, 70, 80, 90) and end < len(text) and text[end] == "-":
            return None
        if run.value > 1 and not match["below"].endswith("s"):
            return None
    else:
        return None
    if below <= 0 or not 0 <= above <= below:
        return None
    if of := _OF_A_UNIT.match(text, end):
        return _with_unit(text, Run(start, of.end(), above / below))
    whole = _with_unit(text, Run(start, end, above / below))
    if whole.unit in ("metre", "second", "degree", "celsius"):
        return whole
    return Number(start=start, end=end, value=round(100 * above / below), unit="percent")


def _percent(text: str, start: int, run: Run) -> Number:
    value, end = run.value, run.end
    if text.startswith("点五", end):
        value, end = value + 0.5, end + 2
    return Number(start=start, end=end, value=value, unit="percent")


def _english_ordinal(text: str, run: Run) -> Number | None:
    """one hundred and twenty first, twenty-third."""
    match = compiled(r"(?: and|-| )+(?P<last>[a-z]+)\b").match(text, run.end)
    if match is None or text[run.start] in ZH or text[run.start].isdigit():
        return None
    if match["last"] in _ROUND:
        value = int(run.value) * _ROUND[match["last"]]
        return Number(start=run.start, end=match.end(), value=value, unit="ordinal")
    last = ORDINALS.get(match["last"], 0)
    words = text[run.start : run.end].split()
    joins = (words[-1] in TENS and 0 < last < 10) or (words[-1] in ("hundred", "thousand") and last)
    if not joins or (last == 2 and text.startswith("s", match.end())):
        return None
    return Number(start=run.start, end=match.end(), value=int(run.value) + last, unit="ordinal")


def _measured(text: str, run: Run) -> Number | None:
    """A run that is meant as a number, with its unit, sign and half; else None."""
    before, after = text[max(0, run.start - 50) : run.start], text[run.end : run.end + 50]
    said = text[run.start : run.end]
    if _VAGUE_AFTER.match(after) or (said[0] in ZH and _VAGUE_BEFORE.search(before)):
        return None
    if _WEEKDAY.search(before) or _PART_OF_A_NAME.search(before):
        return None
    if before.endswith("第"):
        end = run.end + (1 if after[:1] in ("个", "首", "档", "级") else 0)
        return Number(start=run.start - 1, end=end, value=run.value, unit="ordinal")
    number = _with_unit(text, run)
    if _CLOCK_MINUTES.search(f"{said}|{before[-4:]}|{text[number.end - 1 : number.end + 6]}"):
        return None
    if number.unit or number.value != run.value:
        return _signed(text, number)
    if re.match("(?a)[点时:](?!候)", after) and said[0] in ZH + "0123456789":
        return None  # a time of day
    if said in ZH and (_NO_NUMBER_AFTER.match(after) or (said == "一" and _article(before, after))):
        return None
    if said == "一" and re.search("(?a)[统唯单专均万不每哪任同第]$", before):
        return None
    if said == "one" and not _ONE.search(before):
        return None
    if said in ONES and re.match(r"(?a) of (?:us|them|the|my|those|these)\b", after):
        return None
    return _signed(text, number)


def _article(before: str, after: str) -> bool:
    """一盏灯, 开一灯: one as an article; 调到一, 音量一 are numbers."""
    if _ONE_OF_A_KIND.match(after):
        return True
    return bool(after) and re.match(r"(?a)[\s，。,.!！?？吧了]", after) is None


def _with_unit(text: str, run: Run) -> Number:
    """The run with what belongs to it: 个半, a unit, "and a half", 半; Fahrenheit converted."""
    value, end = run.value, run.end
    if match := _AND_HALF.match(text, end):
        value, end = value + 0.5, match.end()
    elif match := _AND_QUARTER.match(text, end):
        value, end = value + (0.75 if "three" in match[0] else 0.25), match.end()
    elif match := compiled("个半(?=小时|钟头|月)|半(?=分钟|小时|天|秒)").match(text, end):
        value, end = value + 0.5, match.end()
    elif compiled("个(?=小时|钟头)").match(text, end):
        end += 1
    match = _UNIT.match(text, end)
    before = text[max(0, run.start - 50) : run.start]
    if match is None or not match.lastgroup:
        if level := re.search(r"(?a)\b(?:level|gear) $|[档挡]位?$", before):
            start = run.start - len(level[0]) if level[0].isascii() else run.start
            return Number(start=start, end=end, value=value, unit="level")
        return Number(start=run.start, end=end, value=value)
    _, unit, factor = _UNITS[int(match.lastgroup[1:])]
    end = match.end()
    if unit == "ordinal" and text[run.start : run.end] not in ("", "两") and "." not in str(value):
        return Number(start=run.start, end=end, value=value, unit=unit)
    if half := compiled(r"半钟?(?![天夜])| and a half\b").match(text, end):
        value, end = value + 0.5, half.end()
    start = run.start
    if scale := re.search("(?a)[摄华]氏$", before):
        start -= 2
        unit, factor = "celsius", 1 if scale[0][0] == "摄" else 0
    if unit == "degree" and (_TURNING.search(before) or _TURNED.match(text, end)):
        unit = "angle"
    if not factor:
        value = round((value - 32) / 1.8 * 2) / 2
    return Number(start=start, end=end, value=tidy(value * (factor or 1)), unit=unit)


def _signed(text: str, number: Number) -> Number:
    """With a sign before it: -5, minus five, 零下五度, 负五. "20-30" and "7-b" have none."""
    sign = re.search(r"(?a)(?:(?<![\w)])-|\bminus |零下|负)$", text[: number.start])
    if sign is None or number.unit in ("ordinal", "second"):
        return number
    return Number(start=sign.start(), end=number.end, value=tidy(-number.value), unit=number.unit)
