"""Fields that several endpoints share, and what they are to the engine.

    class ChatRequest(SamplingFields): ...
    options = body.options()                          # for Scheduler.submit
    refuse_unsupported(data, UNSUPPORTED)             # before parsing

A field of OpenAI's API that is not supported is refused by name unless its value asks for
nothing. Numbers are bounded; nothing is converted: "1" is not 1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from qingyu.engine.constraint import Grammar
from qingyu.engine.request import Options
from qingyu.serve.problems import ApiError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.serve.service import Service

MAX_TOKENS = 1 << 20
MAX_CHOICES = 16
MAX_BIASES = 1024


def refuse_part(part: Any, known: Collection[str]) -> Any:
    """part, unless it is of a type that is not among the known: pictures, sound, files."""
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(kind, str) and kind not in known:
        raise PydanticCustomError(
            "unsupported",
            "{message}",
            {
                "message": pick(
                    f"a part of the type {kind[:40]!r} is not supported; only text is",
                    f"不支持类型为 {kind[:40]!r} 的部分；只支持文本",
                )
            },
        )
    return part


def _function_only(kind: Any) -> Any:
    if isinstance(kind, str) and kind != "function":
        raise PydanticCustomError(
            "unsupported",
            "{message}",
            {
                "message": pick(
                    f"the type {kind[:40]!r} is not supported; only function is",
                    f"不支持类型 {kind[:40]!r}；只支持 function",
                )
            },
        )
    return kind


# Of a tool, or of the choice of one.
FunctionType = Annotated[Literal["function"], BeforeValidator(_function_only)]


def contradiction(field: str, message: str) -> PydanticCustomError:
    """To raise when a field cannot be what it is beside another."""
    return PydanticCustomError("contradiction", "{message}", {"message": message, "field": field})


class Strict(BaseModel):
    """A part of a request: unknown fields and converted types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


Stop = Annotated[
    Annotated[str, Field(min_length=1, max_length=1024)]
    | Annotated[list[Annotated[str, Field(min_length=1, max_length=1024)]], Field(max_length=64)],
    Field(description="The text ends before the first of these."),
]


class JsonSchemaSpec(Strict):
    """A named schema, as OpenAI's response_format has it."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    description: str | None = None
    strict: bool | None = None


class TextFormat(Strict):
    """Free text."""

    type: Literal["text"]


class JsonObjectFormat(Strict):
    """Any JSON object."""

    type: Literal["json_object"]


class JsonSchemaFormat(Strict):
    """JSON that a schema describes; always exact."""

    type: Literal["json_schema"]
    json_schema: JsonSchemaSpec


class RegexFormat(Strict):
    """Text a regular expression matches (an addition to OpenAI's API)."""

    type: Literal["regex"]
    pattern: Annotated[str, Field(min_length=1, max_length=65536)]


class LarkFormat(Strict):
    """Text of a Lark grammar (an addition to OpenAI's API)."""

    type: Literal["lark"]
    grammar: Annotated[str, Field(min_length=1, max_length=262144)]


class ChoiceFormat(Strict):
    """One of several texts (an addition to OpenAI's API)."""

    type: Literal["choice"]
    choices: Annotated[
        list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=1024)
    ]


ResponseFormat = Annotated[
    TextFormat | JsonObjectFormat | JsonSchemaFormat | RegexFormat | LarkFormat | ChoiceFormat,
    Field(discriminator="type"),
]


def grammar_of(wanted: ResponseFormat | None) -> Grammar | None:
    """The grammar of a response format. Raises ConstraintError."""
    match wanted:
        case JsonObjectFormat():
            return Grammar.json_object()
        case JsonSchemaFormat():
            return Grammar.json_schema(wanted.json_schema.schema_)
        case RegexFormat():
            return Grammar.regex(wanted.pattern)
        case LarkFormat():
            return Grammar.lark(wanted.grammar)
        case ChoiceFormat():
            return Grammar.choice(wanted.choices)
        case _:
            return None


def _seed(value: Any) -> Any:
    """OpenAI's seeds may be negative; ours count from 0 to 2**64 - 1."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 0:
        return value + 2**64
    return value


class SamplingFields(Strict):
    """How tokens are chosen. Defaults are OpenAI's: temperature 1. top_k, min_p,
    repetition_penalty and deadline_seconds are additions to OpenAI's API."""

    model: Annotated[str, Field(max_length=512)] = "default"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=MAX_TOKENS)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    deadline_seconds: Annotated[float, Field(gt=0, le=86400)] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    prompt_cache_key: Annotated[str, Field(max_length=512)] | None = None

    @property
    def fairness_key(self) -> str:
        """Whose turn a request takes."""
        return self.safety_identifier or self.user or self.prompt_cache_key or ""

    def options(self) -> Options:
        """The engine's options; without anything said the model's own distribution."""
        temperature = 1.0 if self.temperature is None else self.temperature
        options: Options = {"temperature": temperature}
        if self.top_p is not None:
            options["top_p"] = self.top_p
        if self.top_k is not None:
            options["top_k"] = self.top_k
        if self.min_p is not None:
            options["min_p"] = self.min_p
        return options


class PenaltyFields(SamplingFields):
    """What the chat and completion endpoints have beyond that."""

    stop: Stop | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=10)] | None = None
    logit_bias: (
        Annotated[
            dict[
                Annotated[str, Field(pattern=r"^[0-9]{1,9}$")],
                Annotated[float, Field(ge=-100, le=100)],
            ],
            Field(max_length=MAX_BIASES),
        ]
        | None
    ) = None
    stream: bool | None = None

    def options(self) -> Options:
        options = super().options()
        if self.stop:
            options["stop"] = self.stop
        if self.seed is not None:
            options["seed"] = _seed(self.seed)
        if self.presence_penalty is not None:
            options["presence_penalty"] = self.presence_penalty
        if self.frequency_penalty is not None:
            options["frequency_penalty"] = self.frequency_penalty
        if self.repetition_penalty is not None:
            options["repetition_penalty"] = self.repetition_penalty
        if self.logit_bias:
            # OpenAI: -100 is a ban.
            options["logit_bias"] = {
                int(token): float("-inf") if bias == -100 else bias
                for token, bias in self.logit_bias.items()
            }
        return options


def no_obfuscation(wanted: bool) -> bool:
    """Padding against listeners on the network, of which there is none here."""
    if wanted:
        raise ValueError(pick("include_obfuscation is not supported", "不支持 include_obfuscation"))
    return wanted


class StreamOptions(Strict):
    """include_usage: a last chunk with the usage."""

    include_usage: bool | None = None
    include_obfuscation: Annotated[bool, AfterValidator(no_obfuscation)] | None = None


class PromptTokensDetails(BaseModel):
    """cached_tokens: of the prompt, how many were not computed again."""

    cached_tokens: int = 0


class CompletionTokensDetails(BaseModel):
    """What OpenAI's usage has; there is no hidden reasoning here."""

    reasoning_tokens: int = 0


class Usage(BaseModel):
    """Tokens of a request and its answers."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


def refuse_unsupported(data: Any, unsupported: Mapping[str, tuple[Any, ...]]) -> None:
    """Take out of data the fields that are known and whose value asks for nothing; raise
    ApiError for any other value of theirs. unsupported: field to its harmless values."""
    if not isinstance(data, dict):
        return
    for name in [name for name in data if name in unsupported]:
        value = data[name]
        harmless = unsupported[name]
        if any(value == one and type(value) is type(one) for one in harmless):
            del data[name]
            continue
        raise ApiError(
            400,
            pick(
                f"{name} is not supported by this server",
                f"本服务器不支持 {name}",
            ),
            param=name,
            code="unsupported_parameter",
        )


def check_model(wanted: str, service: Service) -> str | None:
    """The adapter that a model's name asks for, as "base:adapter"; None: the base alone.

    Raises ApiError 404 when it is neither the model that is here nor one of its adapters.
    """
    names = (service.name, *service.aliases)
    if wanted in names:
        return None
    base, _, adapter = wanted.rpartition(":")
    if base in names and adapter in service.model.adapters:
        return adapter
    served = ", ".join(repr(name) for name in service.model_names)
    raise ApiError(
        404,
        pick(
            f"the model {wanted[:100]!r} is not served here; {served} is",
            f"这里没有模型 {wanted[:100]!r}，只有 {served}",
        ),
        param="model",
        code="model_not_found",
    )
