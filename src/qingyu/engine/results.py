"""What the engine answers with: plain records, no behaviour.

    result = model.generate("1, 2, 3,", max_tokens=8).read()
    result.text, result.stop_reason, result.decode_rate

Times are seconds of this request's own forwards and sampling; waiting for the reader of a
stream, or for other requests, is not in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

StopReason = Literal["end", "stop", "length", "cancelled"]
Limit = Literal["max_tokens", "context"]


class TokenInfo(NamedTuple):
    """One token of an answer, and how likely the model found it.

    logprob: natural log of its probability before sampling settings and constraint.
    top: the likeliest tokens in its place as (token, raw bytes, log-probability), likeliest first.
    """

    token: int
    raw: bytes
    logprob: float
    top: tuple[tuple[int, bytes, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """One finished generation.

    text: all text, without the stop string and what follows it.
    tokens: ids chosen, without the end or stop token; with a stop string, the tokens that
        made it are in.
    prompt_tokens, cached_tokens: the prompt's length, and how much of it was already computed.
    stop_reason: "end" the model ended its turn; "stop" a stop string or token of the request;
        "length" a limit; "cancelled" the stream was closed.
    stop: the stop string or token that matched.
    limited_by: with "length", which limit: "max_tokens" as asked, or "context", which was full.
    seed: the seed in use; None when greedy.
    logprobs: one per token, if they were asked for.
    prompt_logprobs: one per token of the prompt after its first, if they were asked for; then
        `logprobs` has one for the end token as well.
    end_logprob: of the end or stop token, where log-probabilities were asked for and one was
        chosen; 0 where a grammar left nothing but the end.
    constraint_complete: whether the text is a whole sentence of its grammar; None without one.
    forward_passes: forwards that gave this answer its tokens; fewer than tokens when some were
        forced by a grammar or guessed ahead.
    """

    text: str
    tokens: tuple[int, ...]
    prompt_tokens: int
    cached_tokens: int
    stop_reason: StopReason
    stop: str | int | None = None
    limited_by: Limit | None = None
    seed: int | None = None
    logprobs: tuple[TokenInfo, ...] | None = None
    prompt_logprobs: tuple[TokenInfo, ...] | None = None
    end_logprob: float = 0.0
    constraint_complete: bool | None = None
    forward_passes: int = 0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    decode_tokens: int = 0

    @property
    def prefill_rate(self) -> float:
        """Prompt tokens computed per second, up to the first new token; 0 if none was."""
        computed = self.prompt_tokens - self.cached_tokens
        return computed / self.prefill_seconds if self.prefill_seconds > 0 else 0.0

    @property
    def decode_rate(self) -> float:
        """Tokens per second after the first; 0 if there was none."""
        return self.decode_tokens / self.decode_seconds if self.decode_seconds > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """How likely a model finds a continuation.

    log_prob: natural log of the continuation's probability: the sum of token_log_probs.
    is_greedy: whether every token is the model's most likely one.
    """

    tokens: tuple[int, ...]
    token_log_probs: tuple[float, ...]
    log_prob: float
    is_greedy: bool


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """How surprised a model is by a text.

    perplexity: exp(mean_loss); mean_loss: nats per scored token.
    bits_per_byte: comparable between tokenizers; None when tokens were given instead of text.
    window, stride: tokens per forward context, and how far one window starts after the other;
        equal to the text's length when it fits in one.
    """

    perplexity: float
    mean_loss: float
    bits_per_byte: float | None
    num_scored: int
    num_windows: int
    window: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class SavedState:
    """What a state file holds: the tokens, sizes in bytes, and the name of the adapter they were
    computed with."""

    path: Path
    tokens: tuple[int, ...]
    file_bytes: int
    adapter: str | None = None


@dataclass(frozen=True, kw_only=True)
class AdapterInfo:
    """A low-rank adapter that is loaded. Sizes in bytes.

    rank: the largest of its matrices'; matrices: how many of the model's it changes;
    parameters: values in all; sha256: of its file.
    """

    name: str
    path: Path
    file_bytes: int
    weight_bytes: int
    rank: int
    alpha: float
    matrices: int
    parameters: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is loaded. Sizes in bytes, lengths in tokens.

    context, trained_context: the limit of one sequence here, and the model's own.
    kv_tokens: positions the key-value cache has for all sequences together.
    tensor_types: GGML type name to the number of tensors of it.
    """

    name: str
    family: str
    path: Path | None
    file_bytes: int
    weight_bytes: int
    parameters: int
    vocab_size: int
    layers: int
    embedding_size: int
    context: int
    trained_context: int
    kv_tokens: int
    kv_bytes_per_token: int
    instruction_set: str
    threads: int
    has_template: bool
    tensor_types: Mapping[str, int]
    activation_bits: int = 8
    load_seconds: float = 0.0
