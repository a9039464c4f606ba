"""`qingyu receipt`: what a model file can do, measured, in a file that others can check.

    qingyu receipt model-q4.gguf --against model-f16.gguf
    qingyu receipt --check receipts/model-q4-0a1b2c3d/receipt.json model-q4.gguf

Delegates to `qingyu.prove.receipt` and `qingyu.prove.receipt_check`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qingyu.cli import common, flags, layout
from qingyu.cli.progress import shown_questions
from qingyu.errors import InvalidRequestError
from qingyu.text import pick


def register(app: typer.Typer) -> None:
    app.command(
        "receipt",
        short_help=pick(
            "What a model file can do, for others to check", "模型文件的实测收据，任何人可核对"
        ),
        help=pick(
            "Measure a model file: hash and tensor types, perplexity on built-in Chinese and"
            " English texts, C-Eval and CMMLU, speed and memory; with --against also how far it"
            " is from the full-precision file. Writes receipt.json and receipt.html. With --check"
            " a part, drawn anew each time, is measured again and compared; the exit code is 1"
            " when something disagrees.",
            "测量一个模型文件：哈希与张量类型、内置中英文文本上的困惑度、C-Eval 与 CMMLU、"
            "速度与内存；用 --against 还会测出它与全精度文件相差多少。"
            "写出 receipt.json 和 receipt.html。"
            "--check 每次随机重测一部分并比较；若有不符，退出码为 1。",
        ),
    )(receipt)


def receipt(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            show_default=pick("default; with --check the receipt's", "default；核对时为收据所记"),
            help=pick(
                "name, path of a .gguf file, or hub reference", "名称、.gguf 文件路径或仓库引用"
            ),
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help=pick("check this receipt instead of making one", "核对这份收据，而不是开具"),
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REFERENCE",
            show_default=False,
            help=pick(
                "the same model in full precision; both are in memory at once",
                "同一模型的全精度文件；两者同时占用内存",
            ),
        ),
    ] = None,
    sample: Annotated[
        str,
        typer.Option(
            metavar="20%|full|none",
            help=pick("share of each subject's questions", "各科题目抽取的比例"),
        ),
    ] = "20%",
    shots: Annotated[int, flags.shots()] = 0,
    data: Annotated[Path | None, flags.data()] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default=pick("receipts/… by file and hash", "receipts/…，按文件名与哈希命名"),
            help=pick("folder for the receipt and the journals", "收据与日志的文件夹"),
        ),
    ] = None,
    restart: Annotated[bool, flags.restart()] = False,
    threads: Annotated[int | None, flags.threads()] = None,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> int:
    if check is not None:
        given = {"--out": out is not None, "--restart": restart, "--sample": sample != "20%"}
        given["--shots"] = shots != 0
        for flag in (name for name, set_ in given.items() if set_):
            raise typer.BadParameter(
                pick(f"{flag} has no effect with --check", f"{flag} 与 --check 合用时不起作用")
            )
        return _check(check, model, against, data, threads, as_json)
    return _make(
        model or "default", against, _share(sample), shots, data, out, restart, threads, as_json
    )


def _make(
    model: str,
    against: str | None,
    share: float,
    shots: int,
    data: Path | None,
    out: Path | None,
    restart: bool,
    threads: int | None,
    as_json: bool,
) -> int:
    from qingyu.prove import receipt_page
    from qingyu.prove.receipt import Asked, Watcher, make

    record, folder = make(
        model,
        against=against,
        asked=Asked(share=share, shots=shots, data=data),
        folder=out,
        threads=threads,
        restart=restart,
        watcher=Watcher(note=common.notice, counting=shown_questions),
    )
    if as_json:
        # The answers are long; they are in the file.
        exams = {
            name: {key: value for key, value in exam.items() if key != "answers"}
            for name, exam in record["exams"].items()
        }
        rest = {key: value for key, value in record.items() if key != "reference"}
        common.print_json({**rest, "exams": exams, "folder": str(folder)})
    else:
        print("\n".join(receipt_page.lines(record)))
        common.notice(
            pick(
                f"wrote {folder}/receipt.json; open {folder / receipt_page.PAGE}",
                f"已写入 {folder}/receipt.json；请打开 {folder / receipt_page.PAGE}",
            )
        )
    return 0


def _check(
    path: Path,
    model: str | None,
    against: str | None,
    data: Path | None,
    threads: int | None,
    as_json: bool,
) -> int:
    from dataclasses import asdict

    from qingyu.prove.receipt_check import check, verdict

    words = {
        True: pick("agrees", "相符"),
        False: pick("DISAGREES", "不符"),
        None: pick("not checked", "未核对"),
    }
    columns = max(map(layout.width, words.values()))
    findings = []
    for finding in check(path, model=model, against=against, data=data, threads=threads):
        findings.append(finding)
        if not as_json:
            word = layout.pad(words[finding.agrees], columns)
            print(f"{word}  {finding.what}: {common.printable(finding.detail)}", flush=True)
    agrees = verdict(findings)
    if as_json:
        common.print_json({"agrees": agrees, "findings": [asdict(one) for one in findings]})
    else:
        print(
            pick("The receipt agrees with the model.", "收据与模型相符。")
            if agrees
            else pick("The receipt disagrees with the model.", "收据与模型不符。")
        )
    return 0 if agrees else 1


def _share(text: str) -> float:
    """Of "20%", "full" or "none"."""
    named = {"full": 1.0, "none": 0.0}
    if text in named:
        return named[text]
    number = text.removesuffix("%")
    try:
        share = float(number) / 100 if text.endswith("%") else -1.0
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise InvalidRequestError(
            pick(
                f"--sample is {text!r}; it must be a share such as 20%, full, or none",
                f"--sample 为 {text!r}；应为 20% 这样的比例、full 或 none",
            )
        )
    return share
