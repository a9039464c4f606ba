"""What /v1/chat/completions takes and gives: OpenAI's names and shapes.

body = parse(ChatRequest, data)
ChatCompletion                                  # for the OpenAPI description
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from qingyu.serve.fields import (
    MAX_TOKENS,
    FunctionType,
    PenaltyFields,
    ResponseFormat,
    StreamOptions,
    Strict,
    Usage,
    contradiction,
    refuse_part,
)
from qingyu.text import pick

MAX_MESSAGES = 4096

# Known to OpenAI's API and not here, with the values that ask for nothing.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "audio": (None,),
    "function_call": (None,),
    "functions": (None,),
    "metadata": (None, {}),
    "modalities": (None, ["text"]),
    "moderation": (None,),
    "prediction": (None,),
    "prompt_cache_options": (None,),
    "prompt_cache_retention": (None,),
    "reasoning_effort": (None, "none"),
    "service_tier": (None, "auto", "default"),
    "store": (None, False),
    "verbosity": (None, "medium"),
    "web_search_options": (None,),
}


def _kind(part: Any) -> Any:
    return part.get("type") if isinstance(part, dict) else getattr(part, "type", None)


class TextPart(Strict):
    """A piece of text. Pictures, sound and files are not supported."""

    type: Literal["text"]
    text: str

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, part: Any) -> Any:
        return refuse_part(part, ("text",))


class RefusalPart(Strict):
    """A piece of an earlier answer that was a refusal."""

    type: Literal["refusal"]
    refusal: str


Part = Annotated[
    Annotated[TextPart, Tag("text")] | Annotated[RefusalPart, Tag("refusal")],
    Discriminator(lambda part: "refusal" if _kind(part) == "refusal" else "text"),
]


class FunctionCall(Strict):
    """A function and its arguments as JSON text. parsed_arguments: what OpenAI's client made of
    them; it sends that back with the message, and it says nothing new."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str
    parsed_arguments: Any = None


class ToolCall(Strict):
    """A call the assistant made. index: its place, as streams have it."""

    id: Annotated[str, Field(max_length=128)]
    type: Literal["function"] = "function"
    function: FunctionCall
    index: Annotated[int, Field(ge=0, le=MAX_TOKENS)] | None = None

    def for_template(self) -> dict[str, Any]:
        """As chat templates expect it."""
        function = {"name": self.function.name, "arguments": self.function.arguments}
        return {"id": self.id, "type": self.type, "function": function}


class Message(Strict):
    """One message of the conversation. Fields that only answers have may be there as null.
    parsed: what OpenAI's client made of the content, sent back with it."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Annotated[list[Part], Field(min_length=1, max_length=1024)] | None = None
    name: Annotated[str, Field(max_length=64)] | None = None
    tool_calls: Annotated[list[ToolCall], Field(min_length=1, max_length=128)] | None = None
    tool_call_id: Annotated[str, Field(max_length=128)] | None = None
    refusal: str | None = None
    audio: None = None
    function_call: None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None
    parsed: Any = None

    @model_validator(mode="after")
    def _complete(self) -> Message:
        if self.tool_calls and self.role != "assistant":
            raise ValueError(
                pick(
                    f"a message of the role {self.role} cannot have tool_calls",
                    f"角色为 {self.role} 的消息不能有 tool_calls",
                )
            )
        if self.role == "tool" and self.tool_call_id is None:
            raise ValueError(
                pick("a tool message needs tool_call_id", "tool 消息需要 tool_call_id")
            )
        spoken = self.tool_calls or self.refusal is not None
        if self.refusal is not None and (self.role != "assistant" or self.content is not None):
            raise ValueError(
                pick(
                    "only an assistant message without content has a refusal",
                    "只有没有 content 的 assistant 消息可以有 refusal",
                )
            )
        refusing = isinstance(self.content, list) and any(
            isinstance(part, RefusalPart) for part in self.content
        )
        if self.role != "assistant" and (refusing or self.parsed is not None):
            raise ValueError(
                pick(
                    "only an assistant message has parts that are refusals, or parsed",
                    "只有 assistant 消息可以有 refusal 部分或 parsed",
                )
            )
        if self.content is None and not (self.role == "assistant" and spoken):
            raise ValueError(pick("the message has no content", "消息没有 content"))
        return self

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, list):
            return "".join(
                part.text if isinstance(part, TextPart) else part.refusal for part in self.content
            )
        return self.content or self.refusal or ""

    def for_template(self) -> dict[str, Any]:
        """As chat templates expect it."""
        role = "system" if self.role == "developer" else self.role
        message: dict[str, Any] = {"role": role, "content": self.text}
        if self.tool_calls:
            message["tool_calls"] = [call.for_template() for call in self.tool_calls]
        if self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            message["name"] = self.name
        return message


class FunctionSpec(Strict):
    """A function the model may call. Arguments always follow the schema, strict or not."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: Annotated[str, Field(max_length=65536)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolSpec(Strict):
    """A tool; functions are the only kind."""

    type: FunctionType
    function: FunctionSpec


class FunctionName(Strict):
    """A function by name."""

    name: Annotated[str, Field(min_length=1, max_length=64)]


class NamedChoice(Strict):
    """The one function that must be called."""

    type: FunctionType
    function: FunctionName


class TemplateValues(Strict):
    """Values for the chat template (an addition to OpenAI's API)."""

    enable_thinking: bool | None = None


class ChatRequest(PenaltyFields):
    """A request for the next message of a conversation."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[ToolSpec], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    stream_options: StreamOptions | None = None
    chat_template_kwargs: TemplateValues | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ChatRequest:
        if self.max_tokens and self.max_completion_tokens:
            raise contradiction(
                "max_tokens",
                pick(
                    "max_tokens and max_completion_tokens were given together",
                    "max_tokens 与 max_completion_tokens 不能同时给出",
                ),
            )
        if self.top_logprobs is not None and not self.logprobs:
            raise contradiction(
                "top_logprobs",
                pick("top_logprobs needs logprobs: true", "top_logprobs 需要 logprobs: true"),
            )
        if self.stream_options is not None and not self.stream:
            raise contradiction(
                "stream_options",
                pick("stream_options needs stream: true", "stream_options 需要 stream: true"),
            )
        return self


class TopLogprob(BaseModel):
    """One of the likeliest tokens."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(TopLogprob):
    """A token of the answer."""

    top_logprobs: list[TopLogprob]


class Logprobs(BaseModel):
    """Log-probabilities of an answer."""

    content: list[TokenLogprob] | None
    refusal: None = None


class AnswerMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"]
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCall] | None = None


FinishReason = Literal["stop", "length", "tool_calls"]


class ChatChoice(BaseModel):
    """One of n answers."""

    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: FinishReason


class ChatCompletion(BaseModel):
    """The whole response."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage
