"""`qingyu data build|tokenizer|inspect`: from crawled pages and files to token shards.

    qingyu data tokenizer recipe.toml --vocab-size 12288 --out tokenizer
    qingyu data build recipe.toml --out data
    qingyu data inspect data --documents 2

Delegates to `qingyu.make.data`; docs/data.md explains recipes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import common, flags, layout
from qingyu.cli.help import Command, Group
from qingyu.cli.progress import shown_steps
from qingyu.errors import DataError, QingyuError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.make.shards import Shards
    from qingyu.make.text_tokenizer import TextTokenizer


def register(app: typer.Typer) -> None:
    group = typer.Typer(cls=Group, rich_markup_mode=None)
    group.callback(
        help=pick(
            "Data to train with: clean crawled pages and files, train a tokenizer, look at what"
            " came out. Needs the extra: pip install qingyu[make].",
            "训练数据：清洗网页与文件、训练分词器、查看结果。需要附加组件："
            "pip install qingyu[make]。",
        )
    )(lambda: None)
    group.command(
        "build",
        cls=Command,
        short_help=pick("From files to token shards", "从文件到词元分片"),
        help=pick(
            "Build a data set by a recipe (TOML): main text out of pages, repair, language and"
            " quality rules, duplicates, personal data, overlap with evaluation questions, tokens,"
            " shards. Says why each document was dropped. Goes on where it was stopped. Touches"
            " the network only with --fetch.",
            "按配方（TOML）构建数据集：提取网页正文、修复编码、语言与质量规则、去重、遮盖个人信息、"
            "与评测题目比对、分词、写成分片。说明每篇文档被丢弃的原因；中断后从原处继续；"
            "只有 --fetch 会使用网络。",
        ),
    )(build)
    group.command(
        "tokenizer",
        cls=Command,
        short_help=pick("Train a tokenizer", "训练分词器"),
        help=pick(
            "Train a byte-level tokenizer on a recipe's sources, cleaned the same way, and compare"
            " it with another by bytes per token, in Chinese and English.",
            "用配方中的来源（同样清洗）训练字节级分词器，并按每词元字节数与另一分词器比较中英文。",
        ),
    )(tokenizer)
    group.command(
        "inspect",
        cls=Command,
        short_help=pick("What a data set holds", "查看数据集"),
        help=pick(
            "Show what a data set holds and where it is from, and some of its documents.",
            "显示数据集的内容与来源，以及其中若干文档。",
        ),
    )(inspect)
    app.add_typer(
        group, name="data", short_help=pick("Data to train with", "训练数据：清洗、分词、查看")
    )


def _recipe() -> Any:
    return typer.Argument(metavar="RECIPE", help=pick("the recipe (TOML)", "配方（TOML）"))


@contextmanager
def _extra() -> Iterator[None]:
    """A missing part of the extra as an error that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "qingyu").startswith("qingyu"):
            raise
        raise QingyuError(
            pick(
                f"this needs the extra make ({error.name} is missing): pip install qingyu[make]",
                f"需要附加组件 make（缺少 {error.name}）：pip install qingyu[make]",
            )
        ) from None


def build(
    recipe: Annotated[Path, _recipe()],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help=pick("folder for shards and report", "分片与报告的文件夹")
        ),
    ] = Path("data"),
    fetch: Annotated[
        bool,
        typer.Option(
            "--fetch",
            help=pick(
                "bring the packages the recipe names, where they are not here",
                "下载配方所列、本机没有的软件包",
            ),
        ),
    ] = False,
    data: Annotated[Path | None, flags.data()] = None,
    workers: Annotated[
        int, typer.Option(min=1, metavar="N", help=pick("processes at once", "并行进程数"))
    ] = 1,
    restart: Annotated[
        bool,
        typer.Option("--restart", help=pick("forget work that was begun", "忘掉已开始的工作")),
    ] = False,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    with _extra():
        from qingyu.make.data.build import build as run
        from qingyu.make.data.recipe import read_recipe

    chosen = read_recipe(recipe)
    try:
        with shown_steps(chosen.name) as shown:
            report = run(
                chosen,
                base=recipe.parent,
                out=out,
                data=data,
                workers=workers,
                fetch=fetch,
                restart=restart,
                progress=lambda name, done, total: shown(done, total, name),
            )
    except KeyboardInterrupt:
        common.notice(pick("stopped; the same command goes on", "已停止；再次运行同一命令即可继续"))
        raise
    if as_json:
        from dataclasses import asdict

        common.print_json({**asdict(report), "folder": str(out)})
        return
    print("\n".join([*report.lines(), pick(f"report: {out}/report.md", f"报告：{out}/report.md")]))


def tokenizer(
    recipe: Annotated[Path, _recipe()],
    vocab_size: Annotated[
        int, typer.Option(min=300, metavar="N", help=pick("tokens in all", "词元总数"))
    ] = 12288,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help=pick("folder for tokenizer.json", "写入的文件夹")),
    ] = Path("tokenizer"),
    megabytes: Annotated[
        float,
        typer.Option(min=0.01, metavar="N", help=pick("most text to learn from", "最多使用的文本")),
    ] = 256.0,
    compare: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help=pick("tokenizer to compare with; none: no", "用于比较的分词器；none 表示不比较"),
        ),
    ] = "default",
    fetch: Annotated[
        bool,
        typer.Option("--fetch", help=pick("bring packages the recipe names", "下载配方所列软件包")),
    ] = False,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    with _extra():
        from qingyu.make.data.build import clean_texts
        from qingyu.make.data.recipe import read_recipe
    from qingyu.make.text_tokenizer import TextTokenizer, load_tokenizer
    from qingyu.make.tokenizer_training import Sample, bytes_per_token, train_tokenizer

    # First of all: it is no use to find out after half an hour of training.
    other = None if compare == "none" else load_tokenizer(compare)
    if (out / "tokenizer.json").exists():
        raise DataError(
            pick(
                f"{out} has a tokenizer; choose another --out or remove it",
                f"{out} 中已有分词器；请换一个 --out 或将其删除",
            )
        )
    sample = Sample(max_bytes=int(megabytes * 1e6))
    texts = sample.training(clean_texts(read_recipe(recipe), base=recipe.parent, fetch=fetch))
    made = TextTokenizer(train_tokenizer(texts, vocab_size=vocab_size))
    made.save(out)
    record: dict[str, Any] = {
        "folder": str(out),
        "vocab_size": made.vocab_size,
        "sha256": made.sha256,
        "documents": sample.num_documents,
        "bytes": sample.num_bytes,
    }
    for language, held_out in sample.held_out.items():
        record[f"bytes_per_token_{language}"] = bytes_per_token(made, held_out)
        if other is not None:
            record[f"compared_{language}"] = bytes_per_token(other, held_out)
    if as_json:
        common.print_json(record)
    else:
        print("\n".join(_tokenizer_lines(record, compare)))


def _tokenizer_lines(record: dict[str, Any], compare: str) -> list[str]:
    def shown(key: str) -> str:
        value = record.get(key)
        return "-" if value is None else f"{value:.2f}"

    rows = [
        (pick("bytes per token", "每词元字节数"), pick("Chinese", "中文"), pick("English", "英文"))
    ]
    rows.append(
        (
            pick("this tokenizer", "新分词器"),
            shown("bytes_per_token_zh"),
            shown("bytes_per_token_en"),
        )
    )
    if compare != "none":
        rows.append((compare, shown("compared_zh"), shown("compared_en")))
    head = pick(
        f"{record['vocab_size']:,} tokens from {record['documents']:,} documents"
        f" ({record['bytes'] / 1e6:.1f} MB), in {record['folder']}",
        f"由 {record['documents']:,} 篇文档（{record['bytes'] / 1e6:.1f} MB）得到"
        f" {record['vocab_size']:,} 个词元，写入 {record['folder']}",
    )
    note = pick("(measured on documents it did not see)", "（在未参与训练的文档上测量）")
    return [head, *layout.table(rows, right=frozenset({1, 2})), note]


def inspect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=pick("the data set", "数据集"))],
    documents: Annotated[
        int,
        typer.Option(min=0, metavar="N", help=pick("documents to show", "显示的文档数")),
    ] = 0,
    verify: Annotated[
        bool, typer.Option("--verify", help=pick("hash the shards again", "重新校验分片哈希"))
    ] = False,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    from qingyu.make.shards import Shards

    shards = Shards.open(folder)
    if verify:
        shards.verify()
    if as_json:
        common.print_json({**shards.index, "folder": str(folder)})
    else:
        print("\n".join(_shards_lines(shards)))
    if documents:
        from qingyu.make.text_tokenizer import load_tokenizer

        known = load_tokenizer(folder / "tokenizer.json")
        step = max(1, shards.num_documents // documents)
        for number in range(0, shards.num_documents, step)[:documents]:
            print(f"\n--- {number}\n{_document(shards, known, number)}")


def _shards_lines(shards: Shards) -> list[str]:
    made = shards.index["made"]
    lines = [
        pick(
            f"{shards.num_documents:,} documents, {shards.num_tokens:,} tokens in"
            f" {len(shards.index['shards'])} shards; vocabulary of {shards.vocab_size:,}",
            f"{shards.num_documents:,} 篇文档，{shards.num_tokens:,} 个词元，"
            f"{len(shards.index['shards'])} 个分片；词表 {shards.vocab_size:,}",
        ),
        pick(f"made {made.get('date', '?')}", f"生成于 {made.get('date', '?')}"),
    ]
    if shards.has_loss:
        lines.append(pick("conversations: loss on answers only", "含对话：只在回答上计算损失"))
    for source in made.get("sources", ()):
        version = f" {source['version']}" if source.get("version") else ""
        lines.append(f"  {source['title']}{version}: {source['licence']}")
    return lines


def _document(shards: Shards, tokenizer: TextTokenizer, number: int) -> str:
    """The text; what carries loss in a conversation is between ⟦ and ⟧."""
    tokens, loss = shards.document(number)
    if loss is None:
        return common.printable(tokenizer.decode(tokens.tolist()))
    pieces = []
    start = 0
    for place in range(1, len(tokens) + 1):
        if place == len(tokens) or loss[place] != loss[start]:
            piece = tokenizer.decode(tokens[start:place].tolist())
            pieces.append(f"⟦{piece}⟧" if loss[start] else piece)
            start = place
    return common.printable("".join(pieces))
