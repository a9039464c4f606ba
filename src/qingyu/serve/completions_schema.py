"""What /v1/completions takes and gives: OpenAI's older shape, text in and text out.

body = parse(CompletionRequest, data)
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from qingyu.serve.fields import (
    MAX_TOKENS,
    PenaltyFields,
    ResponseFormat,
    StreamOptions,
    Usage,
    contradiction,
)
from qingyu.text import pick

MAX_PROMPTS = 64
# OpenAI's, for this endpoint alone.
DEFAULT_MAX_TOKENS = 16

UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "suffix": (None, ""),
}

Tokens = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]


def _kind(prompt: Any) -> str | None:
    """Which kind of prompt it is or was meant to be, so that an error is about that."""
    if isinstance(prompt, str):
        return "text"
    if not isinstance(prompt, list):
        return None
    first = prompt[0] if prompt else ""
    return "texts" if isinstance(first, str) else "lists" if isinstance(first, list) else "tokens"


Prompt = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[Tokens, Tag("tokens")]
    | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS), Tag("texts")]
    | Annotated[list[Tokens], Field(min_length=1, max_length=MAX_PROMPTS), Tag("lists")],
    Discriminator(
        _kind,
        custom_error_type="prompt_kind",
        custom_error_message="must be a text, token ids, or a list of either",
    ),
]


class CompletionRequest(PenaltyFields):
    """A text, token ids, or several of either, to be continued."""

    prompt: Prompt
    max_tokens: Annotated[int, Field(ge=0, le=MAX_TOKENS)] | None = DEFAULT_MAX_TOKENS
    best_of: Annotated[int, Field(ge=1, le=16)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _consistent(self) -> CompletionRequest:
        if self.best_of is not None and self.best_of != (self.n or 1):
            raise contradiction(
                "best_of",
                pick(
                    f"best_of is {self.best_of}; only the value of n is supported",
                    f"best_of 为 {self.best_of}；只支持与 n 相同的值",
                ),
            )
        if self.max_tokens == 0 and not self.echo:
            raise contradiction(
                "max_tokens",
                pick(
                    "max_tokens is 0, which is possible only with echo: true",
                    "max_tokens 为 0；只有 echo: true 时才可以",
                ),
            )
        if self.stream_options is not None and not self.stream:
            raise contradiction(
                "stream_options",
                pick("stream_options needs stream: true", "stream_options 需要 stream: true"),
            )
        return self


class CompletionLogprobs(BaseModel):
    """Log-probabilities in the older shape. With echo those of the prompt come first; its first
    token has none. text_offset: characters before a token in the choice's text."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One continuation."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"]


class Completion(BaseModel):
    """The whole response."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage
