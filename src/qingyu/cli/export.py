"""`qingyu export`: a model for others: a GGUF file, a Hugging Face folder, an adapter, a bundle.

    qingyu export runs/whisper --type q4_k_m            # a trained run as a GGUF file
    qingyu export --to hf default out                   # a model or run as a Hugging Face folder
    qingyu export --to adapter runs/tuned               # a trained adapter by itself
    qingyu export default qwen3-0.6b -o models.qingyu   # stored models for another machine

Delegates to `qingyu.make.export`, `qingyu.make.hugging_face_writer`, `qingyu.make.adapter_file` and
`qingyu.models.bundle`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import common, flags
from qingyu.cli.progress import shown_progress
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.make.export import Exported

_KINDS = ("gguf", "hf", "adapter", "bundle")
_USUAL_TYPE = "f16"


def short_help() -> str:
    return pick(
        "Write a model as GGUF file, Hugging Face folder or bundle",
        "将模型写成 GGUF 文件、Hugging Face 文件夹或离线包",
    )


def long_help() -> str:
    return pick(
        "Write a model for others. A training run becomes a GGUF file, with tokenizer, chat"
        " template, licence and where it comes from; with --to hf, a run or a model becomes a"
        " folder that Hugging Face's libraries read; with --to adapter, a run or a peft folder that"
        " holds an adapter becomes a file for --adapter; names of stored models become one bundle"
        " for a machine without a network.",
        "把模型写出来给别人用。训练运行写成 GGUF 文件，附带分词器、对话模板、许可与来源；"
        "--to hf 将训练运行或模型写成 Hugging Face 文件夹；--to adapter 将含适配器的训练运行或"
        " peft 文件夹写成供 --adapter 使用的文件；已有模型的名称则写成一个离线包，"
        "供没有网络的机器使用。",
    )


def export(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help=pick(
                "a run's folder, or a model (name, .gguf file); the last one is what to write"
                " where there are two and no --output",
                "训练运行的文件夹，或模型（名称、.gguf 文件）；给出两项且没有 --output 时，"
                "后一项是要写入的位置",
            ),
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            show_default=pick("NAME-TYPE.gguf", "名称-类型.gguf"),
            help=pick("file or folder to write", "要写入的文件或文件夹"),
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="gguf|hf|adapter|bundle",
            show_default=pick("gguf for runs, bundle for models", "运行为 gguf，模型为 bundle"),
            help=pick("what to write", "写成什么"),
        ),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            show_default=pick(
                "f16; --to hf: as they are; --to adapter: f32",
                "f16；--to hf 时保持原样；--to adapter 时为 f32",
            ),
            help=pick(
                "type of the weights: f32 f16 bf16 q8_0 q6_k q4_k_m q4_1 q4_0; --to hf and"
                " adapter: the first three",
                "权重类型：f32 f16 bf16 q8_0 q6_k q4_k_m q4_1 q4_0；"
                "--to hf 与 adapter 时只有前三种",
            ),
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            show_default=pick("what the run began with", "训练运行的起点"),
            help=pick("--to adapter: the model it is for", "--to adapter 时：适配器所属的模型"),
        ),
    ] = None,
    checkpoint: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=pick(
                "which of a run's checkpoints: best, last, or step-00000100",
                "使用哪个检查点：best、last 或 step-00000100",
            ),
        ),
    ] = "best",
    licence: Annotated[str | None, flags.licence()] = None,
    threads: Annotated[int | None, flags.threads()] = None,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    kind = _kind(to, sources, type_)
    if kind == "bundle":
        _refuse(kind, {"--type": type_, "--licence": licence, "--base": base})
        _write_bundle(sources, output, as_json)
        return
    source, output = _source_and_output(sources, output)
    if kind == "adapter":
        _refuse(kind, {"--licence": licence})
        _write_adapter(source, output, type_ or "f32", base, checkpoint, as_json)
        return
    _refuse(kind, {"--base": base})
    if kind == "hf":
        _write_folder(source, output, type_, checkpoint, licence, threads, as_json)
    else:
        _write_gguf(source, output, type_ or _USUAL_TYPE, checkpoint, licence, threads, as_json)


def _kind(to: str | None, sources: list[str], type_: str | None) -> str:
    if to is None:
        from qingyu.make.hugging_face import CONFIG
        from qingyu.make.run_network import is_run

        path = Path(sources[0])
        made = type_ is not None or is_run(path) or (path / CONFIG).is_file()
        return "gguf" if made else "bundle"
    if to not in _KINDS:
        raise InvalidRequestError(
            pick(
                f"--to takes {', '.join(_KINDS)}, not {to!r}",
                f"--to 只接受 {'、'.join(_KINDS)}，不是 {to!r}",
            )
        )
    return to


def _refuse(kind: str, options: dict[str, Any]) -> None:
    for name, value in options.items():
        if value is not None:
            raise InvalidRequestError(
                pick(f"{name} has no effect on a {kind}", f"{name} 对 {kind} 不起作用")
            )


def _source_and_output(sources: list[str], output: Path | None) -> tuple[str, Path | None]:
    if output is None and len(sources) == 2:
        return sources[0], Path(sources[1])
    if len(sources) != 1:
        raise InvalidRequestError(
            pick(
                f"one model at a time is written, not {len(sources)}",
                f"一次只能写一个模型，而不是 {len(sources)} 个",
            )
        )
    return sources[0], output


def _write_gguf(
    source: str,
    output: Path | None,
    type_: str,
    checkpoint: str,
    licence: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    from qingyu.engine.settings import EngineSettings
    from qingyu.make.export import export_network
    from qingyu.make.run_network import open_network
    from qingyu.make.tensor_types import check_type

    type_ = check_type(type_)
    name = Path(source).resolve().name.removesuffix(".gguf")
    path = output or Path(f"{name}-{type_}.gguf")
    used = EngineSettings.from_environment(threads=threads).threads
    with shown_progress(path.name) as progress:
        network = open_network(source, checkpoint=checkpoint, progress=progress)
        exported = export_network(
            network, path, type_, licence=licence, threads=used, progress=progress
        )
    say_exported(exported, as_json)


def say_exported(exported: Exported, as_json: bool) -> None:
    """What became of an export to GGUF: one JSON object, or a line and its notes."""
    if as_json:
        common.print_json(
            {
                "path": str(exported.path),
                "bytes": exported.num_bytes,
                "parameters": exported.parameters,
                "types": exported.types,
                "notes": list(exported.notes),
            }
        )
        return
    size = common.human_bytes(exported.num_bytes)
    count = common.human_count(exported.parameters)
    types = ", ".join(f"{name} ({number})" for name, number in exported.types.items())
    print(
        pick(
            f"{exported.path}: {count} parameters, {size}; {types}",
            f"{exported.path}：{count} 参数，{size}；{types}",
        )
    )
    for note in exported.notes:
        common.notice(note)


def _write_folder(
    source: str,
    output: Path | None,
    type_: str | None,
    checkpoint: str,
    licence: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from qingyu.engine.settings import EngineSettings
    from qingyu.make.hugging_face_writer import float_type, write_folder
    from qingyu.make.run_network import open_network

    if output is None:
        raise InvalidRequestError(
            pick("name the folder to write: qingyu export --to hf SOURCE FOLDER",
                 "请给出要写入的文件夹：qingyu export --to hf SOURCE 文件夹")
        )  # fmt: skip
    dtype = None if type_ is None else float_type(type_)
    used = EngineSettings.from_environment(threads=threads).threads
    with shown_progress(output.name) as progress:
        network = open_network(source, checkpoint=checkpoint, progress=progress)
        if licence is not None:
            network = replace(network, about={**network.about, "general.license": licence})
        written = write_folder(network, output, dtype=dtype, threads=used, progress=progress)
    if as_json:
        common.print_json(
            {
                "path": str(output),
                "bytes": written.num_bytes,
                "type": written.dtype.name,
                "files": written.num_files,
                "notes": list(network.notes),
            }
        )
        return
    size = common.human_bytes(written.num_bytes)
    print(
        pick(
            f"{output}: weights of {size} in {written.dtype.name}",
            f"{output}：{written.dtype.name} 权重，{size}",
        )
    )
    for note in network.notes:
        common.notice(note)


def _write_adapter(
    source: str,
    output: Path | None,
    type_: str,
    base: str | None,
    checkpoint: str,
    as_json: bool,
) -> None:
    from qingyu.make.adapter_file import base_of, write_adapter

    folder = Path(source)
    base = base_of(folder) if base is None else base
    output = output or Path(f"{folder.resolve().name}-adapter.gguf")
    size = write_adapter(folder, output, base=base, type=type_.lower(), checkpoint=checkpoint)
    if as_json:
        common.print_json({"path": str(output), "bytes": size, "base": base})
        return
    print(
        pick(
            f"{output}: an adapter for {base}, {common.human_bytes(size)}",
            f"{output}：{base} 的适配器，{common.human_bytes(size)}",
        )
    )


def _write_bundle(sources: list[str], output: Path | None, as_json: bool) -> None:
    from qingyu.models.bundle import export_bundle

    if output is None:
        raise InvalidRequestError(
            pick(
                "name the bundle to write with -o FILE, or say --type to write a GGUF file",
                "请用 -o 给出离线包文件，或用 --type 写成 GGUF 文件",
            )
        )
    with shown_progress(output.name) as progress:
        exported = export_bundle(sources, output, progress=progress)
    names = [model.name for model in exported]
    num_bytes = output.stat().st_size
    if as_json:
        common.print_json({"path": str(output), "bytes": num_bytes, "models": names})
        return
    size = common.human_bytes(num_bytes)
    listed = ", ".join(names)
    print(pick(f"{output}: {listed}, {size}", f"{output}：{listed}，{size}"))
