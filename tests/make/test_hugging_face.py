"""Hugging Face folders to GGUF and back: nothing is lost, and nothing hostile is trusted."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from golden.texts import TEXTS
from golden.vocabularies import vocabulary_file
from qingyu.errors import ModelFileError, ModelNotFoundError, UnsupportedModelError
from qingyu.make.any_tokenizer import read_tokenizer, tokenizer_parts
from qingyu.make.export import export_network
from qingyu.make.from_gguf import read_gguf
from qingyu.make.hugging_face import read_folder
from qingyu.make.hugging_face_writer import write_folder
from qingyu.make.safetensors_file import SafetensorsFile
from qingyu.make.sentencepiece_files import SentencePieceParts
from qingyu.make.tokenizer_files import MetadataOnly
from qingyu.models.ggml_types import GGMLType
from qingyu.models.gguf import GGUFFile
from qingyu.models.sentencepiece import SPACE
from qingyu.models.tokenizer import Tokenizer
from reference.random_models import CHAT_TEMPLATE
from tests.make.folders import MODELS, engine_logits, torch_logits, write_model

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
# Of config.json: what a network computes with.
ESSENTIAL = (
    "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
    "num_attention_heads", "num_key_value_heads", "head_dim", "rms_norm_eps", "hidden_act",
    "max_position_embeddings", "rope_parameters", "tie_word_embeddings", "sliding_window",
    "bos_token_id", "eos_token_id", "dtype",
)  # fmt: skip


def there(folder: Path, path: Path, type_: str = "f32") -> Path:
    export_network(read_folder(folder), path, type_)
    return path


def and_back(path: Path, folder: Path, **options: Any) -> Path:
    with GGUFFile.open(path) as gguf:
        write_folder(read_gguf(gguf), folder, **options)
    return folder


@pytest.mark.parametrize("kind", MODELS)
def test_logits_are_transformers(kind: str, tmp_path: Path) -> None:
    network = write_model(tmp_path / "a", kind)
    path = there(tmp_path / "a", tmp_path / "a.gguf")
    tokens = np.random.default_rng(2).integers(3, 300, 120).tolist()
    ours, theirs = engine_logits(path, tokens), torch_logits(network, tokens)
    assert np.abs(ours - theirs).max() < 1e-3 * (theirs.max() - theirs.min())


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("type_", DTYPES)
def test_the_round_trip_is_exact(kind: str, type_: str, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoTokenizer

    write_model(tmp_path / "a", kind, DTYPES[type_])
    path = there(tmp_path / "a", tmp_path / "a.gguf", type_)
    and_back(path, tmp_path / "b")
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
        same_type = tensor.dtype == after[name].dtype
        assert same_type or (tensor.ndim == 1 and after[name].dtype == torch.float32)
    one, two = (AutoConfig.from_pretrained(tmp_path / name) for name in "ab")
    for key in ESSENTIAL:
        assert getattr(one, key, None) == getattr(two, key, None), key
    first, second = (AutoTokenizer.from_pretrained(tmp_path / name) for name in "ab")
    for text in TEXTS:
        assert first(text)["input_ids"] == second(text)["input_ids"], text
    there(tmp_path / "b", tmp_path / "b.gguf", type_)
    with GGUFFile.open(path) as a, GGUFFile.open(tmp_path / "b.gguf") as b:
        assert a.tensors.keys() == b.tensors.keys()
        assert all(bytes(a.data(name)) == bytes(b.data(name)) for name in a.tensors)
        assert {k: str(v) for k, v in a.metadata.items() if k != "general.name"} == {
            k: str(v) for k, v in b.metadata.items() if k != "general.name"
        }


def test_vectors_that_do_not_fit_the_type_stay_float32(tmp_path: Path) -> None:
    network = write_model(tmp_path / "a", "llama", torch.bfloat16)
    tensors = load_file(tmp_path / "a" / "model.safetensors")
    tensors["model.norm.weight"] = torch.full((64,), 1.0001)
    save_file(tensors, tmp_path / "a" / "model.safetensors", {"format": "pt"})
    path = there(tmp_path / "a", tmp_path / "a.gguf", "bf16")
    and_back(path, tmp_path / "b")
    after = load_file(tmp_path / "b" / "model.safetensors")
    assert after["model.norm.weight"].dtype == torch.float32
    assert torch.equal(after["model.norm.weight"], tensors["model.norm.weight"])
    assert after["model.layers.0.input_layernorm.weight"].dtype == torch.bfloat16
    assert network.config.vocab_size == 300


def test_several_files_with_an_index(tmp_path: Path) -> None:
    network = write_model(tmp_path / "a", "qwen3")
    network.save_pretrained(tmp_path / "sharded", max_shard_size="60KB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "sharded" / name).write_bytes((tmp_path / "a" / name).read_bytes())
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 3
    one = there(tmp_path / "a", tmp_path / "a.gguf")
    two = there(tmp_path / "sharded", tmp_path / "b.gguf")
    with GGUFFile.open(one) as a, GGUFFile.open(two) as b:
        assert all(bytes(a.data(name)) == bytes(b.data(name)) for name in a.tensors)
    and_back(one, tmp_path / "back", most_bytes=100_000)
    assert len(list((tmp_path / "back").glob("*.safetensors"))) > 3
    third = there(tmp_path / "back", tmp_path / "c.gguf")
    with GGUFFile.open(one) as a, GGUFFile.open(third) as c:
        assert all(bytes(a.data(name)) == bytes(c.data(name)) for name in a.tensors)
    loaded = type(network).from_pretrained(tmp_path / "back")
    tokens = list(range(40))
    assert np.array_equal(torch_logits(loaded, tokens), torch_logits(network, tokens))


def test_a_quantized_file_comes_back_as_float32_or_as_asked(tmp_path: Path) -> None:
    write_model(tmp_path / "a", "llama")
    path = there(tmp_path / "a", tmp_path / "a.gguf", "q8_0")
    and_back(path, tmp_path / "b")
    and_back(path, tmp_path / "c", dtype=GGMLType.F16)
    name = "model.layers.0.mlp.up_proj.weight"
    full = load_file(tmp_path / "b" / "model.safetensors")[name]
    half = load_file(tmp_path / "c" / "model.safetensors")[name]
    assert (full.dtype, half.dtype) == (torch.float32, torch.float16)
    assert torch.equal(half, full.half())
    assert json.loads((tmp_path / "c" / "config.json").read_text())["torch_dtype"] == "float16"


def test_end_tokens_padding_and_licence(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    write_model(folder, "llama", vocab_size=310)
    change(folder / "generation_config.json", eos_token_id=[2, 0, 5, 6])
    change(folder / "tokenizer_config.json", pad_token="<|endoftext|>")
    change(folder / "tokenizer.json", normalizer={"type": "NFC"})
    (folder / "README.md").write_text("---\nlanguage: zh\nlicense: 'apache-2.0'\n---\n# a\n")
    network = read_folder(folder)
    assert network.about["general.license"] == "apache-2.0"
    assert network.tokenizer["tokenizer.ggml.eot_token_id"] == 0
    assert network.tokenizer["tokenizer.ggml.eom_token_id"] == 5
    assert network.tokenizer["tokenizer.ggml.padding_token_id"] == 0
    assert len(network.tokenizer["tokenizer.ggml.tokens"]) == 310
    assert any("left out: [6]" in note for note in network.notes)
    assert any("NFC" in note for note in network.notes)
    path = tmp_path / "a.gguf"
    export_network(network, path, "f32")
    and_back(path, tmp_path / "b")
    read = {
        name: json.loads((tmp_path / "b" / f"{name}.json").read_text())
        for name in ("generation_config", "tokenizer_config", "tokenizer", "config")
    }
    assert read["generation_config"]["eos_token_id"] == [2, 0, 5]
    assert read["tokenizer_config"]["pad_token"] == "<|endoftext|>"
    assert read["tokenizer"]["normalizer"] == {"type": "NFC"}
    assert max(read["tokenizer"]["model"]["vocab"].values()) == 299
    assert read["config"]["vocab_size"] == 310
    assert 'license: "apache-2.0"' in (tmp_path / "b" / "README.md").read_text()


def change(path: Path, **fields: Any) -> None:
    """Set keys of a JSON file; None removes one."""
    whole = json.loads(path.read_text()) if path.exists() else {}
    whole.update(fields)
    path.write_text(json.dumps({key: value for key, value in whole.items() if value is not None}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model_type": "gemma"}, "llama, mistral, qwen2, qwen3"),
        ({"model_type": None}, "model_type None"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"attention_bias": True}, "attention_bias"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"num_local_experts": 8}, "experts"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"rope_parameters": None, "rope_scaling": {"type": "dynamic", "factor": 2.0}}, "dynamic"),
        ({"rope_parameters": None, "rope_scaling": {"rope_type": "longrope"}}, "longrope"),
        (
            {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "mscale": 0.7}},
            "mscale",
        ),
        ({"use_sliding_window": True, "sliding_window": 20}, "sliding window on some layers"),
        ({"partial_rotary_factor": "half"}, "partial_rotary_factor"),
        ({"rope_parameters": {"full_attention": {"rope_type": "linear"}}}, "full_attention"),
    ],
)
def test_what_the_engine_does_not_run(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    write_model(tmp_path / "a", "llama")
    change(tmp_path / "a" / "config.json", **fields)
    with pytest.raises(UnsupportedModelError, match=said):
        read_folder(tmp_path / "a")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", 1 << 40), ("hidden_size", -1), ("hidden_size", "64"), ("hidden_size", None),
        ("num_hidden_layers", 10**9), ("num_hidden_layers", 3), ("num_attention_heads", 0),
        ("num_attention_heads", True), ("num_key_value_heads", 3), ("head_dim", 7),
        ("vocab_size", 1 << 31), ("vocab_size", 299), ("rms_norm_eps", -1.0),
        ("rms_norm_eps", "nan"), ("rope_parameters", [1]), ("rope_parameters", {"rope_theta": 0}),
        ("max_position_embeddings", 0), ("tie_word_embeddings", 1),
        ("rope_parameters", {"rope_type": "linear"}),
        ("rope_parameters", {"rope_type": "llama3", "factor": 2.0, "high_freq_factor": 0.5}),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be(key: str, value: Any, tmp_path: Path) -> None:
    write_model(tmp_path / "a", "llama")
    change(tmp_path / "a" / "config.json", **{key: value})
    with pytest.raises(ModelFileError):
        read_folder(tmp_path / "a")


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    write_model(tmp_path / "a", "llama")
    os.rename(tmp_path / "a" / "model.safetensors", tmp_path / "a" / "pytorch_model.bin")
    with pytest.raises(UnsupportedModelError, match=r"pytorch_model\.bin.*run code"):
        read_folder(tmp_path / "a")
    (tmp_path / "a" / "pytorch_model.bin").unlink()
    with pytest.raises(ModelNotFoundError, match=r"model\.safetensors"):
        read_folder(tmp_path / "a")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_files_that_are_missing_or_no_json(name: str, tmp_path: Path) -> None:
    write_model(tmp_path / "a", "llama")
    path = tmp_path / "a" / name
    for body in (b"{", b"[]", b"\xff", b"[" * 100_000):
        path.write_bytes(body)
        with pytest.raises(ModelFileError):
            read_folder(tmp_path / "a")
    path.unlink()
    with pytest.raises(ModelNotFoundError, match=name):
        read_folder(tmp_path / "a")
    with pytest.raises(ModelNotFoundError, match="no folder"):
        read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "weight_map",
    [None, {}, [], {"a": 1}, {"a": "../x.safetensors"}, {"a": "/etc/passwd"}, {"a": "x.bin"},
     {"a": "x\0.safetensors"}],
)  # fmt: skip
def test_an_index_names_files_of_its_folder_only(weight_map: Any, tmp_path: Path) -> None:
    write_model(tmp_path / "a", "llama")
    index = tmp_path / "a" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelFileError):
        read_folder(tmp_path / "a")
    index.write_text(json.dumps({"weight_map": {"a": "gone.safetensors"}}))
    with pytest.raises(ModelNotFoundError, match=r"gone\.safetensors"):
        read_folder(tmp_path / "a")


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    write_model(tmp_path / "a", "llama")
    path = tmp_path / "a" / "model.safetensors"
    tensors = load_file(path)
    name = "model.layers.1.mlp.up_proj.weight"

    def saved(**changes: torch.Tensor | None) -> None:
        changed = {**tensors, **changes}
        save_file({key: value for key, value in changed.items() if value is not None}, path)

    saved(**{name: None})
    with pytest.raises(ModelFileError, match=r"up_proj.weight is missing"):
        read_folder(tmp_path / "a")
    saved(**{name: torch.zeros(96, 63)})
    with pytest.raises(ModelFileError, match=r"\[96, 63\], not \[96, 64\]"):
        read_folder(tmp_path / "a")
    saved(**{"model.layers.1.self_attn.q_proj.bias": torch.zeros(64)})
    with pytest.raises(UnsupportedModelError, match=r"q_proj.bias' is not part"):
        read_folder(tmp_path / "a")
    saved(**{"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(8)})
    read_folder(tmp_path / "a")
    saved(**{name: torch.zeros(96, 64, dtype=torch.int8)})
    with pytest.raises(UnsupportedModelError, match="I8"):
        read_folder(tmp_path / "a")


def header(fields: Any, *, body: bytes = b"", length: int | None = None) -> bytes:
    text = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(shape: Any, offsets: Any, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"1234567",
        header({}, length=1 << 62),
        header({}, length=100 << 20),
        header(b"{"),
        header(b"[]"),
        header(b"[" * 100_000),
        header({"a": entry([1], [0, 4])}),
        header({"a": entry([1], [0, 4])}, body=bytes(5)),
        header({"a": entry([2], [0, 4])}, body=bytes(4)),
        header({"a": entry([1], [4, 0])}, body=bytes(4)),
        header({"a": entry([-1], [0, 4])}, body=bytes(4)),
        header({"a": entry([1 << 62, 1 << 62], [0, 4])}, body=bytes(4)),
        header({"a": entry([1.0], [0, 4])}, body=bytes(4)),
        header({"a": entry([1], [0, 4, 8])}, body=bytes(8)),
        header({"a": entry("1", [0, 4])}, body=bytes(4)),
        header({"a": entry([1], [0, 4]), "b": entry([1], [0, 4])}, body=bytes(4)),
        header({"a": entry([1], [0, 4]), "b": entry([1], [8, 12])}, body=bytes(12)),
        header({"a": 5}),
        header({"a": entry([1], [0, 4], "F99")}, body=bytes(4)),
    ],
)
def test_safetensors_that_do_not_add_up(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(body)
    with pytest.raises(ModelFileError):
        SafetensorsFile.open(path)
    with pytest.raises(ModelFileError, match="not a file"):
        SafetensorsFile.open(tmp_path)


def test_the_tokenizer_in_the_file_is_transformers_own(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    write_model(tmp_path / "a", "llama")
    path = there(tmp_path / "a", tmp_path / "a.gguf")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "a")
    with GGUFFile.open(path) as gguf:
        ours = Tokenizer.from_gguf(gguf)
    for text in TEXTS:
        expected = theirs(text, add_special_tokens=False)["input_ids"]
        assert ours.encode(text, special=True, add_bos=False) == expected, text
    change(tmp_path / "a" / "config.json", vocab_size=200)
    with pytest.raises(ModelFileError):
        read_folder(tmp_path / "a")


def pieces(*, prefix: bool = True) -> dict[str, Any]:
    """GGUF keys of a SentencePiece-style tokenizer: bytes, the characters of TEXTS and what was
    merged most often in them, the earlier the better."""
    from tokenizers import Tokenizer as Library
    from tokenizers import models, trainers

    library = Library(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=1500, show_progress=False)
    plain = [text.replace(" ", SPACE) for text in TEXTS if "<" not in text]
    library.train_from_iterator([*plain, "<|>", "="], trainer)
    learned = sorted(library.get_vocab().items(), key=lambda entry: entry[1])
    texts = [text for text, _ in learned]
    spelled = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = ["<unk>", "<s>", "</s>", *spelled, *texts, "<think>"]
    kinds = [2, 3, 3, *[6] * 256, *[1] * len(texts), 4]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.array(kinds, np.int32),
        "tokenizer.ggml.scores": -np.maximum(np.arange(len(tokens)) - 258, 0).astype(np.float32),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_space_prefix": prefix,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


@pytest.mark.parametrize("prefix", [True, False])
def test_sentencepiece_tokenizers_keep_their_tokens(prefix: bool, tmp_path: Path) -> None:
    """Scores to merges and back; transformers, the library and the engine agree."""
    from transformers import AutoTokenizer

    keys = pieces(prefix=prefix)
    engine = Tokenizer.from_gguf(MetadataOnly(keys))
    parts = tokenizer_parts(keys)
    parts.save(tmp_path / "a")
    again = read_tokenizer(tmp_path / "a" / "tokenizer.json")
    back = Tokenizer.from_gguf(MetadataOnly(again.gguf_metadata()))
    theirs = AutoTokenizer.from_pretrained(tmp_path / "a")
    for text in [*TEXTS, *(f"<s>{text}<think>{text}</s>" for text in TEXTS[3:13])]:
        ids = engine.encode(text, special=True)
        assert back.encode(text, special=True) == ids, text
        assert theirs(text)["input_ids"] == ids, text
        assert engine.decode(ids) == back.decode(ids)
    assert isinstance(again, SentencePieceParts)
    assert (again.kinds, again.bos, again.eos) == (parts.kinds, 1, 2)
    assert again.add_bos
    assert again.template == CHAT_TEMPLATE
    assert again.space_prefix == prefix


@pytest.mark.parametrize("scheme", ["first", "always"])
def test_merges_and_spaces_as_transformers_writes_them(scheme: str, tmp_path: Path) -> None:
    from transformers.tokenization_utils_base import generate_merges

    keys = pieces()
    tokenizer_parts(keys).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    fields = json.loads(path.read_text())
    named = zip(keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.scores"].tolist(), strict=True)
    scores = dict(list(named)[259:-1])
    vocab = fields["model"]["vocab"]
    theirs = [list(pair) for pair in generate_merges(vocab, scores)]
    assert len(theirs) == len(fields["model"]["merges"])
    spaces = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": False}
    change(
        path,
        model={**fields["model"], "merges": theirs},
        normalizer={"type": "Sequence", "normalizers": []},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [spaces]},
    )
    read = read_tokenizer(path)
    assert read.gguf_metadata()["tokenizer.ggml.add_space_prefix"]
    before = Tokenizer.from_gguf(MetadataOnly(keys))
    after = Tokenizer.from_gguf(MetadataOnly(read.gguf_metadata()))
    for text in TEXTS:
        assert after.encode(text) == before.encode(text), text


def test_a_sentencepiece_model_goes_there_and_back(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    keys = pieces()
    size = len(keys["tokenizer.ggml.tokens"])
    write_model(tmp_path / "a", "mistral", torch.bfloat16, vocab_size=size + 5)
    tokenizer_parts(keys).save(tmp_path / "a")
    path = there(tmp_path / "a", tmp_path / "a.gguf", "bf16")
    and_back(path, tmp_path / "b")
    first, second = (AutoTokenizer.from_pretrained(tmp_path / name) for name in "ab")
    with GGUFFile.open(path) as gguf:
        assert len(gguf.metadata["tokenizer.ggml.scores"]) == size + 5
        engine = Tokenizer.from_gguf(gguf)
    for text in TEXTS:
        ids = first(text)["input_ids"]
        assert second(text)["input_ids"] == ids == engine.encode(text, special=True), text


def test_merges_that_are_not_sentencepiece_s_are_refused(tmp_path: Path) -> None:
    tokenizer_parts(pieces()).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    fields = json.loads(path.read_text())
    change(path, normalizer={"type": "Lowercase"})
    with pytest.raises(UnsupportedModelError, match="do not cut alike"):
        read_tokenizer(path)
    change(path, normalizer=fields["normalizer"], model={**fields["model"], "merges": []})
    with pytest.raises(UnsupportedModelError, match="do not cut alike"):
        read_tokenizer(path)
    change(path, model={**fields["model"], "vocab": {"a": "x"}})
    with pytest.raises(ModelFileError):
        read_tokenizer(path)
    # letters that are no tokens: the engine merges them all the same, the library does not
    (tmp_path / "v.gguf").write_bytes(vocabulary_file("spm"))
    with (
        GGUFFile.open(tmp_path / "v.gguf") as gguf,
        pytest.raises(UnsupportedModelError, match="is no token"),
    ):
        tokenizer_parts(gguf.metadata)
