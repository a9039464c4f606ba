"""`qingyu inspect`: what a model file holds, and the memory it would need.

    qingyu inspect default --context 4096
    qingyu inspect model.gguf --json

Loads no weights.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import common, flags, layout
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.models.summary import ModelSummary


def register(app: typer.Typer) -> None:
    app.command(
        "inspect",
        short_help=pick("What a model file holds", "查看模型文件"),
        help=pick(
            "Show what a model file holds: architecture, types, sizes, chat template, and the"
            " memory needed at a given context. No weights are loaded.",
            "显示模型文件的内容：架构、类型、大小、对话模板，以及给定上下文所需的内存。不加载权重。",
        ),
    )(inspect)


def inspect(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help=pick(
                "name, path of a .gguf file, or hub reference", "名称、.gguf 文件路径或仓库引用"
            ),
        ),
    ] = "default",
    context: Annotated[int | None, flags.context()] = None,
    show_template: Annotated[
        bool,
        typer.Option(
            "--show-template", help=pick("print the chat template as well", "同时显示对话模板")
        ),
    ] = False,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    from qingyu.models.store import locate
    from qingyu.models.summary import summarise

    summary = summarise(locate(model), context=context)
    if as_json:
        common.print_json(record(summary))
        return
    print("\n".join(layout.table(rows(summary))))
    for note in summary.config.notes:
        common.notice(note)
    if show_template and summary.template is not None:
        print("\n" + common.printable(summary.template))


def rows(summary: ModelSummary) -> list[tuple[str, str]]:
    """The page, as label and value."""
    config = summary.config
    size = common.human_bytes
    types = ", ".join(
        f"{name} {share / max(1, summary.weight_bytes):.0%} ({count})"
        for name, (count, share) in summary.types.items()
    )
    none = pick("none; chat needs --template", "无；对话时需要 --template")
    lines = [
        (pick("name", "名称"), common.printable(config.name)),
        (pick("file", "文件"), str(summary.path)),
        (pick("size", "大小"), f"{size(summary.file_bytes)} ({summary.file_bytes:,})"),
        (pick("architecture", "架构"), f"{config.family}, GGUF v{summary.gguf_version}"),
        (pick("parameters", "参数量"), common.human_count(summary.parameters)),
        (pick("tensors (share, number)", "张量（占比，个数）"), types),
        (
            pick("shape", "结构"),
            pick(
                f"{config.num_layers} layers, embedding {config.embedding_size}, feed-forward"
                f" {config.feed_forward_size}",
                f"{config.num_layers} 层，嵌入 {config.embedding_size}，前馈"
                f" {config.feed_forward_size}",
            ),
        ),
        (
            pick("attention", "注意力"),
            pick(
                f"{config.num_heads} heads, {config.num_kv_heads} for keys and values, of"
                f" {config.head_size}",
                f"{config.num_heads} 头，键值 {config.num_kv_heads} 头，每头 {config.head_size}",
            ),
        ),
        (
            pick("vocabulary", "词表"),
            f"{config.vocab_size:,} ({summary.tokenizer})"
            + (pick(", head tied", "，输出共享嵌入") if config.tied else ""),
        ),
        (pick("trained context", "训练上下文"), f"{config.context_length:,}"),
        (
            pick("chat template", "对话模板"),
            none
            if summary.template is None
            else pick(f"{len(summary.template):,} characters", f"{len(summary.template):,} 个字符"),
        ),
        (
            pick("memory needed", "所需内存"),
            pick(
                f"about {size(summary.memory_bytes)} at {summary.context:,} tokens"
                f" (weights {size(summary.weight_bytes)}, keys and values"
                f" {size(summary.kv_bytes)})",
                f"{summary.context:,} 词元时约 {size(summary.memory_bytes)}"
                f"（权重 {size(summary.weight_bytes)}，键值 {size(summary.kv_bytes)}）",
            ),
        ),
    ]
    licence = summary.metadata.get("general.license")
    if isinstance(licence, str):
        lines.insert(1, (pick("licence", "许可"), common.printable(licence)))
    return lines


def record(summary: ModelSummary) -> dict[str, Any]:
    """The page as --json prints it. Sizes in bytes, context in tokens."""
    config = asdict(summary.config)
    del config["tensors"], config["rope_frequencies"]
    return {
        "path": str(summary.path),
        "file_bytes": summary.file_bytes,
        "gguf_version": summary.gguf_version,
        "parameters": summary.parameters,
        "config": config,
        "types": {
            name: {"tensors": count, "bytes": share}
            for name, (count, share) in summary.types.items()
        },
        "tokenizer": summary.tokenizer,
        "template": summary.template,
        "metadata": summary.metadata,
        "memory": {
            "context": summary.context,
            "weight_bytes": summary.weight_bytes,
            "kv_bytes_per_token": summary.kv_bytes_per_token,
            "kv_bytes": summary.kv_bytes,
            "total_bytes": summary.memory_bytes,
        },
    }
