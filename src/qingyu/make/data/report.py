"""What became of every document: counts by reason, as JSON, as a page and as a picture.

report = make_report(plan, out, counts, work, checked)
report.write(out)            # report.json, report.md, report.png
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from qingyu.make.data.plan import Plan
from qingyu.make.data.quality import REASONS
from qingyu.make.shards import Shards
from qingyu.models.hashes import write_atomically
from qingyu.text import pick

_MAX_LISTED = 200


@dataclass(frozen=True, kw_only=True)
class SourceReport:
    title: str
    licence: str
    licence_stated: str
    read: int
    kept: int
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """dropped: reason to documents; masked: kind to marks; contaminated: documents that overlap
    evaluation questions, None when that was not checked; unreadable: what was wrong with files."""

    name: str
    read: int
    kept: int
    tokens: int
    target_tokens: int | None
    text_bytes: int
    dropped: dict[str, int]
    masked: dict[str, int]
    languages: dict[str, int]
    simplified: int
    contamination_checked: bool
    contaminated: list[dict[str, str]]
    unreadable: list[str]
    sources: list[SourceReport]

    def lines(self) -> list[str]:
        """For people."""
        kept = f"{self.kept:,} / {self.read:,}"
        size = self.text_bytes / max(self.tokens, 1)
        lines = [
            pick(
                f"{kept} documents kept, {self.tokens:,} tokens ({size:.2f} bytes per token)",
                f"保留 {kept} 篇文档，{self.tokens:,} 个词元（每词元 {size:.2f} 字节）",
            )
        ]
        if self.dropped:
            lines.append(pick("dropped:", "丢弃："))
        for reason, count in sorted(self.dropped.items(), key=lambda pair: (-pair[1], pair[0])):
            lines.append(f"  {count:>9,}  {_reason(reason)}")
        if self.masked:
            marks = ", ".join(f"{count:,} <{mark}>" for mark, count in sorted(self.masked.items()))
            lines.append(pick(f"masked: {marks}", f"已遮盖：{marks}"))
        if not self.contamination_checked:
            lines.append(
                pick(
                    "not checked against evaluation questions: none found, or switched off",
                    "未与评测题目比对：没有找到题目，或配方中已关闭",
                )
            )
        return lines

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        write_atomically(folder / "report.json", text + "\n")
        write_atomically(folder / "report.md", self._page())
        _draw(self, folder / "report.png")

    def _page(self) -> str:
        title = pick(f"Data set {self.name}", f"数据集 {self.name}")
        head = pick(
            "| source | licence | read | kept | tokens |", "| 来源 | 许可 | 读取 | 保留 | 词元 |"
        )
        rows = [
            f"| {one.title} | {one.licence or one.licence_stated} | {one.read:,} | {one.kept:,} |"
            f" {one.tokens:,} |"
            for one in self.sources
        ]
        parts = [f"# {title}", "", *(f"    {line}" for line in self.lines()), ""]
        parts += [head, "|---|---|---:|---:|---:|", *rows, ""]
        if self.contaminated:
            parts += [pick("Overlaps with evaluation questions:", "与评测题目重合："), ""]
            parts += [f"- {one['document']}: {one['overlaps']}" for one in self.contaminated]
            parts.append("")
        if self.unreadable:
            parts += [pick("Could not be read:", "无法读取："), ""]
            parts += [f"- {one}" for one in self.unreadable]
            parts.append("")
        return "\n".join(parts)


def make_report(
    plan: Plan, out: Path, counts: dict[str, dict[str, int]], work: Path, checked: bool
) -> Report:
    """counts: stage to what `statistics` gives. Raises DataError when the shards are damaged."""
    clean = counts["clean"]
    dropped: dict[str, int] = {}
    masked: dict[str, int] = {}
    languages: dict[str, int] = {}
    for label, count in clean.items():
        step, _, key = label.partition("/")
        if key.startswith("dropped_"):
            dropped[key.removeprefix("dropped_")] = count
        elif key.startswith("masked_"):
            masked[key.removeprefix("masked_")] = count
        elif step == "language" and key.startswith("language_"):
            languages[key.removeprefix("language_")] = count
    for reason, stage in (("exact_duplicate", "exact-3"), ("near_duplicate", "near-4")):
        found = sum(n for label, n in counts.get(stage, {}).items() if label.endswith("/dropped"))
        if found:
            dropped[reason] = found
    shards = Shards.open(out)
    end = counts["shards"]
    facts = shards.index["made"]["sources"]
    sources = [
        SourceReport(
            title=source.title,
            licence=source.licence,
            licence_stated=facts[number].get("licence_stated", ""),
            read=clean.get(f"read/read_from_{number}", 0),
            kept=end.get(f"shards/documents_from_{number}", 0),
            tokens=end.get(f"shards/tokens_from_{number}", 0),
        )
        for number, source in enumerate(plan.recipe.sources)
    ]
    hits: list[dict[str, str]] = []
    for path in sorted((work / "hits").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            hits.append(json.loads(line))
    problems = [
        line
        for path in sorted((work / "problems").glob("*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    target = end.get("shards/target_tokens") if plan.recipe.has_chat else None
    return Report(
        name=plan.recipe.name,
        read=clean.get("read/total", 0),
        kept=shards.num_documents,
        tokens=shards.num_tokens,
        target_tokens=target,
        text_bytes=end.get("shards/text_bytes", 0),
        dropped=dropped,
        masked=masked,
        languages=languages,
        simplified=clean.get("repair/simplified", 0),
        contamination_checked=checked,
        contaminated=hits[:_MAX_LISTED],
        unreadable=problems[:_MAX_LISTED],
        sources=sources,
    )


_CHINESE = {
    "empty": "空文本", "too_short": "太短", "too_long": "太长", "broken_characters": "乱码",
    "few_function_words": "虚词过少", "no_sentences": "没有句子", "too_many_symbols": "符号过多",
    "too_many_digits": "数字过多", "repeated_lines": "行重复", "repeated_phrases": "语句重复",
    "only_lists": "只有列表", "only_short_lines": "只有短行", "keywords": "关键词堆砌",
    "spam_trades": "垃圾行业词", "placeholder": "占位文字", "no_main_text": "没有正文",
    "contaminated": "与评测题目重合", "unreadable": "文件无法读取",
    "exact_duplicate": "完全重复", "near_duplicate": "近似重复", "language_other": "其他语言",
    "language_zh": "中文", "language_en": "英文",
}  # fmt: skip
assert set(REASONS) <= set(_CHINESE)


def _reason(reason: str) -> str:
    return pick(reason.replace("_", " "), _CHINESE.get(reason, reason))


def _draw(report: Report, path: Path) -> None:
    """A bar for each reason and one for what was kept."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = sorted(report.dropped.items(), key=lambda pair: pair[1])
    # Names in English: the fonts that come with matplotlib have no Chinese.
    names = [reason.replace("_", " ") for reason, _ in counts] + ["kept"]
    values = [count for _, count in counts] + [report.kept]
    figure = Figure(figsize=(7, 1.2 + 0.3 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = ["#b0b7bf"] * len(counts) + ["#2f6fb0"]
    axes.barh(names, values, color=colours)
    for place, value in enumerate(values):
        axes.text(value, place, f" {value:,}", va="center", fontsize=8)
    axes.set_xlabel("documents")
    axes.margins(x=0.15)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    part = path.with_suffix(".part")
    figure.savefig(part, format="png", dpi=110)
    part.replace(path)
