"""A model that says what the test wrote down, behind the engine's own interface.

model = ScriptedModel(["Hel", "lo"])
"".join(model.generate("x"))        # "Hello"; model.requests holds what was asked
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qingyu.engine.results import ModelInfo, Result
from qingyu.errors import ContextFullError, QingyuError

INFO = ModelInfo(
    name="Scripted",
    family="llama",
    path=Path("/models/scripted.gguf"),
    file_bytes=1000,
    weight_bytes=98_000_000,
    parameters=135_000_000,
    vocab_size=100,
    layers=2,
    embedding_size=8,
    context=50,
    trained_context=2048,
    kv_tokens=50,
    kv_bytes_per_token=64,
    instruction_set="portable",
    threads=2,
    has_template=True,
    tensor_types={"Q4_1": 10, "F32": 4},
)


class ScriptedStream(Iterator[str]):
    """Pieces in turn; an exception among them is raised in its place."""

    def __init__(self, script: Sequence[str | BaseException], num_prompt: int) -> None:
        self._script = list(script)
        self._num_prompt = num_prompt
        self._said: list[str] = []
        self.closed = False

    def __next__(self) -> str:
        if not self._script or self.closed:
            raise StopIteration
        piece = self._script.pop(0)
        if isinstance(piece, BaseException):
            raise piece
        self._said.append(piece)
        return piece

    def __enter__(self) -> ScriptedStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True

    @property
    def result(self) -> Result:
        return Result(
            text="".join(self._said),
            tokens=tuple(range(len(self._said))),
            prompt_tokens=self._num_prompt,
            cached_tokens=2,
            stop_reason="cancelled" if self._script else "end",
            seed=7,
            prefill_seconds=0.5,
            decode_seconds=0.25,
            decode_tokens=max(0, len(self._said) - 1),
        )


class ScriptedModel:
    """Answers with `script`, or with the next of `answers`. Prompts count in characters."""

    def __init__(
        self,
        script: Sequence[str | BaseException] = ("Hel", "lo"),
        *,
        answers: Sequence[Sequence[str | BaseException]] | None = None,
    ) -> None:
        self.info = INFO
        self.adapters: dict[str, Any] = {}
        self.requests: list[tuple[str, Any, dict[str, Any]]] = []
        self.streams: list[ScriptedStream] = []
        self.closed = False
        self._script = script
        self._answers = None if answers is None else list(answers)

    def _stream(self, kind: str, prompt: Any, length: int, options: dict[str, Any]) -> Any:
        assert not self.closed
        if length >= self.info.context:
            raise ContextFullError(prompt=length, limit=self.info.context, room=0)
        self.requests.append((kind, prompt, options))
        script = self._script if self._answers is None else self._answers.pop(0)
        self.streams.append(ScriptedStream(script, length))
        return self.streams[-1]

    def generate(self, prompt: str, **options: Any) -> Any:
        return self._stream("generate", prompt, len(prompt), options)

    def chat(self, messages: Sequence[dict[str, str]], **options: Any) -> Any:
        length = sum(len(message["content"]) for message in messages)
        return self._stream("chat", [dict(message) for message in messages], length, options)

    def __enter__(self) -> ScriptedModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True


class Loader:
    """Stands in for `qingyu.load`; `calls` holds what was asked for."""

    def __init__(self, **models: ScriptedModel | QingyuError) -> None:
        self.models = models
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, reference: str, **options: Any) -> ScriptedModel:
        self.calls.append((reference, options))
        model = self.models[reference.replace("-", "_")]
        if isinstance(model, QingyuError):
            raise model
        return model


@dataclass(frozen=True)
class Outcome:
    """What a command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]
Install = Callable[..., ScriptedModel]
