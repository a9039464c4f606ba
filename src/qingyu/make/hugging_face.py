"""Folders as Hugging Face's libraries read and write them.

    network = read_folder(Path("Qwen3-0.6B"))          # config.json, *.safetensors, tokenizer.json
    write_folder(network, Path("out"))

Only safetensors are read: pickled weights (.bin, .pt) can run code, and are refused. Everything a
folder says is compared with its files before it is used. Weights are mapped, not loaded.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qingyu.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from qingyu.make.any_tokenizer import padded, read_tokenizer
from qingyu.make.hf_config import from_config_json
from qingyu.make.json_files import read_object
from qingyu.make.network import Floats, Network, NetworkConfig, Weight, weight_shapes
from qingyu.make.safetensors_file import SafetensorsFile
from qingyu.make.tokenizer_files import CONFIG_FILE, TOKENIZER_FILE
from qingyu.models.ggml_types import GGMLType
from qingyu.text import pick

CONFIG = "config.json"
GENERATION = "generation_config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# GGUF's tokenizers have no normalizer; kept, so that the way back can write it again.
NORMALIZER_KEY = "qingyu.tokenizer.normalizer"

_MAX_FILES = 1000
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def read_folder(folder: Path) -> Network:
    """A folder of a supported family.

    Raises ModelNotFoundError when it, or one of its files, is not there; ModelFileError for a
    damaged one; UnsupportedModelError for families, tokenizers or weights that do not run.
    """
    if not folder.is_dir():
        raise ModelNotFoundError(pick(f"there is no folder {folder}", f"没有文件夹 {folder}"))
    config = from_config_json(CONFIG, read_object(folder / CONFIG))
    weights = read_weights(folder, config)
    kinds = {weight.type for weight in weights.values() if len(weight.shape) == 2}
    dtype = kinds.pop() if len(kinds) == 1 else GGMLType.F32
    tokenizer, notes = _tokenizer(folder, config)
    about: dict[str, Any] = {"general.name": folder.resolve().name}
    if licence := _licence(folder):
        about["general.license"] = licence
    if _normalizes(folder):
        about[NORMALIZER_KEY] = "NFC"
        notes.append(
            pick(
                "the tokenizer composes characters (NFC) first; engines of GGUF files do not, so"
                " text with decomposed characters gets other tokens",
                "原分词器先做 NFC 归一化，而 GGUF 引擎不做；含分解字符的文本会得到不同的词元",
            )
        )
    return Network(
        config=replace(config, dtype=dtype),
        weights=weights,
        tokenizer=tokenizer,
        about=about,
        notes=tuple(notes),
    )


def read_weights(folder: Path, config: NetworkConfig) -> dict[str, Weight]:
    """Every weight of the network, mapped, in the order of `weight_shapes`; shapes are checked.

    Raises as `read_folder`.
    """
    files = _open_weights(folder)
    found = {name: file for file in files for name in file.tensors}
    shapes = weight_shapes(config)
    weights: dict[str, Weight] = {}
    for name, shape in shapes.items():
        if name not in found:
            raise _wrong(folder, f"the weight {name} is missing", f"缺少权重 {name}")
        stored = found[name].tensors[name]
        if stored.shape != shape:
            raise _wrong(
                folder,
                f"the weight {name} has shape {list(stored.shape)}, not {list(shape)}",
                f"权重 {name} 的形状是 {list(stored.shape)}，应为 {list(shape)}",
            )
        weights[name] = Weight(shape=shape, type=stored.type, rows=_reader(found[name], name))
    for name in found.keys() - shapes.keys():
        # computed by everybody; and a tied head is the embedding again
        if name.endswith("rotary_emb.inv_freq") or (config.tied and name == "lm_head.weight"):
            continue
        raise UnsupportedModelError(
            pick(
                f"{folder.name}: the weight {name[:200]!r} is not part of the family"
                f" {config.family}",
                f"{folder.name}：权重 {name[:200]!r} 不属于 {config.family} 系列",
            )
        )
    return weights


def _reader(file: SafetensorsFile, name: str) -> Any:
    def rows(first: int, last: int) -> Floats:
        return file.rows(name, first, last)

    return rows


def _open_weights(folder: Path) -> list[SafetensorsFile]:
    index = folder / INDEX
    if index.exists():
        return [SafetensorsFile.open(folder / name) for name in _indexed_files(index)]
    if (folder / WEIGHTS).exists():
        return [SafetensorsFile.open(folder / WEIGHTS)]
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED)
    if pickled:
        raise UnsupportedModelError(
            pick(
                f"{folder.name}: the weights are pickled ({pickled[0]}), and reading a pickle can"
                f" run code; have them saved as {WEIGHTS}",
                f"{folder.name}：权重是 pickle 格式（{pickled[0]}），读取它可能执行代码；"
                f"请改存为 {WEIGHTS}",
            )
        )
    raise ModelNotFoundError(
        pick(f"there is no {WEIGHTS} in {folder}", f"{folder} 中没有 {WEIGHTS}")
    )


def _indexed_files(index: Path) -> list[str]:
    entries: Any = read_object(index).get("weight_map")
    names = set(entries.values()) if _is_texts(entries) else set()
    if not names or len(names) > _MAX_FILES:
        raise _wrong(
            index,
            f"it has no weight_map of 1 to {_MAX_FILES} files",
            f"没有包含 1 到 {_MAX_FILES} 个文件的 weight_map",
        )
    for name in names:
        # a name only: nothing outside of the folder
        if Path(name).name != name or not name.endswith(".safetensors") or "\0" in name:
            raise _wrong(
                index, f"{name[:200]!r} is not the name of a safetensors file here",
                f"{name[:200]!r} 不是此处 safetensors 文件的名字",
            )  # fmt: skip
    return sorted(names)


def _is_texts(entries: Any) -> bool:
    return isinstance(entries, dict) and all(isinstance(one, str) for one in entries.values())


def _tokenizer(folder: Path, config: NetworkConfig) -> tuple[dict[str, Any], list[str]]:
    """GGUF's tokenizer keys, one token for every row of the embedding; and notes."""
    path = folder / TOKENIZER_FILE
    if not path.exists():
        raise ModelNotFoundError(
            pick(
                f"there is no {TOKENIZER_FILE} in {folder}; transformers'"
                " AutoTokenizer.from_pretrained(...).save_pretrained(...) writes one",
                f"{folder} 中没有 {TOKENIZER_FILE}；可用 transformers 的"
                " AutoTokenizer.from_pretrained(...).save_pretrained(...) 生成",
            )
        )
    parts = read_tokenizer(path)
    if len(parts.texts) > config.vocab_size:
        raise _wrong(
            path,
            f"it has {len(parts.texts)} tokens, and {CONFIG} {config.vocab_size}",
            f"有 {len(parts.texts)} 个词元，而 {CONFIG} 中是 {config.vocab_size}",
        )
    metadata = padded(parts.gguf_metadata(), config.vocab_size)
    notes: list[str] = []
    ends = [token for token in _ends(folder) if token != parts.eos]
    for key, token in zip(("eot", "eom"), ends, strict=False):
        _check_token(folder, "eos_token_id", token, config)
        metadata[f"tokenizer.ggml.{key}_token_id"] = token
    if len(ends) > 2:
        notes.append(
            pick(
                f"of {len(ends) + 1} end tokens GGUF can name three; left out: {ends[2:]}",
                f"共有 {len(ends) + 1} 个结束词元，GGUF 只能记录三个；略去：{ends[2:]}",
            )
        )
    ids = {text: token for token, text in enumerate(parts.texts)}
    settings = read_object(folder / CONFIG_FILE) if (folder / CONFIG_FILE).exists() else {}
    for key, name in (("padding", "pad_token"), ("unknown", "unk_token")):
        text = settings.get(name)
        text = text.get("content") if isinstance(text, dict) else text
        if isinstance(text, str) and text in ids:
            metadata[f"tokenizer.ggml.{key}_token_id"] = ids[text]
    return metadata, notes


def _ends(folder: Path) -> list[int]:
    """Ids that end an answer: of generation_config.json, else of config.json."""
    for name in (GENERATION, CONFIG):
        if (folder / name).exists():
            ids = read_object(folder / name).get("eos_token_id")
            ids = [ids] if isinstance(ids, int) else ids
            if isinstance(ids, list) and ids and all(type(one) is int for one in ids):
                return list(dict.fromkeys(ids))
    return []


def _check_token(folder: Path, key: str, token: int, config: NetworkConfig) -> None:
    if not 0 <= token < config.vocab_size:
        raise _wrong(
            folder,
            f"{key} is {token}, and the vocabulary has {config.vocab_size} tokens",
            f"{key} 是 {token}，而词表只有 {config.vocab_size} 个词元",
        )


def _normalizes(folder: Path) -> bool:
    normalizer = read_object(folder / TOKENIZER_FILE).get("normalizer")
    return isinstance(normalizer, dict) and normalizer.get("type") == "NFC"


def _licence(folder: Path) -> str:
    """`license:` of the model card's head, or nothing."""
    card = folder / "README.md"
    try:
        if not card.is_file():
            return ""
        with card.open("rb") as file:
            head = file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return ""
    if not head.startswith("---\n"):
        return ""
    for line in head[4:].partition("\n---")[0].splitlines():
        key, _, value = line.partition(":")
        if key == "license":
            return value.strip().strip("\"'")
    return ""


def _wrong(path: Path, english: str, chinese: str) -> ModelFileError:
    return ModelFileError(pick(f"{path.name}: {english}", f"{path.name}：{chinese}"))
