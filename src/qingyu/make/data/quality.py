"""Rules for text worth learning from. Each one that a text breaks has a name.

    broken("关键词 关键词 ...", Quality())        # "few_function_words", or None

The sizes are in units (one Chinese character, 1.6 for an English word) so that no rule needs
spaces between words. The rules follow those of Gopher (Rae et al. 2021, arXiv:2112.11446), made
for both languages.
"""

from __future__ import annotations

import re
from collections import Counter

from qingyu.make.data import spam
from qingyu.make.data.measures import measure, units
from qingyu.make.data.recipe import Quality

_SYMBOLS = re.compile(r"[#*|_=<>{}\[\]\\~^`@$%&+/•·■◆●★▲→※]")
_DIGITS = re.compile(r"\d")
_BROKEN = re.compile("[\ufffd\ue000-\uf8ff]|锟斤拷|烫烫烫|屯屯屯|锘縺|Ã.|â€")
_BULLET = re.compile(r"^\s*(?:[-*•·●■◆▶>]|\d{1,3}[.、)）])\s*")
_LOREM = re.compile(
    r"lorem ipsum|javascript:|function\s*\(\)\s*\{|此处填写|待补充|测试测试测试", re.IGNORECASE
)
REASONS = (
    "empty", "too_short", "too_long", "broken_characters", "few_function_words", "no_sentences",
    "too_many_symbols", "too_many_digits", "repeated_lines", "repeated_phrases", "only_lists",
    "only_short_lines", "keywords", "spam_trades", "placeholder",
)  # fmt: skip


def broken(text: str, rules: Quality) -> str | None:
    """The first rule that the text breaks, or None."""
    size = units(text)
    if not size:
        return "empty"
    if size < rules.min_units:
        return "too_short"
    if size > rules.max_units:
        return "too_long"
    visible = len(text) - text.count(" ") - text.count("\n")
    if len(_BROKEN.findall(text)) * 200 > visible:
        return "broken_characters"
    whole = measure(text)
    if whole.share < rules.min_function_share:
        return "few_function_words"
    if whole.marks < rules.min_marks * size and whole.share < 0.2:
        return "no_sentences"
    if len(_SYMBOLS.findall(text)) > rules.max_symbols * visible:
        return "too_many_symbols"
    if len(_DIGITS.findall(text)) > rules.max_digits * visible:
        return "too_many_digits"
    if _LOREM.search(text) and size < 400:
        return "placeholder"
    return _broken_by_lines(text, rules) or _broken_by_spam(text, size, rules)


def _broken_by_lines(text: str, rules: Quality) -> str | None:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) >= 6:
        counts = Counter(lines)
        again = sum((n - 1) * len(line) for line, n in counts.items() if n > 1)
        if again > rules.max_repeated_lines * sum(map(len, lines)):
            return "repeated_lines"
        if sum(bool(_BULLET.match(line)) for line in lines) > rules.max_list_lines * len(lines):
            prose = sum(units(line) for line in lines if measure(line).marks)
            if prose < 0.5 * units(text):
                return "only_lists"
        bare = [line for line in lines if units(line) < 8 and not measure(line).marks]
        if len(bare) > rules.max_short_lines * len(lines) and measure(text).share < 0.2:
            return "only_short_lines"
    return None


def _broken_by_spam(text: str, size: float, rules: Quality) -> str | None:
    if repeated_phrases(text) > rules.max_repeated_phrases:
        return "repeated_phrases"
    if size < 400 and (spam.is_keyword_list(text) or spam.is_stuffed(text)):
        return "keywords"
    if spam.trades(text) >= 4 and size < 2000:
        return "spam_trades"
    return None


def repeated_phrases(text: str) -> float:
    """Share of the text in runs of 20 characters that stand there more than once."""
    squeezed = re.sub(r"\s+", "", text)[:50_000]
    width = 20
    if len(squeezed) < 4 * width:
        return 0.0
    counts = Counter(squeezed[i : i + width] for i in range(len(squeezed) - width + 1))
    covered = bytearray(len(squeezed))
    seen: set[str] = set()
    for start in range(len(squeezed) - width + 1):
        run = squeezed[start : start + width]
        if counts[run] > 1:
            if run in seen:
                covered[start : start + width] = b"\x01" * width
            seen.add(run)
    return sum(covered) / len(squeezed)
