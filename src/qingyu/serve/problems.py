"""Errors as OpenAI's clients expect them: {"error": {message, type, param, code}} and a status.

    raise ApiError(400, "n is 99; it must be 1 to 16", param="n")
    error_response(from_qingyu(error))

Every error a handler can meet becomes one of these; nothing internal is ever shown.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from qingyu.errors import (
    ContextFullError,
    DeadlineError,
    InvalidRequestError,
    OutOfMemoryError,
    QingyuError,
    QueueFullError,
    TemplateError,
)
from qingyu.text import pick


class ApiError(Exception):
    """An answer that is an error. param: the field at fault, as "messages.0.role"."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The error object."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def from_qingyu(error: QingyuError, *, param: str | None = None) -> ApiError:
    """What an error of the engine is to a client."""
    message = str(error)
    if isinstance(error, ContextFullError):
        return ApiError(400, message, param=param or "messages", code="context_length_exceeded")
    if isinstance(error, QueueFullError):
        return ApiError(
            429,
            message,
            kind="rate_limit_error",
            code="queue_full",
            headers={"Retry-After": str(error.retry_after)},
        )
    if isinstance(error, DeadlineError):
        # OpenAI's clients repeat what got a 408 unless told otherwise; this would run out again.
        return ApiError(
            408,
            message,
            kind="timeout_error",
            code="deadline_exceeded",
            headers={"X-Should-Retry": "false"},
        )
    if isinstance(error, OutOfMemoryError):
        return ApiError(
            503,
            message,
            kind="server_error",
            code="out_of_memory",
            headers={"Retry-After": "5"},
        )
    if isinstance(error, InvalidRequestError):
        return ApiError(400, message, param=error.param or param, code="invalid_value")
    if isinstance(error, TemplateError):
        return ApiError(400, message, param=param, code="invalid_value")
    return ApiError(500, message, kind="server_error", code="engine_error")


@contextlib.contextmanager
def about(field: str) -> Iterator[None]:
    """What turns out to be invalid within is an error that names the field."""
    try:
        yield
    except InvalidRequestError as error:
        raise from_qingyu(error, param=field) from None


def unexpected() -> ApiError:
    """A bug of ours; the traceback is on the server's stderr."""
    return ApiError(
        500,
        pick("the server failed; its log says why", "服务器出错；原因见其日志"),
        kind="server_error",
        code="internal_error",
    )


def error_response(error: ApiError) -> Response:
    """The error as an HTTP response."""
    return Response(
        json.dumps(error.body, ensure_ascii=False).encode("utf-8", "backslashreplace"),
        status_code=error.status,
        media_type="application/json",
        headers=error.headers,
    )
