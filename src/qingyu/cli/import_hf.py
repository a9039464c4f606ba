"""`qingyu import-hf`: a Hugging Face folder as one GGUF file that runs.

    qingyu import-hf Qwen3-0.6B --type q8_0
    qingyu import-hf Qwen3-0.6B --out qwen.gguf

Delegates to `qingyu.make.hugging_face` and `qingyu.make.export`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qingyu.cli import flags
from qingyu.cli.export import say_exported
from qingyu.cli.progress import shown_progress
from qingyu.text import pick


def register(app: typer.Typer) -> None:
    app.command(
        "import-hf",
        short_help=pick("A Hugging Face folder as a GGUF file", "将 Hugging Face 文件夹转为 GGUF"),
        help=pick(
            "Read a Hugging Face folder (config.json, safetensors, tokenizer.json) of a llama,"
            " mistral, qwen2 or qwen3 model and write it as one GGUF file. Pickled weights are"
            " never opened. The way back is qingyu export --to hf.",
            "读取 llama、mistral、qwen2、qwen3 模型的 Hugging Face 文件夹"
            "（config.json、safetensors、tokenizer.json），写成一个 GGUF 文件。"
            "绝不打开 pickle 权重。反向转换用 qingyu export --to hf。",
        ),
    )(import_hf)


def import_hf(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help=pick("the folder to read", "要读取的文件夹")),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            show_default=pick("DIR-TYPE.gguf", "文件夹名-类型.gguf"),
            help=pick("the GGUF file to write", "要写入的 GGUF 文件"),
        ),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            show_default=pick("the folder's own", "与文件夹中相同"),
            help=pick(
                "type of the weights: f32 f16 bf16 q8_0 q6_k q4_k_m q4_1 q4_0",
                "权重类型：f32 f16 bf16 q8_0 q6_k q4_k_m q4_1 q4_0",
            ),
        ),
    ] = None,
    licence: Annotated[str | None, flags.licence()] = None,
    threads: Annotated[int | None, flags.threads()] = None,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    from qingyu.engine.settings import EngineSettings
    from qingyu.make.export import export_network
    from qingyu.make.hugging_face import read_folder
    from qingyu.make.tensor_types import check_type

    kind = None if type_ is None else check_type(type_)
    used = EngineSettings.from_environment(threads=threads).threads
    network = read_folder(folder)
    kind = kind or network.config.dtype.name.lower()
    path = output or Path(f"{folder.resolve().name}-{kind}.gguf")
    with shown_progress(path.name) as progress:
        exported = export_network(
            network, path, kind, licence=licence, threads=used, progress=progress
        )
    say_exported(exported, as_json)
