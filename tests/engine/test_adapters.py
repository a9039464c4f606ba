"""Adapters in the engine: who asks for one gets it, and nobody else anything of it.

With a fake core whose logits depend on the adapter of a sequence, and on small real models.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType

import qingyu
from fakes import context_of, fake_model
from qingyu.engine.model import Model
from qingyu.engine.state import MAGIC
from qingyu.errors import (
    InvalidRequestError,
    ModelFileError,
    ModelNotFoundError,
    StateError,
    UnsupportedModelError,
)
from reference import random_adapters, random_models

PROMPT = list(range(60))
NAMES = ("poet", "clerk")


def fakes(**options: Any) -> Model:
    return fake_model(adapters=NAMES, **options)


def alone(adapter: str | None, prompt: list[int] = PROMPT, **options: Any) -> tuple[int, ...]:
    result = fakes().generate(prompt, max_tokens=12, adapter=adapter, **options).read()
    return result.tokens


def test_each_request_has_its_own() -> None:
    found = {name: alone(name) for name in (None, *NAMES)}
    assert len(set(found.values())) == 3
    model = fakes()
    with model.session() as session:
        asked = [None, "poet", "clerk", "poet", None, "clerk", "poet", "poet"]
        running = [session.add(PROMPT, max_tokens=12, adapter=name) for name in asked]
        while session.step():
            pass
    assert [one.result.tokens for one in running] == [found[name] for name in asked]


def test_a_prefix_serves_only_its_own_adapter() -> None:
    model = fakes()
    expected = {name: alone(name) for name in (None, *NAMES)}
    for name in (None, "poet", "clerk", "poet", None, "clerk"):
        result = model.generate(PROMPT, max_tokens=12, adapter=name).read()
        assert result.tokens == expected[name]
    order = [None, "poet", "clerk", "poet"]
    fresh = fakes()
    cached = [
        fresh.generate(PROMPT, max_tokens=4, adapter=name).read().cached_tokens for name in order
    ]
    assert cached == [0, 0, 0, len(PROMPT) - 1]


def test_prompts_under_way_are_shared_within_an_adapter() -> None:
    """Those that wait for a prefix somebody computes right now wait for one of their own."""
    model = fakes(context=512, kv_tokens=8192)
    prompt = [token % 200 for token in range(200)]
    with model.session() as session:
        asked = ["poet", "clerk", "poet", "clerk", None, None]
        running = [session.add(prompt, max_tokens=6, adapter=name) for name in asked]
        while session.step():
            pass
    shares = [one.result.cached_tokens > 0 for one in running]
    assert shares == [False, False, True, True, False, True]
    for one, name in zip(running, asked, strict=True):
        assert one.result.tokens == alone_long(prompt, name)


def alone_long(prompt: list[int], adapter: str | None) -> tuple[int, ...]:
    model = fakes(context=512, kv_tokens=8192)
    return model.generate(prompt, max_tokens=6, adapter=adapter).read().tokens


def test_short_pages_change_nothing() -> None:
    expected = {name: alone(name) for name in (None, *NAMES)}
    model = fakes(context=96, kv_tokens=160)
    with model.session() as session:
        asked = [None, "poet", "clerk", "poet"]
        running = [session.add(PROMPT, max_tokens=12, adapter=name) for name in asked]
        while session.step():
            pass
    assert [one.result.tokens for one in running] == [expected[name] for name in asked]


def test_guessing_changes_nothing() -> None:
    prompt = [1, 2, 3, 4, 5] * 12
    for name in (None, *NAMES):
        assert alone(name, prompt) == alone(name, prompt, speculate=False)


def test_scores_of_a_prompt_are_not_taken_from_another_adapter() -> None:
    model = fakes()
    with model.session() as session:
        one, other, again = (
            session.add(PROMPT, max_tokens=1, prompt_logprobs=0, adapter=name)
            for name in ("poet", "clerk", "poet")
        )
        while session.step():
            pass
    assert one.result.prompt_logprobs != other.result.prompt_logprobs
    assert one.result.prompt_logprobs == again.result.prompt_logprobs
    fresh = fakes().generate(PROMPT, max_tokens=1, prompt_logprobs=0, adapter="clerk").read()
    assert fresh.prompt_logprobs == other.result.prompt_logprobs


def test_an_unknown_adapter_is_named() -> None:
    model = fakes()
    calls: list[Any] = [
        lambda: model.generate("x", adapter="painter"),
        lambda: model.chat([{"role": "user", "content": "x"}], adapter="painter"),
        lambda: model.logits("x", adapter="painter"),
        lambda: model.score("x", ["y"], adapter="painter"),
        lambda: model.perplexity("xyz", adapter="painter"),
        lambda: model.save_state("nowhere", [1], adapter="painter"),
        lambda: model.session().add([1], adapter=""),
    ]
    for call in calls:
        with pytest.raises(InvalidRequestError, match=r"loaded: poet, clerk") as caught:
            call()
        assert caught.value.param == "adapter"
    with pytest.raises(InvalidRequestError, match="loaded: none"):
        fake_model().generate("x", adapter="poet")


def test_scoring_with_an_adapter() -> None:
    model = fakes()
    scores = [model.score("abc", ["d", "ef"], adapter=name) for name in (None, "poet", "poet")]
    assert scores[0] != scores[1] == scores[2]
    losses = [model.perplexity("abcdef", adapter=name).mean_loss for name in (None, "poet")]
    assert losses[0] != losses[1]
    logits = model.logits("abc", adapter="poet")
    assert not np.array_equal(logits, model.logits("abc"))


def test_saved_states_know_their_adapter(tmp_path: Path) -> None:
    path = tmp_path / "chat.state"
    state = fakes().save_state(path, PROMPT, adapter="poet")
    assert state.adapter == "poet"
    model = fakes()
    assert model.load_state(path).adapter == "poet"
    assert model.generate(PROMPT, max_tokens=3).read().cached_tokens == 0
    result = model.generate(PROMPT, max_tokens=12, adapter="poet").read()
    assert result.cached_tokens == len(PROMPT) - 1
    assert result.tokens == alone("poet")
    with pytest.raises(StateError, match="adapter of sha256"):
        fake_model().load_state(path)
    # Another name for the same file is the same adapter.
    renamed = fake_model(adapters=("poet",))
    renamed.adapters = {"bard": renamed.adapters["poet"]}
    renamed.core._adapters = {"bard": renamed.core._adapters["poet"]}
    assert renamed.load_state(path).adapter == "bard"


def test_states_of_the_version_before_are_read(tmp_path: Path) -> None:
    """Those of version 2 know no adapters."""
    import hashlib

    path = tmp_path / "chat.state"
    fakes().save_state(path, PROMPT)
    whole = path.read_bytes()
    (size,) = struct.unpack_from("<I", whole, 12)
    fields = json.loads(whole[16 : 16 + size])
    assert fields.pop("adapter_sha256") == ""
    text = json.dumps(fields).encode()
    body = MAGIC + struct.pack("<II", 2, len(text)) + text + whole[16 + size : -32]
    path.write_bytes(body + hashlib.sha256(body).digest())
    model = fakes()
    assert model.load_state(path).adapter is None
    assert model.generate(PROMPT, max_tokens=2).read().cached_tokens == len(PROMPT) - 1


def test_nothing_is_left_of_dropped_sequences() -> None:
    model = fakes()
    for name in (None, *NAMES):
        model.generate(PROMPT, max_tokens=3, adapter=name).read()
    with model.core as core:
        while core.evict():
            pass
        assert core._owners == {}
    assert context_of(model).pages_free == context_of(model).pages_total


# The real core.


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of Q8_0, three adapters for it, and one for another model."""
    folder = tmp_path_factory.mktemp("adapters")
    shape = random_models.FAMILIES["llama"]
    made = {"base": random_models.write(folder / "base.gguf", shape, GGMLQuantizationType.Q8_0)}
    kinds = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)
    for number, kind in enumerate(kinds):
        adapter = random_adapters.random_adapter(shape, rank=4 + number, seed=number, strength=0.6)
        name = f"a{number}"
        made[name] = random_adapters.write(folder / f"{name}.gguf", "llama", adapter, kind)
    other = random_adapters.random_adapter(random_models.FAMILIES["llama-kv1"])
    made["other"] = random_adapters.write(folder / "other.gguf", "llama", other)
    qwen = random_adapters.random_adapter(random_models.FAMILIES["qwen2"])
    made["qwen"] = random_adapters.write(folder / "qwen.gguf", "qwen2", qwen)
    return made


@pytest.fixture(scope="module")
def model(files: dict[str, Path]) -> Iterator[Model]:
    adapters = {name: files[name] for name in ("a0", "a1", "a2")}
    with qingyu.load(files["base"], threads=2, adapters=adapters) as model:
        yield model


def cold(model: Model) -> Model:
    with model.core as core:
        while core.evict():
            pass
    return model


def test_three_adapters_in_one_batch_of_eight(model: Model) -> None:
    """The same tokens as alone, and the same log-probabilities to the bit."""
    messages = [{"role": "user", "content": "Tell me of the sea. " * 4}]
    prompts = [model.chat_tokens(messages), *(model.tokenize(text) for text in ("One", "Two, 三"))]
    asked = [("a0", 0), ("a1", 0), (None, 0), ("a2", 0), ("a0", 1), ("a1", 2), ("a2", 1), (None, 2)]
    options: dict[str, Any] = {"max_tokens": 24, "logprobs": 3, "stop_tokens": []}

    def one(name: str | None, number: int) -> Any:
        result = cold(model).generate(prompts[number], adapter=name, **options).read()
        return result.tokens, result.logprobs

    expected = [one(name, number) for name, number in asked]
    assert len({tokens for tokens, _ in expected}) == len(asked), "all differ"
    for warm in (False, True):
        if not warm:
            cold(model)
        with model.session() as session:
            running = [
                session.add(prompts[number], adapter=name, **options) for name, number in asked
            ]
            while session.step():
                pass
        found = [(one.result.tokens, one.result.logprobs) for one in running]
        assert found == expected, warm


def test_what_is_known_of_them(model: Model, files: dict[str, Path]) -> None:
    info = model.adapters["a1"]
    assert (info.name, info.path, info.rank, info.alpha) == ("a1", files["a1"], 5, 32.0)
    assert info.matrices == 14
    assert info.file_bytes == files["a1"].stat().st_size
    assert info.parameters <= info.weight_bytes < 4 * info.parameters
    assert list(model.adapters) == ["a0", "a1", "a2"]


def test_states_on_disk(model: Model, files: dict[str, Path], tmp_path: Path) -> None:
    tokens = model.tokenize("It was a dark and stormy night; the rain fell in torrents.")
    wanted = cold(model).generate(tokens, max_tokens=8, adapter="a2").read().tokens
    model.save_state(tmp_path / "s", tokens, adapter="a2")
    with qingyu.load(files["base"], threads=1, adapters={"x": files["a2"]}) as other:
        assert other.load_state(tmp_path / "s").adapter == "x"
        result = other.generate(tokens, max_tokens=8, adapter="x").read()
        assert (result.tokens, result.cached_tokens) == (wanted, len(tokens) - 1)


def test_files_that_do_not_fit_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    def load(**adapters: Path) -> None:
        qingyu.load(files["base"], adapters=adapters).close()

    with pytest.raises(UnsupportedModelError, match="another model than random weights"):
        load(x=files["other"])
    with pytest.raises(UnsupportedModelError, match="architecture 'qwen2'"):
        load(x=files["qwen"])
    with pytest.raises(UnsupportedModelError, match="given with --model"):
        load(x=files["base"])
    with pytest.raises(ModelNotFoundError):
        load(x=tmp_path / "none.gguf")
    with pytest.raises(InvalidRequestError, match="no name for an adapter"):
        qingyu.load(files["base"], adapters={"a:b": files["a0"]})
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(files["a0"].read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="truncated"):
        load(x=damaged)
    with pytest.raises(UnsupportedModelError, match="--adapter"):
        qingyu.load(files["a0"])


# The default model.


def big_adapter(path: Path, base: Path, *, rank: int, seed: int) -> Path:
    """A random adapter of all matrices for a llama-form file, of F16."""
    from gguf import GGUFWriter

    from qingyu.models.adapter import matrix_shape
    from qingyu.models.family import describe
    from qingyu.models.gguf import GGUFFile

    with GGUFFile.open(base) as gguf:
        config = describe(gguf)
    rng = np.random.default_rng(seed)
    writer = GGUFWriter(str(path), config.family)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0 * rank)
    for layer in range(config.num_layers):
        for matrix in random_adapters.MATRICES:
            name = f"blk.{layer}.{matrix}.weight"
            shape = matrix_shape(name, config)
            assert shape is not None
            a = rng.standard_normal((rank, shape[0])) / shape[0] ** 0.5
            b = rng.standard_normal((shape[1], rank)) * 0.01
            writer.add_tensor(f"{name}.lora_a", a.astype(np.float16))
            writer.add_tensor(f"{name}.lora_b", b.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.model
def test_the_default_model_with_three_adapters(default_model_path: Path, tmp_path: Path) -> None:
    """Alone on one thread, and in a batch of eight on two: the same tokens."""
    files = {
        f"a{number}": big_adapter(
            tmp_path / f"{number}.gguf", default_model_path, rank=16, seed=number
        )
        for number in range(3)
    }
    prompts = ["Once upon a time", "The capital of France is", "今天天气很好，"]
    asked = [(f"a{i % 3}" if i < 6 else None, prompts[i % len(prompts)]) for i in range(8)]
    options: dict[str, Any] = {"max_tokens": 12, "logprobs": 1}
    with qingyu.load(default_model_path, threads=1, adapters=files) as one:
        alone = [
            cold(one).generate(text, adapter=name, **options).read().logprobs
            for name, text in asked
        ]
    assert alone[0] != alone[6]
    with qingyu.load(default_model_path, threads=2, adapters=files) as two:
        with two.session() as session:
            running = [session.add(two.tokenize(t), adapter=n, **options) for n, t in asked]
            while session.step():
                pass
        assert [one.result.logprobs for one in running] == alone
