"""What a receipt says to people: a page, and a few lines for a terminal.

    write_page(folder, record); print("\\n".join(lines(record)))

Made from the record alone, in the language in force. The page needs nothing but itself: no
script, no other file, no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from qingyu.models.hashes import write_atomically
from qingyu.prove import benchmarks, scores, texts, wording
from qingyu.prove.benchmarks import CATEGORIES, Benchmark
from qingyu.prove.receipt_file import Record
from qingyu.prove.receipt_records import exam_scores
from qingyu.prove.report_tables import NOTHING, Table
from qingyu.prove.summary import group_name
from qingyu.prove.wording import clean
from qingyu.text import language, pick

PAGE = "receipt.html"


class Tile(NamedTuple):
    """One thing to know first; flat: a sentence instead of a number."""

    label: str
    value: str
    note: str
    flat: bool = False


def write_page(folder: Path, record: Record) -> Path:
    path = folder / PAGE
    write_atomically(path, page(record))
    return path


def page(record: Record) -> str:
    """The page as HTML."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("qingyu.prove").joinpath("receipt.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        record=record,
        title=pick("Receipt: ", "收据：") + clean(record["model"]["file"]),
        tiles=list(tiles(record)),
        tables=list(tables(record)),
        language=language(),
        t=pick,
    )


def lines(record: Record) -> Iterator[str]:
    """What there is to know first, for a terminal."""
    model = record["model"]
    yield f"{clean(model['file'])} · {size(model['bytes'])} · SHA-256 {model['sha256']}"
    for tile in tiles(record):
        yield f"{tile.label}: {tile.value}" + (f" ({tile.note})" if tile.note else "")


def tiles(record: Record) -> Iterator[Tile]:
    for name, exam in record["exams"].items():
        title = benchmarks.find(name).title
        if not exam["asked"]:
            yield Tile(title, why_not(exam), "", flat=True)
            continue
        found = exam_scores(exam)
        note = wording.against(found) + pick("; ", "；") + asked(exam)
        yield Tile(title, wording.headline(found), note, flat=not found.beats_guessing)
    for one in texts.LANGUAGES:
        text = record["texts"][one]
        yield Tile(
            perplexity_of(one),
            f"{text['perplexity']:.2f}",
            pick(
                f"{text['bits_per_byte']:.3f} bits per byte",
                f"每字节 {text['bits_per_byte']:.3f} 比特",
            ),
        )
    if "reference" in record:
        found = record["reference"]["divergence"]["all"]
        yield Tile(
            pick("Divergence from the reference", "与参照的偏离"),
            f"{found['mean']:.4f}",
            pick(
                f"nats per token, mean; 99% below {found['p99']:.3f};"
                f" same first choice {found['agreement']:.1%}",
                f"奈特/词元，平均；99% 低于 {found['p99']:.3f}；首选相同 {found['agreement']:.1%}",
            ),
        )
    speed = record["speed"]
    yield Tile(
        pick("Speed here", "本机速度"),
        pick(
            f"{speed['decode_tokens_per_second']:,.1f} tokens/s",
            f"{speed['decode_tokens_per_second']:,.1f} 词元/秒",
        ),
        pick(
            f"decode; prefill {speed['prefill_tokens_per_second']:,.0f}",
            f"解码；预填 {speed['prefill_tokens_per_second']:,.0f}",
        ),
    )


def tables(record: Record) -> Iterator[Table]:
    yield file_table(record)
    yield types_table(record)
    yield text_table(record)
    for name, exam in record["exams"].items():
        if exam["asked"]:
            yield exam_table(name, record)
    if "reference" in record:
        yield divergence_table(record)
        if record["reference"]["exams"]:
            yield flips_table(record)
    yield speed_table(record)
    yield how_table(record)


def file_table(record: Record) -> Table:
    files_ = [record["model"]]
    head = ["", pick("model", "模型")]
    if "reference" in record:
        files_.append(record["reference"]["model"])
        head.append(pick("reference", "参照"))
    rows = [
        (pick("file", "文件"), lambda one: clean(one["file"])),
        ("SHA-256", lambda one: one["sha256"]),
        (pick("bytes", "字节"), lambda one: f"{one['bytes']:,} ({size(one['bytes'])})"),
        (pick("name in it", "内部名称"), lambda one: clean(one["name"])),
        (pick("family", "系列"), lambda one: clean(one["family"])),
        (pick("parameters", "参数"), lambda one: f"{one['parameters']:,}"),
        (pick("context", "上下文"), lambda one: f"{one['context']:,}"),
        (pick("vocabulary", "词表"), lambda one: f"{one['vocabulary']:,}"),
        (
            pick("licence", "许可"),
            lambda one: clean(one["licence"] or pick("not stated", "未注明")),
        ),
    ]
    return Table(
        title=pick("The file", "文件"),
        head=head,
        rows=[[label, *map(value, files_)] for label, value in rows],
        words=True,
    )


def types_table(record: Record) -> Table:
    types = record["model"]["types"]
    total = sum(one["bytes"] for one in types.values())
    return Table(
        title=pick("Tensor types", "张量类型"),
        head=[
            pick("type", "类型"),
            pick("tensors", "张量数"),
            pick("bytes", "字节"),
            pick("share", "占比"),
        ],
        rows=[
            [
                clean(kind),
                f"{one['tensors']:,}",
                f"{one['bytes']:,}",
                f"{one['bytes'] / max(1, total):.1%}",
            ]
            for kind, one in types.items()
        ],
    )


def text_table(record: Record) -> Table:
    reference = record.get("reference")
    head = [
        pick("text", "文本"),
        pick("perplexity per token", "每词元困惑度"),
        pick("bits per byte", "每字节比特"),
        pick("tokens scored", "计分词元"),
        pick("bytes", "字节"),
    ]
    if reference:
        head += [pick("reference's perplexity", "参照的困惑度"), pick("ratio", "比值")]
    rows = []
    for one in texts.LANGUAGES:
        text = record["texts"][one]
        row = [
            language_name(one),
            f"{text['perplexity']:.4f}",
            f"{text['bits_per_byte']:.4f}",
            f"{text['num_scored']:,}",
            f"{text['num_bytes']:,}",
        ]
        if reference:
            theirs = reference["texts"][one]["perplexity"]
            row += [f"{theirs:.4f}", f"{text['perplexity'] / theirs:.4f}"]
        rows.append(row)
    return Table(
        title=pick("Perplexity on the built-in texts", "内置文本上的困惑度"),
        head=head,
        rows=rows,
        note=pick(
            "Ten passages in each language, written for this; each on its own. Perplexities of"
            " models with other vocabularies are not comparable, bits per byte are.",
            "每种语言十段，专为此而写，逐段单独计算。词表不同的模型，困惑度不可比，"
            "每字节比特数可比。",
        ),
    )


def exam_table(name: str, record: Record) -> Table:
    benchmark = benchmarks.find(name)
    exam = record["exams"][name]
    columns = [exam_scores(exam)]
    head = ["", pick("model", "模型")]
    theirs = record.get("reference", {}).get("exams", {}).get(name)
    if theirs:
        columns.append(exam_scores(theirs))
        head.append(pick("reference", "参照"))
    notes = [wording.verdict(columns[0]), asked(exam)]
    if exam["dropped_shots"]:
        notes.append(
            pick(
                f"{exam['dropped_shots']:,} examples did not fit",
                f"{exam['dropped_shots']:,} 个示例放不下",
            )
        )
    return Table(
        title=f"{benchmark.title} {exam['exam']['split']}, "
        + pick(f"{exam['exam']['shots']}-shot", f"{exam['exam']['shots']} 个示例")
        + f", {clean(exam['exam']['protocol'])}",
        head=head,
        rows=[
            [pick("average over subjects", "各科平均"), *map(wording.percent, columns)],
            [pick("over questions", "按题平均"), *(f"{one.micro:.1f}%" for one in columns)],
            *(
                [group_name(group), *(share(one, group) for one in columns)]
                for group in (*CATEGORIES, benchmark.group)
            ),
            [
                pick("one letter for every answer", "一律答同一字母"),
                *(f"{one.guessing_letter}: {one.guessing:.1f}%" for one in columns),
            ],
        ],
        note=" ".join(sentence(one) for one in notes),
    )


def share(found: scores.Scores, group: str) -> str:
    return f"{found.groups[group]:.1f}%" if group in found.groups else NOTHING


def sentence(words: str) -> str:
    return pick(f"{words[:1].upper()}{words[1:]}.", f"{words}。")


def divergence_table(record: Record) -> Table:
    divergence = record["reference"]["divergence"]
    names = {**{one: language_name(one) for one in texts.LANGUAGES}, "all": pick("both", "合计")}
    return Table(
        title=pick("Divergence from the reference", "与参照的偏离"),
        head=[
            pick("text", "文本"),
            pick("mean KL", "平均 KL"),
            pick("median", "中位数"),
            pick("99th percentile", "99 百分位"),
            pick("largest", "最大"),
            pick("same first choice", "首选相同"),
            pick("tokens", "词元"),
        ],
        rows=[
            [
                label,
                *(f"{divergence[key][which]:.5f}" for which in ("mean", "median", "p99", "most")),
                f"{divergence[key]['agreement']:.2%}",
                f"{divergence[key]['positions']:,}",
            ]
            for key, label in names.items()
        ],
        note=pick(
            "KL(reference || model) in nats at each token, over the whole vocabulary.",
            "每个词元处的 KL(参照 || 模型)，单位奈特，对整个词表计算。",
        ),
    )


def flips_table(record: Record) -> Table:
    exams = record["reference"]["exams"]
    found = [exam["comparison"] for exam in exams.values()]
    return Table(
        title=pick("Answers against the reference's", "答案与参照的对比"),
        head=["", *(benchmarks.find(name).title for name in exams)],
        rows=[
            [pick("questions", "题数"), *(f"{one['count']:,}" for one in found)],
            [
                pick("another answer", "答案不同"),
                *(f"{one['flips']:,} ({one['flips'] / one['count']:.1%})" for one in found),
            ],
            [pick("became right", "改对"), *(f"{one['gained']:,}" for one in found)],
            [pick("became wrong", "改错"), *(f"{one['lost']:,}" for one in found)],
            [
                pick("difference in points", "分差"),
                *(f"{one['difference_macro']:+.2f}" for one in found),
            ],
            [
                pick("its 95% interval", "95% 区间"),
                *(f"{one['low']:+.2f} … {one['high']:+.2f}" for one in found),
            ],
            [pick("McNemar's p", "McNemar p 值"), *(f"{one['p_value']:.3f}" for one in found)],
        ],
        note=pick(
            "An interval with 0 in it, or a p above 0.05: no difference beyond chance.",
            "区间包含 0 或 p 大于 0.05：差别未超出偶然。",
        ),
    )


def speed_table(record: Record) -> Table:
    speed, machine = record["speed"], record["machine"]
    rate = pick("tokens/s", "词元/秒")
    peak = f"{speed['int8_peak'] / 1e9:,.0f} Gop/s"
    bandwidth = f"{speed['bandwidth'] / 1e9:.1f} GB/s"
    return Table(
        title=pick("Speed and memory on one machine", "某台机器上的速度与内存"),
        head=["", pick("measured", "实测"), pick("of the machine's limit", "占机器极限")],
        rows=[
            [
                pick(f"prefill {speed['prompt']}", f"预填 {speed['prompt']}"),
                f"{speed['prefill_tokens_per_second']:,.1f} {rate}",
                f"{speed['peak_share']:.0%} ({peak} int8)",
            ],
            [
                pick(f"decode {speed['new']}", f"解码 {speed['new']}"),
                f"{speed['decode_tokens_per_second']:,.1f} {rate}",
                f"{speed['bandwidth_share']:.0%} ({bandwidth})",
            ],
            [
                pick("most memory", "内存峰值"),
                size(speed["peak_memory_bytes"]) if speed["peak_memory_bytes"] else NOTHING,
                size(machine["memory_bytes"]) if machine["memory_bytes"] else NOTHING,
            ],
        ],
        note=pick(
            f"{clean(machine['processor'])}, {speed['threads']} threads,"
            f" {clean(speed['instruction_set'])}, {clean(machine['system'])};"
            f" {speed['activation_bits']}-bit activations, median of {speed['repeat']}."
            " Not part of a check: elsewhere it differs.",
            f"{clean(machine['processor'])}，{speed['threads']} 线程，"
            f"{clean(speed['instruction_set'])}，{clean(machine['system'])}；"
            f"{speed['activation_bits']} 位激活，{speed['repeat']} 次取中位数。"
            "核对时不比较速度：换一台机器就会不同。",
        ),
    )


def how_table(record: Record) -> Table:
    settings, program = record["settings"], record["program"]
    rows = [
        [
            pick("program", "程序"),
            f"qingyu {clean(program['version'])}, numpy {clean(program['numpy'])}",
        ],
        [pick("date", "日期"), clean(record["made"])],
        [
            pick("computed with", "计算方式"),
            pick(
                f"{settings['activation_bits']}-bit activations,"
                f" {clean(settings['instruction_set'])}; the same for any number of threads",
                f"{settings['activation_bits']} 位激活，{clean(settings['instruction_set'])}；"
                "与线程数无关",
            ),
        ],
        [
            pick("texts", "文本"),
            pick(
                f"windows of {settings['window']} tokens, half a window apart",
                f"窗口 {settings['window']} 词元，步长为半个窗口",
            ),
        ],
    ]
    for name, exam in record["exams"].items():
        title = benchmarks.find(name).title
        rows.append([title, question_source(name, exam) if exam["asked"] else why_not(exam)])
    rows.append([pick("receipt's SHA-256", "收据的 SHA-256"), record["sha256"]])
    return Table(
        title=pick("How it was measured", "如何测得"), head=["", ""], rows=rows, words=True
    )


def question_source(name: str, exam: Record) -> str:
    benchmark: Benchmark = benchmarks.find(name)
    setting = exam["exam"]
    parts = [
        f"{benchmark.source}, {benchmark.licence}",
        clean(f"{setting['protocol']}, {setting['method']}, {setting['shots']}-shot"),
        f"SHA-256 {setting['data_sha256']}",
    ]
    return "; ".join(parts)


def asked(exam: Record) -> str:
    """How many of the questions, and what that means for comparing."""
    setting = exam["exam"]
    benchmark = benchmarks.find(setting["benchmark"])
    total = sum(one.counts[setting["split"]] for one in benchmark.subjects.values())
    count = len(exam["answers"])
    if count == total:
        return pick(f"all {total:,} questions", f"全部 {total:,} 题")
    return pick(
        f"a sample of {count:,} of {total:,} questions, some of every subject",
        f"{total:,} 题中的 {count:,} 题，各科均有抽样",
    )


def why_not(exam: Record) -> str:
    if exam["why"] == "no data":
        return pick("not asked: no questions here", "未测：本机没有题目")
    return pick("not asked", "未测")


def perplexity_of(name: str) -> str:
    return pick(f"Perplexity, {language_name(name)}", f"困惑度，{language_name(name)}")


def language_name(name: str) -> str:
    return pick("Chinese", "中文") if name == "zh" else pick("English", "英文")


def size(count: int) -> str:
    """In binary units, as file managers show it."""
    if count >= 1 << 30:
        return f"{count / (1 << 30):.2f} GiB"
    return f"{count / (1 << 20):.1f} MiB"
