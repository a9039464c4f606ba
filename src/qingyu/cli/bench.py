"""`qingyu bench`: how fast a model would be here, even before it is downloaded.

    qingyu bench --shape milm-6b
    qingyu bench --model default --prompt 512 --new 128 --json

A shape has random weights: the same sizes and types, no file. Delegates to
`qingyu.engine.benchmark`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import common, flags, layout
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.engine.benchmark import Speed


def register(app: typer.Typer) -> None:
    app.command(
        "bench",
        short_help=pick("How fast a model is here", "测一测模型在这里有多快"),
        help=pick(
            "Measure how fast a model reads a prompt and writes an answer on this machine, and"
            " how near that is to the machine's limit. With --shape the weights are random, so"
            " nothing has to be downloaded first; they take as much memory as the model would.",
            "测量模型在这台机器上读提示、写回答的速度，以及离机器极限有多近。"
            "--shape 使用随机权重，无需先下载；所占内存与真实模型相同。",
        ),
    )(bench)


def bench(
    model: Annotated[str, flags.model()] = "default",
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help=pick(
                "random weights of this shape instead of a model; 'list' lists them",
                "不用模型，改用此形状的随机权重；list 可列出全部",
            ),
        ),
    ] = None,
    matrix_type: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            show_default="Q4_0",
            help=pick(
                "type of the random weights, with --shape", "随机权重的类型，与 --shape 合用"
            ),
        ),
    ] = None,
    prompt: Annotated[
        int,
        typer.Option(min=1, metavar="N", help=pick("tokens to read", "读入的词元数")),
    ] = 512,
    new: Annotated[
        int,
        typer.Option(min=1, metavar="N", help=pick("tokens to write", "写出的词元数")),
    ] = 128,
    repeat: Annotated[
        int,
        typer.Option(min=1, metavar="N", help=pick("runs; the median counts", "次数，取中位数")),
    ] = 3,
    threads: Annotated[int | None, flags.threads()] = None,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    if shape == "list":
        list_shapes()
        return
    if matrix_type is not None and shape is None:
        raise typer.BadParameter(
            pick("--type has no effect without --shape", "没有 --shape 时 --type 不起作用")
        )
    from qingyu.engine import benchmark

    if shape is None:
        name = model
        subject = benchmark.from_file(model, threads=threads)
    else:
        name = f"{shape} {(matrix_type or 'Q4_0').upper()}"
        subject = benchmark.from_shape(shape, matrix_type or "Q4_0", threads=threads)
    speed = benchmark.measure(subject, prompt=prompt, new=new, repeat=repeat)
    if as_json:
        common.print_json({"model": name, **record(speed)})
    else:
        print("\n".join([title(name, speed), *layout.table(rows(speed))]))


def list_shapes() -> None:
    """Every shape with its size as Q4_0."""
    from qingyu.models import shapes

    print(
        "\n".join(
            layout.table(
                (
                    (
                        name,
                        common.human_count(shapes.num_parameters(name)),
                        common.human_bytes(shapes.num_bytes(name, "Q4_0")) + " Q4_0",
                    )
                    for name in shapes.names()
                ),
                right=frozenset({1, 2}),
            )
        )
    )


def title(name: str, speed: Speed) -> str:
    """What was measured, and how."""
    details = pick(
        f"{speed.instruction_set}, {speed.threads} threads, median of {speed.repeat}",
        f"{speed.instruction_set}，{speed.threads} 线程，{speed.repeat} 次取中位数",
    )
    return f"{name} · {common.human_bytes(speed.weight_bytes)} · {details}"


def rows(speed: Speed) -> list[tuple[str, str]]:
    """The measurements as label and value."""
    per_second = pick("tokens/s", "词元/秒")
    return [
        (
            pick(f"prefill {speed.prompt}", f"预填 {speed.prompt}"),
            f"{speed.prefill_rate:,.1f} {per_second}, "
            + pick(
                f"{speed.peak_share:.0%} of the int8 peak ({speed.int8_peak / 1e9:,.0f} Gop/s)",
                f"int8 峰值（{speed.int8_peak / 1e9:,.0f} Gop/s）的 {speed.peak_share:.0%}",
            ),
        ),
        (
            pick(f"decode {speed.new}", f"解码 {speed.new}"),
            f"{speed.decode_rate:,.1f} {per_second}, "
            + pick(
                f"{speed.bandwidth_share:.0%} of the read bandwidth"
                f" ({speed.bandwidth / 1e9:.1f} GB/s)",
                f"读带宽（{speed.bandwidth / 1e9:.1f} GB/s）的 {speed.bandwidth_share:.0%}",
            ),
        ),
    ]


def record(speed: Speed) -> dict[str, Any]:
    """The measurements as --json prints them."""
    return {
        **asdict(speed),
        "prefill_tokens_per_second": speed.prefill_rate,
        "decode_tokens_per_second": speed.decode_rate,
        "bandwidth_share": speed.bandwidth_share,
        "peak_share": speed.peak_share,
    }
