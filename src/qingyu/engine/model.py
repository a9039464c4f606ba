"""A loaded model: what users of the Python API hold.

    with qingyu.load("default") as model:
        for piece in model.chat([{"role": "user", "content": "Hi"}]):
            print(piece, end="", flush=True)
        model.score("2 + 2 =", [" 4", " 5"])

It ties a tokenizer, a chat template and a native context together; computing is done by
`session.py` and `scoring.py`. Where a model comes from is `loading.py`.

May be used by several threads: forwards take turns, first come first served.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from qingyu.engine import scoring
from qingyu.engine.core import Core
from qingyu.engine.request import Options, checked_tokens
from qingyu.engine.results import ModelInfo, Perplexity, SavedState, Score
from qingyu.engine.session import Session
from qingyu.engine.speculation import DraftModel
from qingyu.engine.state import StateHeader, read_state, write_state
from qingyu.engine.stream import Stream
from qingyu.errors import (
    ContextFullError,
    InvalidRequestError,
    OutOfMemoryError,
    StateError,
    TemplateError,
)
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu._native import NativeContext
    from qingyu.engine.adapters import LoadedAdapter
    from qingyu.engine.async_stream import AsyncStream
    from qingyu.engine.constraint import Constraint, Constraints, Grammar
    from qingyu.models.template import ChatTemplate
    from qingyu.models.tokenizer import Tokenizer

# Most bytes `logits` returns at once; `iterate_logits` has no such bound.
MAX_LOGIT_BYTES = 1 << 30

Message = Mapping[str, Any]


class Model:
    """See the module. Made by `qingyu.load`; the constructor takes ready parts.

    file_hash: the model file's SHA-256, asked for only when a state is saved or loaded.
    adapters: what is loaded beside it, by name.
    """

    def __init__(
        self,
        *,
        context: NativeContext,
        tokenizer: Tokenizer,
        template: ChatTemplate | None,
        info: ModelInfo,
        file_hash: Callable[[], str],
        chunk_tokens: int = 512,
        adapters: Mapping[str, LoadedAdapter] | None = None,
    ) -> None:
        adapters = adapters or {}
        self.info = info
        self.adapters = {name: one.info for name, one in adapters.items()}
        self.tokenizer = tokenizer
        self.template = template
        native = {name: one.native for name, one in adapters.items()}
        self.core = Core(context, limit=info.context, adapters=native)
        self.file_hash = file_hash
        self._constraints: Constraints | None = None
        self._chunk_tokens = chunk_tokens

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the memory, after the forward that runs. Streams still read raise then."""
        self.core.close()

    # Text.

    def generate(self, prompt: str | Sequence[int], **options: Unpack[Options]) -> Stream:
        """Continue a text, or token ids. Options: see `qingyu.engine.request.Options`.

        Special tokens written in a text are text; give token ids to use them. An empty text
        starts from the model's BOS. Computing starts with the first read.
        Raises ContextFullError when no new token would fit, InvalidRequestError for a value
        that cannot be.
        """
        session = self.session()
        return Stream(session, session.add(self.prompt_tokens(prompt), **options))

    def chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_values: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> Stream:
        """Answer a conversation, by the model's chat template.

        messages: {"role": "system" | "user" | "assistant" | "tool", "content": ...} in order.
        tools: JSON schemas of functions, for templates that know them.
        template_values: further variables of the template, such as enable_thinking.
        Raises TemplateError when the model has no template or it fails; else as `generate`.
        """
        session = self.session()
        tokens = self.chat_tokens(messages, tools=tools, template_values=template_values)
        return Stream(session, session.add(tokens, **options))

    def agenerate(self, prompt: str | Sequence[int], **options: Unpack[Options]) -> AsyncStream:
        """`generate` for asyncio: `async for piece in model.agenerate(...)`."""
        from qingyu.engine.async_stream import AsyncStream

        return AsyncStream(self.generate(prompt, **options))

    def achat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_values: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> AsyncStream:
        """`chat` for asyncio."""
        from qingyu.engine.async_stream import AsyncStream

        return AsyncStream(
            self.chat(messages, tools=tools, template_values=template_values, **options)
        )

    def session(self, *, draft: Model | None = None) -> Session:
        """Several generations in one batch; see `Session`. A draft model guesses ahead.

        Raises InvalidRequestError when the draft model has another vocabulary.
        """
        return Session(
            self.core,
            self.tokenizer,
            vocab_size=self.info.vocab_size,
            chunk_tokens=self._chunk_tokens,
            constrain=self.constrain,
            draft=None if draft is None else DraftModel(draft, self),
        )

    def constrain(self, grammar: Grammar) -> Constraint:
        """The state of a text that follows a grammar. Compiled grammars are kept."""
        if self._constraints is None:
            from qingyu.engine.constraint import Constraints

            self._constraints = Constraints(self.tokenizer, self.info.vocab_size)
        return self._constraints.start(grammar)

    # Tokens.

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text, with BOS where the model uses one. `special`: special tokens
        written in the text become what they name."""
        return self.tokenizer.encode(text, special=special)

    def detokenize(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """Text of token ids."""
        return self.tokenizer.decode(tokens, skip_special=skip_special)

    def chat_tokens(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        template_values: Mapping[str, Any] | None = None,
        add_generation_prompt: bool = True,
    ) -> list[int]:
        """The prompt `chat` would use, as token ids."""
        if self.template is None:
            raise TemplateError(
                pick(
                    f"the model {self.info.name} has no chat template; name one with --template"
                    " (in Python: load(..., template=...)), or use generate",
                    f"模型 {self.info.name} 没有对话模板；请用 --template 指定"
                    "（Python 中为 load(..., template=...)），或使用 generate",
                )
            )
        if isinstance(messages, (str, Mapping)) or not messages:
            raise InvalidRequestError(
                pick(
                    "messages must be a list of at least one {role, content}",
                    "messages 应为列表，至少有一条 {role, content}",
                )
            )
        return self.template.render_tokens(
            self.tokenizer,
            messages,
            tools=tools,
            add_generation_prompt=add_generation_prompt,
            **(template_values or {}),
        )

    # Probabilities.

    def logits(
        self, prompt: str | Sequence[int], *, adapter: str | None = None
    ) -> NDArray[np.float32]:
        """Logits after each token, float32 [tokens, vocabulary].

        Raises InvalidRequestError when that is more than 1 GiB: use `iterate_logits`.
        """
        tokens = self.prompt_tokens(prompt)
        size = 4 * len(tokens) * self.info.vocab_size
        if size > MAX_LOGIT_BYTES:
            most = MAX_LOGIT_BYTES // (4 * self.info.vocab_size)
            raise InvalidRequestError(
                pick(
                    f"the logits of {len(tokens)} tokens take {size} bytes, more than 1 GiB;"
                    f" give at most {most} tokens, or use iterate_logits",
                    f"{len(tokens)} 个词元的 logits 需 {size} 字节，超过 1 GiB；"
                    f"请最多给 {most} 个词元，或使用 iterate_logits",
                )
            )
        result = np.empty((len(tokens), self.info.vocab_size), dtype=np.float32)
        start = 0
        for rows in self.iterate_logits(tokens, adapter=adapter):
            result[start : start + len(rows)] = rows
            start += len(rows)
        return result

    def iterate_logits(
        self, prompt: str | Sequence[int], *, adapter: str | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """The same in pieces float32 [up to 64 MB worth of tokens, vocabulary], in order."""
        self.core.check_adapter(adapter)
        return scoring.iterate_logits(
            self.core,
            self.prompt_tokens(prompt),
            vocab_size=self.info.vocab_size,
            chunk_tokens=self._chunk_tokens,
            adapter=adapter,
        )

    def score(
        self, prompt: str, continuations: Sequence[str], *, adapter: str | None = None
    ) -> list[Score]:
        """Log-probability of each continuation after the prompt; see `scoring.score`."""
        self.core.check_adapter(adapter)
        return scoring.score(
            self.core,
            self.tokenizer,
            prompt,
            continuations,
            vocab_size=self.info.vocab_size,
            chunk_tokens=self._chunk_tokens,
            adapter=adapter,
        )

    def perplexity(
        self,
        text: str | Sequence[int],
        *,
        window: int | None = None,
        stride: int | None = None,
        adapter: str | None = None,
    ) -> Perplexity:
        """How surprised the model is by a text of any length; see `scoring.perplexity`."""
        self.core.check_adapter(adapter)
        return scoring.perplexity(
            self.core,
            self.tokenizer,
            text if isinstance(text, str) else checked_tokens(text, self.info.vocab_size),
            window=window,
            stride=stride,
            vocab_size=self.info.vocab_size,
            chunk_tokens=self._chunk_tokens,
            adapter=adapter,
        )

    # Saved states.

    def save_state(
        self, path: str | os.PathLike[str], tokens: Sequence[int], *, adapter: str | None = None
    ) -> SavedState:
        """Write the keys and values of tokens to a file, computing what is not yet. They hold for
        that adapter, and for no other; the file says for which.

        After a conversation those are the prompt's tokens and the result's. Raises StateError
        when the file cannot be written, ContextFullError when the tokens do not fit.
        """
        path = Path(path)
        tokens = checked_tokens(tokens, self.info.vocab_size)
        if len(tokens) > self.core.limit:
            limit = self.core.limit
            raise ContextFullError(prompt=len(tokens), limit=limit, room=limit)
        self.core.check_adapter(adapter)
        with self.core as core:
            sequence, length = core.open(tokens, adapter)
            try:
                for start in range(length, len(tokens), self._chunk_tokens):
                    part = tokens[start : start + self._chunk_tokens]
                    core.append(sequence, np.array(part, dtype=np.int32))
                payload = core.native.save(sequence)
            finally:
                core.park(sequence, tokens)
        header = self._state_header(len(tokens), len(payload), adapter)
        file_bytes = write_state(path, header, tokens, payload)
        return SavedState(path=path, tokens=tuple(tokens), file_bytes=file_bytes, adapter=adapter)

    def load_state(self, path: str | os.PathLike[str]) -> SavedState:
        """Read such a file; prompts that begin with its tokens then need not compute them, if
        they ask for the adapter it was saved with.

        Raises StateError when it is damaged or belongs to another model or instruction set, or to
        an adapter that is not loaded, ContextFullError when it is longer than this context.
        """
        path = Path(path)
        header, tokens, payload = read_state(path)
        header.check_fits(self._state_header(header.num_tokens, header.payload_bytes), path)
        adapter = self._adapter_of(header, path)
        try:
            tokens = checked_tokens(tokens, self.info.vocab_size)
        except InvalidRequestError as error:
            raise StateError(f"{path}: {error}") from None
        if len(tokens) > self.core.limit:
            limit = self.core.limit
            raise ContextFullError(prompt=len(tokens), limit=limit, room=limit)
        with self.core as core:
            sequence = self._restore(core, path, payload, adapter)
            length = core.native.length(sequence)
            if length != len(tokens):
                core.drop(sequence)
                raise StateError(
                    pick(
                        f"{path} names {len(tokens)} tokens, but holds keys and values of {length}",
                        f"{path} 记有 {len(tokens)} 个词元，键值却有 {length} 个",
                    )
                )
            core.park(sequence, tokens)
        size = path.stat().st_size
        return SavedState(path=path, tokens=tuple(tokens), file_bytes=size, adapter=adapter)

    def _adapter_of(self, header: StateHeader, path: Path) -> str | None:
        """The name here of the adapter a state was saved with."""
        if not header.adapter_sha256:
            return None
        for name, info in self.adapters.items():
            if info.sha256 == header.adapter_sha256:
                return name
        raise StateError(
            pick(
                f"{path} was saved with an adapter of sha256 {header.adapter_sha256}, which is not"
                " loaded; load the model with it",
                f"{path} 保存时使用了 sha256 为 {header.adapter_sha256} 的适配器，"
                "而它没有加载；请在加载模型时带上它",
            )
        )

    def _restore(self, core: Core, path: Path, payload: bytes, adapter: str | None) -> int:
        while True:
            try:
                return core.restore(payload, adapter)
            except ValueError as error:
                raise StateError(
                    pick(f"{path} does not fit this model: {error}", f"{path} 与模型不符：{error}")
                ) from error
            except MemoryError:
                if not core.evict():
                    raise OutOfMemoryError(
                        pick(
                            f"the key-value cache has no room for the state {path};"
                            " load the model with larger kv_tokens",
                            f"键值缓存放不下 {path}；请用更大的 kv_tokens 加载模型",
                        )
                    ) from None

    def _state_header(
        self, num_tokens: int, payload_bytes: int, adapter: str | None = None
    ) -> StateHeader:
        return StateHeader(
            model_sha256=self.file_hash(),
            instruction_set=self.info.instruction_set,
            activation_bits=self.info.activation_bits,
            kv_bytes_per_token=self.info.kv_bytes_per_token,
            num_tokens=num_tokens,
            payload_bytes=payload_bytes,
            adapter_sha256="" if adapter is None else self.adapters[adapter].sha256,
        )

    def prompt_tokens(self, prompt: str | Sequence[int]) -> list[int]:
        """Token ids of a prompt given either way; an empty text is the token texts begin with."""
        if isinstance(prompt, str):
            return self.tokenizer.encode(prompt) or [scoring.start_token(self.tokenizer)]
        return checked_tokens(prompt, self.info.vocab_size)
