"""The server as an ASGI application: one table of routes, behind the doors.

    app = build_app(service)

Everything a caller can reach is in `routes`, and everything but /health is behind `Doors`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from qingyu.serve import assist, basics, page
from qingyu.serve.chat import chat_completions
from qingyu.serve.chat_schema import ChatCompletion, ChatRequest
from qingyu.serve.completions import completions
from qingyu.serve.completions_schema import Completion, CompletionRequest
from qingyu.serve.doors import Doors
from qingyu.serve.openapi import Operation, describe
from qingyu.serve.problems import ApiError, error_response
from qingyu.serve.responses import create_response
from qingyu.serve.responses_schema import ResponseObject, ResponsesRequest
from qingyu.serve.service import Service
from qingyu.text import pick


def routes(*, assists: bool = False) -> list[Route]:
    """Every route there is. assists: with those of a household."""
    return [
        *(assist.routes() if assists else ()),
        Route("/", show_page),
        Route("/page/{name}", show_asset),
        Route("/health", basics.health),
        Route("/metrics", basics.metrics),
        Route("/seal", basics.seal_state),
        Route("/openapi.json", show_description),
        Route("/tokenize", basics.tokenize, methods=["POST"]),
        Route("/detokenize", basics.detokenize, methods=["POST"]),
        Route("/v1/models", basics.list_models),
        Route("/v1/models/{model:path}", basics.show_model),
        Route("/v1/chat/completions", chat_completions, methods=["POST"]),
        Route("/v1/completions", completions, methods=["POST"]),
        Route("/v1/responses", create_response, methods=["POST"]),
    ]


OPERATIONS = (
    Operation(
        path="/health",
        method="get",
        summary="Whether requests are answered",
        response=basics.Health,
        open=True,
        statuses=("200", "503"),
    ),
    Operation(path="/v1/models", method="get", summary="The model", response=basics.ModelList),
    Operation(
        path="/v1/models/{model}",
        method="get",
        summary="The model by name",
        response=basics.ModelCard,
    ),
    Operation(
        path="/v1/chat/completions",
        method="post",
        summary="The next message of a conversation",
        request=ChatRequest,
        response=ChatCompletion,
        streams=True,
    ),
    Operation(
        path="/v1/completions",
        method="post",
        summary="A text goes on",
        request=CompletionRequest,
        response=Completion,
        streams=True,
    ),
    Operation(
        path="/v1/responses",
        method="post",
        summary="A response; nothing is stored",
        request=ResponsesRequest,
        response=ResponseObject,
        streams=True,
    ),
    Operation(
        path="/tokenize",
        method="post",
        summary="Text to token ids",
        request=basics.TokenizeRequest,
        response=basics.Tokens,
    ),
    Operation(
        path="/detokenize",
        method="post",
        summary="Token ids to text",
        request=basics.DetokenizeRequest,
        response=basics.Text,
    ),
    Operation(
        path="/seal", method="get", summary="What locks the server", response=basics.SealState
    ),
    Operation(path="/metrics", method="get", summary="For Prometheus", content_type="text/plain"),
)


def build_app(service: Service) -> Doors:
    """The application for one service."""
    app = _Application(routes=routes(assists=service.assists))
    # A path with a slash too many is another path, not a redirect.
    app.router.redirect_slashes = False
    app.state.service = service
    return Doors(app, service)


class _Application(Starlette):
    """Without Starlette's own answer to what no handler expected: `Doors` has that."""

    def build_middleware_stack(self) -> ASGIApp:
        return ExceptionMiddleware(
            self.router, handlers={HTTPException: _http_error, ApiError: _api_error}
        )


async def show_page(request: Request) -> Response:
    """The web page."""
    return page.page(request.app.state.service)


async def show_asset(request: Request) -> Response:
    """A file of the web page."""
    return page.asset(request.path_params["name"], request.headers.get("if-none-match"))


async def show_description(request: Request) -> Response:
    """The OpenAPI description."""
    return JSONResponse(_description(request.app.state.service.assists))


@cache
def _description(assists: bool) -> dict[str, Any]:
    return describe((*OPERATIONS, *assist.OPERATIONS) if assists else OPERATIONS)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error)


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such route, or not this method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        message = pick(
            f"{request.url.path} does not take {request.method}",
            f"{request.url.path} 不接受 {request.method}",
        )
    else:
        message = pick(
            f"there is nothing at {request.url.path[:200]}",
            f"{request.url.path[:200]} 处没有内容",
        )
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code)
    return error_response(ApiError(error.status_code, message, code=code, headers=error.headers))
