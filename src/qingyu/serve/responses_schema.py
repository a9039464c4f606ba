"""What /v1/responses takes and gives. Nothing is stored: every request brings all of it.

body = parse(ResponsesRequest, data)
body.messages()                              # as the chat endpoint has them
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Discriminator, Field, Tag, model_validator

from qingyu.serve.chat_schema import MAX_MESSAGES
from qingyu.serve.fields import (
    MAX_TOKENS,
    FunctionType,
    JsonObjectFormat,
    SamplingFields,
    Strict,
    TextFormat,
    no_obfuscation,
    refuse_part,
)

UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "access_programs": (None,),
    "background": (None, False),
    "background_options": (None,),
    "context_management": (None,),
    "conversation": (None,),
    "image": (None,),
    "max_tool_calls": (None,),
    "moderation": (None,),
    "previous_response_id": (None,),
    "prompt": (None,),
    "prompt_cache_options": (None,),
    "prompt_cache_retention": (None,),
    "reasoning": (None, {}),
    "service_tier": (None, "auto", "default"),
    "store": (None, False),
    "truncation": (None, "disabled"),
}

Status = Literal["in_progress", "completed", "incomplete"]


class InputText(Strict):
    """Text somebody else wrote."""

    type: Literal["input_text"]
    text: str

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, part: Any) -> Any:
        return refuse_part(part, ("input_text", "output_text"))


class OutputText(Strict):
    """Text of an earlier answer, as it was given."""

    type: Literal["output_text"]
    text: str
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None
    logprobs: list[Any] | None = None


class InputMessage(Strict):
    """A message."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: (
        str
        | Annotated[
            list[InputText | OutputText],
            Field(min_length=1, max_length=1024),
        ]
    )
    id: Annotated[str, Field(max_length=128)] | None = None
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class InputCall(Strict):
    """A call of an earlier answer."""

    type: Literal["function_call"]
    call_id: Annotated[str, Field(max_length=128)]
    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str
    id: Annotated[str, Field(max_length=128)] | None = None
    status: Status | None = None


class InputCallOutput(Strict):
    """What a call gave."""

    type: Literal["function_call_output"]
    call_id: Annotated[str, Field(max_length=128)]
    output: str | Annotated[list[InputText], Field(min_length=1, max_length=1024)]
    id: Annotated[str, Field(max_length=128)] | None = None
    status: Status | None = None


def _kind(item: Any) -> str | None:
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", None)
    return kind if isinstance(kind, str) else None


Item = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[InputCall, Tag("function_call")]
    | Annotated[InputCallOutput, Tag("function_call_output")],
    Discriminator(
        _kind,
        custom_error_type="unsupported",
        custom_error_message="must be a message, function_call or function_call_output",
    ),
]


class SchemaFormat(Strict):
    """JSON that a schema describes; always exact."""

    type: Literal["json_schema"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    description: str | None = None
    strict: bool | None = None


class TextOptions(Strict):
    """What the answer's text must be."""

    format: (
        Annotated[TextFormat | JsonObjectFormat | SchemaFormat, Field(discriminator="type")] | None
    ) = None
    verbosity: Literal["medium"] | None = None


class FunctionTool(Strict):
    """A function the model may call. Arguments always follow the schema, strict or not."""

    type: FunctionType
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: Annotated[str, Field(max_length=65536)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionChoice(Strict):
    """The one function that must be called."""

    type: FunctionType
    name: Annotated[str, Field(min_length=1, max_length=64)]


class ResponseStreamOptions(Strict):
    """Nothing that has an effect here."""

    include_obfuscation: Annotated[bool, AfterValidator(no_obfuscation)] | None = None


class ResponsesRequest(SamplingFields):
    """A request for a response."""

    input: str | Annotated[list[Item], Field(min_length=1, max_length=MAX_MESSAGES)]
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    text: TextOptions | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | FunctionChoice | None = None
    parallel_tool_calls: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    include: (
        Annotated[list[Literal["message.output_text.logprobs"]], Field(max_length=8)] | None
    ) = None
    metadata: (
        Annotated[
            dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
            Field(max_length=16),
        ]
        | None
    ) = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None

    @property
    def wants_logprobs(self) -> bool:
        return bool(self.include) or self.top_logprobs is not None

    def messages(self) -> list[dict[str, Any]]:
        """The conversation as the chat endpoint has it."""
        return list(self._messages())

    def _messages(self) -> Iterator[dict[str, Any]]:
        if self.instructions:
            yield {"role": "system", "content": self.instructions}
        if isinstance(self.input, str):
            yield {"role": "user", "content": self.input}
            return
        calls: list[dict[str, Any]] = []
        for item in self.input:
            if isinstance(item, InputCall):
                function = {"name": item.name, "arguments": item.arguments}
                calls.append({"id": item.call_id, "type": "function", "function": function})
                continue
            if calls:
                yield {"role": "assistant", "content": "", "tool_calls": calls}
                calls = []
            if isinstance(item, InputCallOutput):
                text = _joined(item.output)
                yield {"role": "tool", "content": text, "tool_call_id": item.call_id}
            else:
                role = "system" if item.role == "developer" else item.role
                yield {"role": role, "content": _joined(item.content)}
        if calls:
            yield {"role": "assistant", "content": "", "tool_calls": calls}


def _joined(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


class InputTokensDetails(BaseModel):
    """Of the prompt's tokens, those not computed again."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(BaseModel):
    """There is no hidden reasoning here."""

    reasoning_tokens: int


class ResponseUsage(BaseModel):
    """Tokens of the request and its response."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseObject(BaseModel):
    """The response. output: messages and function calls, in order."""

    id: str
    object: Literal["response"]
    created_at: float
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    error: dict[str, Any] | None
    incomplete_details: dict[str, Any] | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[dict[str, Any]]
    parallel_tool_calls: bool
    previous_response_id: None
    store: Literal[False]
    temperature: float
    text: dict[str, Any]
    tool_choice: Any
    tools: list[dict[str, Any]]
    top_p: float
    truncation: Literal["disabled"]
    usage: ResponseUsage | None
