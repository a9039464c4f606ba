"""Stand-ins for the parts that need weights: a native core and a tokenizer of bytes.

    model = fake_model(script={"ab": "c"})          # a real qingyu Model over a fake core
    context = FakeContext(FakeModel(), max_tokens=64, threads=1)

The fake core has exactly the interface of `qingyu._native`. Its logits are a function of the
tokens a sequence holds, so any mistake in what is fed, shared, cut or restored changes them.
Tokens live in reference-counted pages as in the core: a page shared and yet written to, or
freed too early, shows as wrong logits.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BOS, EOS, TURN = 256, 257, 258
VOCAB_SIZE = 260

Script = Callable[[tuple[int, ...]], int | None]


class ByteTokenizer:
    """One token per byte of UTF-8; then <bos>, <eos>, <turn> and one token nobody uses."""

    vocab_size = VOCAB_SIZE
    bos_id: int | None = BOS
    eos_ids = frozenset({EOS, TURN})
    specials = ("<bos>", "<eos>", "<turn>", "<unused>")

    def __init__(self, *, add_bos: bool = False) -> None:
        self.add_bos = add_bos

    def encode(
        self,
        text: str,
        *,
        special: bool = False,
        add_bos: bool | None = None,
        continued: bool = False,
    ) -> list[int]:
        tokens = [BOS] if (self.add_bos if add_bos is None else add_bos) else []
        while special and text:
            found = [(text.find(name), name) for name in self.specials if name in text]
            if not found:
                break
            place, name = min(found)
            tokens += [*text[:place].encode(), 256 + self.specials.index(name)]
            text = text[place + len(name) :]
        return [*tokens, *text.encode("utf-8", "surrogatepass")]

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        parts = [b"" if skip_special and self.is_special(i) else self.token_bytes(i) for i in ids]
        return b"".join(parts).decode("utf-8", "replace")

    def token_bytes(self, token: int, *, special: bool = True) -> bytes:
        if token < 256:
            return bytes([token])
        return self.specials[token - 256].encode() if special else b""

    def token_text(self, token: int) -> str:
        return self.token_bytes(token).decode("latin-1")

    def is_special(self, token: int) -> bool:
        return token >= 256


class FakeTemplate:
    """`role: content` lines, each ended by <turn>. It knows no tools."""

    source = "{{ messages }}"

    def render_tokens(
        self,
        tokenizer: ByteTokenizer,
        messages: Sequence[Any],
        tools: Any = None,
        add_generation_prompt: bool = True,
        lead: str = "assistant: ",
        enable_thinking: bool = True,
    ) -> list[int]:
        tokens: list[int] = []
        for message in messages:
            tokens += [*tokenizer.encode(f"{message['role']}: {message['content']}"), TURN]
        return tokens + (tokenizer.encode(lead) if add_generation_prompt else [])


class FakeModel:
    """As `_native.NativeModel`. `script`: the token to prefer after a history, None: chance."""

    weight_bytes = 1000
    instruction_set = "portable"
    kv_bytes_per_token = 8

    def __init__(self, vocab_size: int = VOCAB_SIZE, script: Script | None = None) -> None:
        self.vocab_size = vocab_size
        self.script = script

    def dequantize_rows(self, name: str, first: int, count: int) -> NDArray[np.float32]:
        return np.zeros((count, 4), dtype=np.float32)

    def logits(
        self, history: tuple[int, ...], adapter: FakeAdapter | None = None
    ) -> NDArray[np.float32]:
        """What the fake computes after these tokens, float32 [vocab]."""
        key = b"" if adapter is None else adapter.name.encode()
        digest = hashlib.blake2b(struct.pack(f"<{len(history)}i", *history), digest_size=8, key=key)
        seed = int.from_bytes(digest.digest(), "little")
        values = np.random.Generator(np.random.PCG64(seed)).standard_normal(
            self.vocab_size, dtype=np.float32
        )
        wanted = self.script(history) if self.script else None
        if wanted is not None:
            values[wanted] = 20.0
        return values


class FakeAdapter:
    """As `_native.NativeAdapter`: it makes other logits."""

    weight_bytes = 10

    def __init__(self, name: str) -> None:
        self.name = name


class FakePage:
    """Tokens of one page and how many sequences hold it."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.holders = 1


class FakeContext:
    """As `_native.NativeContext`, with pages of `page_tokens`. Counts what was computed."""

    def __init__(
        self, model: FakeModel, *, max_tokens: int, threads: int, page_tokens: int = 8
    ) -> None:
        assert max_tokens > 0
        assert threads > 0
        self.model = model
        self.threads = threads
        self.page_tokens = page_tokens
        self.pages_total = -(-max_tokens // page_tokens)
        self.pages_free = self.pages_total
        self.sequences: dict[int, list[FakePage]] = {}
        self.adapters: dict[int, FakeAdapter | None] = {}
        self.forwards: list[int] = []  # tokens of each forward
        self.before_forward: Callable[[], None] | None = None
        self.after_forward: Callable[[], None] | None = None
        self._next = 0
        self._busy = False

    def create(self, adapter: FakeAdapter | None = None) -> int:
        self._next += 1
        self.sequences[self._next] = []
        self.adapters[self._next] = adapter
        return self._next

    def length(self, sequence: int) -> int:
        return sum(len(page.tokens) for page in self._pages(sequence))

    def history(self, sequence: int) -> tuple[int, ...]:
        return tuple(token for page in self._pages(sequence) for token in page.tokens)

    def forward(
        self, tokens: NDArray[np.int32], sequences: NDArray[np.int32], outputs: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        assert not self._busy, "one call at a time"
        self._busy = True
        try:
            return self._forward(tokens, sequences, outputs)
        finally:
            self._busy = False

    def _forward(
        self, tokens: NDArray[np.int32], sequences: NDArray[np.int32], outputs: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        for array in (tokens, sequences, outputs):
            assert array.dtype == np.int32
            assert array.flags.c_contiguous
        if len(tokens) != len(sequences) or len(tokens) == 0:
            raise ValueError("tokens and sequences differ in length")
        if self.before_forward:
            self.before_forward()
        needed = 0
        for sequence, count in zip(*np.unique(sequences, return_counts=True), strict=True):
            length = self.length(int(sequence))
            needed += -(-(length + int(count)) // self.page_tokens) - -(-length // self.page_tokens)
        if needed > self.pages_free:
            raise MemoryError(f"{needed} pages needed, {self.pages_free} free")
        wanted = set(outputs.tolist())
        rows: dict[int, NDArray[np.float32]] = {}
        for place, (token, sequence) in enumerate(
            zip(tokens.tolist(), sequences.tolist(), strict=True)
        ):
            self._append(sequence, token)
            if place in wanted:
                rows[place] = self.model.logits(self.history(sequence), self.adapters[sequence])
        self.forwards.append(len(tokens))
        if self.after_forward:
            self.after_forward()
        result = np.zeros((len(outputs), self.model.vocab_size), dtype=np.float32)
        for row, place in enumerate(outputs.tolist()):
            result[row] = rows[place]
        return result

    def fork(self, sequence: int, length: int) -> int:
        if length > self.length(sequence):
            raise ValueError("the sequence is shorter")
        whole, rest = divmod(length, self.page_tokens)
        if rest and not self.pages_free:
            raise MemoryError("no page for the copy")
        pages = list(self._pages(sequence)[:whole])
        for page in pages:
            page.holders += 1
        if rest:
            copy = self._new_page()
            copy.tokens = self._pages(sequence)[whole].tokens[:rest]
            pages.append(copy)
        fork = self.create(self.adapters[sequence])
        self.sequences[fork] = pages
        return fork

    def truncate(self, sequence: int, length: int) -> None:
        if length > self.length(sequence):
            raise ValueError("the sequence is shorter")
        whole, rest = divmod(length, self.page_tokens)
        pages = self._pages(sequence)
        kept, cut = pages[:whole], pages[whole:]
        tokens = cut[0].tokens[:rest] if rest else []
        self._free(cut)  # first: the real one never needs a page for this
        if rest:
            kept.append(self._new_page())
            kept[-1].tokens = tokens
        self.sequences[sequence] = kept

    def drop(self, sequence: int) -> None:
        self._free(self._pages(sequence))
        del self.sequences[sequence]
        del self.adapters[sequence]

    def save(self, sequence: int) -> bytes:
        history = self.history(sequence)
        return b"FAKE" + struct.pack(f"<I{len(history)}i", len(history), *history)

    def restore(self, data: bytes, adapter: FakeAdapter | None = None) -> int:
        if len(data) < 8 or data[:4] != b"FAKE":
            raise ValueError("not a saved sequence")
        (count,) = struct.unpack_from("<I", data, 4)
        if len(data) != 8 + 4 * count:
            raise ValueError("sizes do not match")
        if -(-count // self.page_tokens) > self.pages_free:
            raise MemoryError("no page left")
        sequence = self.create(adapter)
        for token in struct.unpack_from(f"<{count}i", data, 8):
            self._append(sequence, token)
        return sequence

    def _pages(self, sequence: int) -> list[FakePage]:
        if sequence not in self.sequences:
            raise ValueError(f"no sequence {sequence}")
        return self.sequences[sequence]

    def _new_page(self) -> FakePage:
        assert self.pages_free > 0
        self.pages_free -= 1
        return FakePage()

    def _append(self, sequence: int, token: int) -> None:
        pages = self._pages(sequence)
        if not pages or len(pages[-1].tokens) == self.page_tokens:
            pages.append(self._new_page())
        assert pages[-1].holders == 1, "a shared page must not be written to"
        pages[-1].tokens.append(token)

    def _free(self, pages: Sequence[FakePage]) -> None:
        for page in pages:
            page.holders -= 1
            if page.holders == 0:
                self.pages_free += 1


def scripted(answers: dict[str, str]) -> Script:
    """A script from texts: after a prompt that ends in the key comes the value, then EOS."""
    table = {tuple(key.encode()): [*value.encode(), EOS] for key, value in answers.items()}

    def next_token(history: tuple[int, ...]) -> int | None:
        for key, answer in table.items():
            for done in range(len(answer)):
                if history[-len(key) - done :] == (*key, *answer[:done]):
                    return answer[done]
        return None

    return next_token


def fake_model(
    answers: dict[str, str] | None = None,
    *,
    script: Script | None = None,
    context: int = 256,
    kv_tokens: int = 1024,
    add_bos: bool = False,
    template: bool = True,
    chunk_tokens: int = 16,
    page_tokens: int = 8,
    file_hash: str = "ab" * 32,
    instruction_set: str = "portable",
    activation_bits: int = 8,
    adapters: Sequence[str] = (),
) -> Any:
    """A `qingyu.Model` over the fake core. `answers`: see `scripted`."""
    from qingyu.engine.adapters import LoadedAdapter
    from qingyu.engine.model import Model
    from qingyu.engine.results import AdapterInfo, ModelInfo

    native = FakeModel(script=scripted(answers) if answers else script)
    info = ModelInfo(
        name="fake",
        family="fake",
        path=None,
        file_bytes=1000,
        weight_bytes=native.weight_bytes,
        parameters=1000,
        vocab_size=native.vocab_size,
        layers=1,
        embedding_size=4,
        context=context,
        trained_context=context,
        kv_tokens=kv_tokens,
        kv_bytes_per_token=native.kv_bytes_per_token,
        instruction_set=instruction_set,
        threads=1,
        activation_bits=activation_bits,
        has_template=template,
        tensor_types={"F32": 1},
    )
    parts: dict[str, Any] = {
        "context": FakeContext(native, max_tokens=kv_tokens, threads=1, page_tokens=page_tokens),
        "tokenizer": ByteTokenizer(add_bos=add_bos),
        "template": FakeTemplate() if template else None,
    }
    loaded: dict[str, Any] = {
        name: LoadedAdapter(
            info=AdapterInfo(
                name=name,
                path=Path(f"{name}.gguf"),
                file_bytes=20,
                weight_bytes=FakeAdapter.weight_bytes,
                rank=4,
                alpha=8.0,
                matrices=1,
                parameters=5,
                sha256=hashlib.sha256(name.encode()).hexdigest(),
            ),
            native=FakeAdapter(name),  # type: ignore[arg-type]
        )
        for name in adapters
    }
    return Model(
        **parts,
        info=info,
        file_hash=lambda: file_hash,
        chunk_tokens=chunk_tokens,
        adapters=loaded,
    )


def context_of(model: Any) -> FakeContext:
    """The fake core under a model."""
    context = model.core.native
    assert isinstance(context, FakeContext)
    return context
