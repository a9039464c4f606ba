"""The small endpoints: health, models, tokens, metrics, seal.

Route("/health", health)

"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qingyu.serve.answers import off_loop
from qingyu.serve.chat_schema import MAX_MESSAGES, Message
from qingyu.serve.fields import Strict, check_model
from qingyu.serve.limits import parse, read_json
from qingyu.serve.metrics import CONTENT_TYPE
from qingyu.serve.problems import ApiError
from qingyu.serve.service import Service
from qingyu.text import pick


class Health(BaseModel):
    """ok once requests are answered."""

    status: Literal["ok", "loading"]
    model: str | None
    sealed: bool


class ModelCard(BaseModel):
    """A model, as OpenAI lists it, and what it is. parent: with an adapter, the model it is for;
    rank: that of the adapter."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    parent: str | None
    rank: int | None
    context: int
    parameters: int
    family: str
    file_bytes: int
    weight_bytes: int
    kv_total_tokens: int
    threads: int
    instruction_set: str


class ModelList(BaseModel):
    """The models served here: one, and that one with each adapter."""

    object: Literal["list"]
    data: list[ModelCard]


class TokenizeRequest(Strict):
    """A text, or a conversation as the chat template writes it. special: control tokens
    written in the text become what they name."""

    text: Annotated[str, Field(max_length=4 << 20)] | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)] | None = None
    special: bool = False

    @model_validator(mode="after")
    def _one(self) -> TokenizeRequest:
        if (self.text is None) == (self.messages is None):
            raise ValueError(pick("give text or messages", "请给出 text 或 messages 之一"))
        return self


class Tokens(BaseModel):
    """Token ids and how many."""

    tokens: list[int]
    count: int


class DetokenizeRequest(Strict):
    """Token ids."""

    tokens: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(max_length=1 << 20)]


class Text(BaseModel):
    """The text of token ids."""

    text: str


class SealState(BaseModel):
    """What keeps connections from being opened, and the proof."""

    sealed: bool
    summary: str
    layers: list[dict[str, Any]]
    probes: dict[str, Any] | None


async def health(request: Request) -> Response:
    """Needs no token, says nothing secret. 503 until the model is loaded."""
    service: Service = request.app.state.service
    ready = service.engine is not None
    body = {
        "status": "ok" if ready else "loading",
        "model": service.name if ready else None,
        "sealed": service.sealed,
    }
    return JSONResponse(body, 200 if ready else 503)


async def list_models(request: Request) -> Response:
    """The one model, and it with each adapter."""
    service: Service = request.app.state.service
    cards = [_card(service, adapter) for adapter in (None, *service.model.adapters)]
    return JSONResponse({"object": "list", "data": cards})


async def show_model(request: Request) -> Response:
    """One of them, by its name."""
    service: Service = request.app.state.service
    service.ready()
    return JSONResponse(_card(service, check_model(request.path_params["model"], service)))


def _card(service: Service, adapter: str | None) -> dict[str, Any]:
    info = service.model.info
    return {
        "id": service.name_with(adapter),
        "object": "model",
        "created": int(service.started),
        "owned_by": "qingyu",
        "parent": None if adapter is None else service.name,
        "rank": None if adapter is None else service.model.adapters[adapter].rank,
        "context": info.context,
        "parameters": info.parameters,
        "family": info.family,
        "file_bytes": info.file_bytes,
        "weight_bytes": info.weight_bytes,
        "kv_total_tokens": info.kv_tokens,
        "threads": info.threads,
        "instruction_set": info.instruction_set,
    }


async def tokenize(request: Request) -> Response:
    """Text to token ids."""
    service: Service = request.app.state.service
    model = service.model
    body = parse(TokenizeRequest, await read_json(request, service.settings.limits))
    text, messages = body.text, body.messages
    if text is not None:
        tokens = await off_loop(len(text), lambda: model.tokenize(text, special=body.special))
    else:
        listed = [message.for_template() for message in messages or ()]
        size = sum(len(message["content"]) for message in listed)
        tokens = await off_loop(size, lambda: model.chat_tokens(listed))
    return JSONResponse({"tokens": tokens, "count": len(tokens)})


async def detokenize(request: Request) -> Response:
    """Token ids to text."""
    service: Service = request.app.state.service
    model = service.model
    body = parse(DetokenizeRequest, await read_json(request, service.settings.limits))
    most = model.tokenizer.vocab_size
    for place, token in enumerate(body.tokens):
        if token >= most:
            raise ApiError(
                400,
                pick(
                    f"the token {token} is not in the vocabulary of {most}",
                    f"词元 {token} 不在大小为 {most} 的词表中",
                ),
                param=f"tokens.{place}",
                code="invalid_value",
            )
    return JSONResponse({"text": model.detokenize(body.tokens)})


async def metrics(request: Request) -> Response:
    """For Prometheus."""
    service: Service = request.app.state.service
    text = service.metrics.render(
        service.scheduler.stats(),
        weight_bytes=service.model.info.weight_bytes,
        sealed=service.sealed,
    )
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


async def seal_state(request: Request) -> Response:
    """The seal, its layers, and the probe table if it was made."""
    service: Service = request.app.state.service
    return JSONResponse({**service.seal, "probes": service.probes})
