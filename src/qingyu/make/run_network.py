"""A training run as a network: the weights of one checkpoint, its tokenizer, where it comes from.

    network = read_run(Path("runs/whisper"))                 # the best checkpoint
    network = read_run(Path("runs/tuned"), checkpoint="last")

A run that trained an adapter is read as its base with the adapter merged in. What a checkpoint's
state records of its files is compared with them first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import qingyu
from qingyu.errors import (
    HashMismatchError,
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
    QingyuError,
)
from qingyu.make.any_tokenizer import padded, read_tokenizer
from qingyu.make.family import DecoderConfig
from qingyu.make.from_gguf import read_gguf
from qingyu.make.hugging_face import read_folder, read_weights
from qingyu.make.json_files import read_object
from qingyu.make.lora import ADAPTER_FILE, merged
from qingyu.make.network import Network, NetworkConfig
from qingyu.make.tokenizer_files import TOKENIZER_FILE
from qingyu.models.gguf import GGUFFile
from qingyu.models.hashes import Progress, hash_file, no_progress
from qingyu.models.reference import is_safe_name
from qingyu.models.store import locate
from qingyu.text import pick

CHECKPOINTS = "checkpoints"
WEIGHTS = "model.safetensors"
STATE = "state.json"
_INDEX = "index.json"
_INHERITED = ("general.license", "general.license.name", "general.license.link")
# A base may be a run with a base; not for ever.
_MOST_BASES = 8


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run."""
    return (path / CHECKPOINTS).is_dir()


def read_run(
    run: Path, *, checkpoint: str = "best", progress: Progress = no_progress, depth: int = 0
) -> Network:
    """The network of a run. checkpoint: "best", "last" or a folder's name ("step-00000100").

    Raises ModelNotFoundError, HashMismatchError for a damaged checkpoint, ModelFileError.
    """
    if not is_run(run):
        raise ModelNotFoundError(
            pick(
                f"{run} is no run: it has no folder {CHECKPOINTS}",
                f"{run} 不是训练运行：没有 {CHECKPOINTS} 文件夹",
            )
        )
    settings = read_object(run / "config.json")
    folder = checkpoint_folder(run, checkpoint)
    state = read_object(folder / STATE)
    adapter = (folder / ADAPTER_FILE).exists()
    check_digest(folder / (ADAPTER_FILE if adapter else WEIGHTS), state, progress)
    if adapter:
        base = _base(run, settings, progress, depth)
        network, began = merged(base, folder), base.about
    else:
        network, began = _trained(run, settings, folder), _beginning(settings)
    about = {**_inherited(settings, began), **_about(run, settings, folder, state)}
    return replace(network, about=about)


def open_network(
    source: str,
    *,
    checkpoint: str = "best",
    progress: Progress = no_progress,
    depth: int = 0,
) -> Network:
    """The network of a run's folder, a Hugging Face folder, or a model (name or GGUF file).

    Raises as the reader of each.
    """
    path = Path(source)
    if is_run(path):
        return read_run(path, checkpoint=checkpoint, progress=progress, depth=depth)
    if path.is_dir():
        return read_folder(path)
    return read_gguf(GGUFFile.open(locate(source)))


def _trained(run: Path, settings: Mapping[str, Any], folder: Path) -> Network:
    config = _sizes(run, settings)
    parts = read_tokenizer(run / TOKENIZER_FILE)
    if len(parts.texts) > config.vocab_size:
        raise ModelFileError(
            pick(
                f"{run}: the tokenizer has {len(parts.texts)} tokens, the network"
                f" {config.vocab_size}",
                f"{run}：分词器有 {len(parts.texts)} 个词元，而网络只有 {config.vocab_size} 个",
            )
        )
    return Network(
        config=config,
        weights=read_weights(folder, config),
        tokenizer=padded(parts.gguf_metadata(), config.vocab_size),
    )


def _sizes(run: Path, settings: Mapping[str, Any]) -> NetworkConfig:
    model = settings.get("model")
    names = set(DecoderConfig.__dataclass_fields__)
    if not isinstance(model, dict) or not set(model) <= names:
        raise ModelFileError(
            pick(
                f"{run / 'config.json'}: its model is no DecoderConfig",
                f"{run / 'config.json'}：其中的 model 不是 DecoderConfig",
            )
        )
    try:
        return network_config(DecoderConfig(**model))
    except TypeError as error:
        raise ModelFileError(f"{run / 'config.json'}: {error}") from None


def network_config(config: DecoderConfig) -> NetworkConfig:
    """A decoder of the family, as other formats name its sizes."""
    return NetworkConfig(
        family="llama",
        vocab_size=config.vocab_size,
        embedding_size=config.embedding_size,
        feed_forward_size=config.feed_forward_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        num_kv_heads=config.num_kv_heads,
        head_size=config.head_size,
        context_length=config.context_length,
        norm_epsilon=config.norm_epsilon,
        rope_base=config.rope_base,
    )


def _base(run: Path, settings: Mapping[str, Any], progress: Progress, depth: int) -> Network:
    """What an adapter stands on: `start.model` or `start.run` of the run's config."""
    start = _start(settings)
    source = start.get("model") or start.get("run")
    if not isinstance(source, str) or depth >= _MOST_BASES:
        raise ModelFileError(
            pick(
                f"{run / 'config.json'} does not say which model the adapter is for (start.model)",
                f"{run / 'config.json'} 没有说明适配器的基础模型（start.model）",
            )
        )
    return open_network(source, progress=progress, depth=depth + 1)


def checkpoint_folder(run: Path, name: str) -> Path:
    """The folder of a checkpoint of a run: "best", "last" or its own name.

    Raises ModelNotFoundError when there is none yet, InvalidRequestError for another name.
    """
    folder = run / CHECKPOINTS
    if name in ("best", "last"):
        chosen = None
        for pointer in dict.fromkeys((name, "last")):
            if (folder / pointer).is_file():
                chosen = (folder / pointer).read_text(encoding="utf-8", errors="replace").strip()
                break
        if chosen is None:
            raise ModelNotFoundError(pick(f"{run} has no checkpoint yet", f"{run} 还没有检查点"))
        name = chosen
    if not is_safe_name(name) or not (folder / name).is_dir():
        found = sorted(path.name for path in folder.iterdir() if path.is_dir())
        listed = ", ".join(one for one in found if not one.startswith("."))
        raise InvalidRequestError(
            pick(
                f"{run} has no checkpoint {name!r}; there are: {listed}",
                f"{run} 没有检查点 {name!r}；已有：{listed}",
            ),
            param="checkpoint",
        )
    return folder / name


def check_digest(file: Path, state: Mapping[str, Any], progress: Progress = no_progress) -> None:
    """Compare a checkpoint's file with what its state records. Raises HashMismatchError."""
    digests = state.get("sha256")
    wanted = digests.get(file.name) if isinstance(digests, dict) else None
    if wanted is None:
        raise ModelFileError(
            pick(
                f"{file.parent / STATE} records no SHA-256 of {file.name}",
                f"{file.parent / STATE} 没有记录 {file.name} 的 SHA-256",
            )
        )
    if hash_file(file, progress=progress)[0] != wanted:
        raise HashMismatchError(
            pick(
                f"{file} is damaged: its SHA-256 is not the recorded one; export an earlier"
                " checkpoint with --checkpoint",
                f"{file} 已损坏：SHA-256 与记录不符；可用 --checkpoint 导出更早的检查点",
            )
        )


def _beginning(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said of the model that a run began with; nothing where it is gone by now."""
    model = _start(settings).get("model")
    if not isinstance(model, str):
        return {}
    try:
        with GGUFFile.open(locate(model)) as gguf:
            return gguf.metadata
    except QingyuError:
        return {}


def _inherited(settings: Mapping[str, Any], began: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's model has from the one it began with: the licence, and its name as base."""
    about = {key: began[key] for key in _INHERITED if key in began}
    start = _start(settings)
    source = start.get("model") or start.get("run")
    if isinstance(source, str):
        about["general.base_model.count"] = 1
        about["general.base_model.0.name"] = str(began.get("general.name", source))
    return about


def _start(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    start = settings.get("start")
    return start if isinstance(start, dict) else {}


def _about(
    run: Path, settings: Mapping[str, Any], folder: Path, state: Mapping[str, Any]
) -> dict[str, Any]:
    """Where it comes from, as GGUF keys: general.* where the format has one, else qingyu.*."""
    # The time of the checkpoint, not of the export: the same checkpoint gives the same file.
    written = datetime.fromtimestamp(int((folder / STATE).stat().st_mtime), UTC)
    about: dict[str, Any] = {
        "general.name": run.resolve().name,
        "qingyu.program": f"qingyu {qingyu.__version__}",
        "qingyu.date": written.isoformat(timespec="seconds"),
        "qingyu.run.checkpoint": folder.name,
    }
    for key, name in (("kind", "kind"), ("program", "program")):
        if isinstance(settings.get(key), str):
            about[f"qingyu.run.{name}"] = settings[key]
    for key in ("step", "tokens"):
        if type(state.get(key)) is int:
            about[f"qingyu.run.{key}"] = state[key]
    if isinstance(loss := state.get("held_out_loss"), float):
        about["qingyu.run.held_out_loss"] = loss
    if sources := _data_sources(settings):
        about["general.datasets"] = sources
    return about


def _data_sources(settings: Mapping[str, Any]) -> list[str]:
    """Each source of the training data with its licence, from the index of the shards."""
    data = settings.get("data")
    folder = data.get("train") if isinstance(data, dict) else None
    if not isinstance(folder, str):
        return []
    try:
        made = read_object(Path(folder) / _INDEX).get("made")
    except (ModelNotFoundError, ModelFileError):
        return []  # the data may be gone by now; the weights are not
    sources = made.get("sources") if isinstance(made, dict) else None
    named = []
    for source in sources if isinstance(sources, list) else []:
        if isinstance(source, dict):
            name = next((source[k] for k in ("name", "path", "url") if k in source), None)
            licence = source.get("licence") or source.get("license")
            if name is not None:
                named.append(f"{name} ({licence})" if licence else str(name))
        else:
            named.append(str(source))
    return named
