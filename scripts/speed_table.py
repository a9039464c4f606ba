"""Write the speed table into both READMEs, or check that it is what was measured.

    python scripts/speed_table.py            # after benchmarks/versus_engines.py
    python scripts/speed_table.py --check    # part of make check; exit code 1 when they differ

The figures are those of benchmarks/results/versus_engines.json; the table stands between two
comments in README.md and README.zh.md. Without that file the table says so. Computes nothing
but the better of llama.cpp's variants, and rounds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from versus_engines import ROWS  # noqa: E402  (the standard library is all it needs)

RESULTS = ROOT / "benchmarks" / "results" / "versus_engines.json"
BEGIN, END = "<!-- speed: scripts/speed_table.py -->", "<!-- /speed -->"
# Fewer rounds than this are a trial, and the table says so.
ENOUGH_REPEATS = 5

TEXTS = {
    "en": {
        "missing": "*Not measured on this checkout yet: `make peers && make bench`, then"
        " `python scripts/speed_table.py`.*",
        "head": ["model", "file", "prefill", "llama.cpp", "×", "of int8 peak", "decode",
                 "llama.cpp", "×", "of bandwidth", "load", "peak memory", "llama.cpp"],
        "openvino": "OpenVINO",
        "random": "random weights",
        "default": "default",
        "failed": "could not be measured",
        "note": "Prompt of {prompt} tokens, then {new} more, tokens per second; {threads} threads;"
        " medians of {repeats} rounds in turn with the other engines, on {day}, {processor}."
        " Machine, measured in the same rounds: {limits}.",
        "trial": " **A trial of {repeats} rounds, not a measurement (5 or more are).**",
        "limits": "reads {bandwidth} GB/s at the models' sizes, int8 peak {peak} G op/s",
        "no_limits": "not measured",
    },
    "zh": {
        "missing": "*此处尚未测量：先 `make peers && make bench`，再运行"
        " `python scripts/speed_table.py`。*",
        "head": ["模型", "文件", "预填充", "llama.cpp", "倍数", "占 int8 峰值", "解码",
                 "llama.cpp", "倍数", "占内存带宽", "加载", "内存峰值", "llama.cpp"],
        "openvino": "OpenVINO",
        "random": "随机权重",
        "default": "默认模型",
        "failed": "未能测量",
        "note": "提示 {prompt} 个词元，再解码 {new} 个，单位：词元/秒；{threads} 线程；与其他引擎"
        "轮流运行，取 {repeats} 轮的中位数；{day}，{processor}。同一轮中测得的机器极限：{limits}。",
        "trial": "**仅试跑 {repeats} 轮，不算测量（至少要 5 轮）。**",
        "limits": "按各模型大小读内存 {bandwidth} GB/s，int8 峰值 {peak} G 次/秒",
        "no_limits": "未测",
    },
}  # fmt: skip
PAGES = {"README.md": "en", "README.zh.md": "zh"}


def main() -> int:
    check = "--check" in sys.argv[1:]
    report = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else None
    if report is None:
        print(f"no {RESULTS.relative_to(ROOT)}: the table says that nothing was measured yet")
    stale = 0
    for name, language in PAGES.items():
        path = ROOT / name
        page = path.read_text("utf-8")
        wanted = with_table(page, table(report, TEXTS[language]), name)
        if page == wanted:
            continue
        if check:
            print(f"{name}: the speed table is not what was measured; run:"
                  " python scripts/speed_table.py", file=sys.stderr)  # fmt: skip
            stale += 1
        else:
            path.write_text(wanted, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if stale else 0


def with_table(page: str, body: str, name: str) -> str:
    """The page with the text between the two comments replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{name} lacks the comments {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{body}\n{END}{after}"


def table(report: dict[str, Any] | None, words: dict[str, Any]) -> str:
    """Markdown: the table, a line for each row that failed, and how it was measured."""
    measured = {name: result for name, result in (report or {}).get("rows", {}).items()
                if name in ROWS and figures(result, "qingyu")}  # fmt: skip
    if report is None or not measured:
        return str(words["missing"])
    openvino = any(figures(result, "openvino") for result in measured.values())
    head = list(words["head"])
    if openvino:
        head[8:8], head[4:4] = [words["openvino"]], [words["openvino"]]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" + "---:|" * (len(head) - 1)]
    for name, result in measured.items():
        cells = row_cells(title_of(name, words), result, openvino=openvino)
        lines.append(f"| {' | '.join(cells)} |")
    failed = [title_of(name, words) for name in report["rows"]
              if name in ROWS and name not in measured]  # fmt: skip
    if failed:
        lines += ["", f"{words['failed']}: {', '.join(failed)}"]
    note = words["note"].format(
        prompt=report["prompt"], new=report["new"], threads=report["threads"],
        repeats=report["repeats"], day=report["when"][:10],
        processor=report["machine"]["processor"] or "?", limits=limits_of(measured, words),
    )  # fmt: skip
    if report["repeats"] < ENOUGH_REPEATS:
        note += words["trial"].format(repeats=report["repeats"])
    return "\n".join([*lines, "", note])


def row_cells(title: str, result: dict[str, Any], *, openvino: bool) -> list[str]:
    """One row: prefill, decode, load and memory of every engine."""
    ours, llama = figures(result, "qingyu"), best_llama(result)
    other = figures(result, "openvino") if openvino else None
    assert ours is not None
    cells = [title, f"{result['file_bytes'] / 1e6:,.0f} MB"]
    for key, share in (("prefill", "peak_share"), ("decode", "bandwidth_share")):
        cells += [f"**{speed(ours['median'][key])}**", speed(llama.get(key))]
        if openvino:
            cells.append(speed(other["median"][key] if other else None))
        ratio = f"**{ours['median'][key] / llama[key]:.2f}**" if key in llama else "–"
        cells += [ratio, f"{ours[share]:.0%}" if share in ours else "–"]
    cells.append(f"{ours['median']['load_seconds']:.2f} s")
    cells += [megabytes(ours["peak_bytes"]), megabytes(llama.get("peak_bytes"))]
    return cells


def figures(result: dict[str, Any], engine: str) -> dict[str, Any] | None:
    """What one engine reached; None when it was not there or failed."""
    found: dict[str, Any] = result.get("engines", {}).get(engine, {})
    return found if "median" in found else None


def best_llama(result: dict[str, Any]) -> dict[str, float]:
    """The better of llama.cpp's variants in each figure; empty when there is none."""
    variants = [e for name, e in result["engines"].items()
                if name.startswith("llama") and "median" in e]  # fmt: skip
    if not variants:
        return {}
    best = {key: max(e["median"][key] for e in variants) for key in ("prefill", "decode")}
    return best | {"peak_bytes": min(e["peak_bytes"] for e in variants)}


def title_of(name: str, words: dict[str, Any]) -> str:
    """A row's title in the page's language."""
    title = ROWS[name].title
    return title.replace("(random weights)", f"({words['random']})").replace(
        "(default)", f"({words['default']})"
    )


def limits_of(measured: dict[str, Any], words: dict[str, Any]) -> str:
    """The machine's limits over all rows."""
    limits = list(filter(None, (result.get("limits") for result in measured.values())))
    if not limits:
        return str(words["no_limits"])
    bandwidths = [limit["bandwidth"] / 1e9 for limit in limits]
    peaks = [limit["int8_peak"] / 1e9 for limit in limits]
    text: str = words["limits"].format(bandwidth=span(bandwidths), peak=span(peaks))
    return text


def span(values: list[float]) -> str:
    """Lowest to highest, once when they are the same."""
    return "-".join(dict.fromkeys(f"{value:,.0f}" for value in (min(values), max(values))))


def speed(value: float | None) -> str:
    """Tokens per second with three digits that mean something."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value / 1e6:,.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
