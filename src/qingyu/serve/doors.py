"""Who may come in: checked before anything else of a request is looked at.

    app = Doors(app, service)

In this order, on every route but /health: the Host header must be a name of this server, or a
web page whose own name was pointed here (DNS rebinding) would get in; an Origin must be our own
or a listed one; then the token, compared in constant time. On loopback programs need no token,
but anything that comes out of a browser does: the page is given one of its own, which it sends as
Qingyu-Page-Token.

A browser asked for the page of a server with a token shows its password dialog: any user name,
and the token.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import json
import re
import secrets
import sys
import time
import traceback
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qingyu.errors import QingyuError
from qingyu.serve.problems import ApiError, error_response, from_qingyu, unexpected
from qingyu.serve.service import Service
from qingyu.serve.settings import host_name
from qingyu.text import pick

_OPEN = "/health"
_PAGES = ("/", "/assist")
PAGE_TOKEN = b"qingyu-page-token"
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
# Headers a page of a listed origin may send: names, and not without end.
_HEADER_NAMES = re.compile(r"[A-Za-z0-9_-]+(?:, ?[A-Za-z0-9_-]+){0,63}")
# On every response. None of it is for another site's page, not even as an image or a script.
PROTECTION = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Doors:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        settings = service.settings
        own = () if settings.unix is not None else (settings.host,)
        names = {host_name(name) for name in (*_LOCAL_NAMES, *settings.allow_hosts, *own)}
        # An address that means "all of them" is no name anybody could call.
        self._hosts = names - {"", "0.0.0.0", "[::]"}
        self._any_address = host_name(settings.host) in ("0.0.0.0", "[::]")
        self._origins = frozenset(origin.lower() for origin in settings.allow_origins)
        self._busy = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(send, self._service.seal_header)
        started = time.perf_counter()
        self._busy += 1
        try:
            headers = _Headers(scope["headers"])
            answer.origin = self._check(scope, headers)
            if answer.origin and scope["method"] == "OPTIONS":
                await answer.preflight(headers.one(b"access-control-request-headers"))
            else:
                await self._app(scope, receive, answer.send)
        except ApiError as error:
            await answer.fail(error, scope)
        except QingyuError as error:
            await answer.fail(from_qingyu(error), scope)
        except Exception:
            # What was asked is nobody's business; what went wrong is the maintainer's.
            traceback.print_exc(file=sys.stderr)
            await answer.fail(unexpected(), scope)
        finally:
            self._busy -= 1
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "other")
            self._service.metrics.answered(route, answer.status, seconds)
            if self._service.settings.log_requests:
                line = f"{scope['method']} {route} {answer.status} {seconds * 1000:.0f} ms"
                print(line, file=sys.stderr, flush=True)

    def _check(self, scope: Scope, headers: _Headers) -> str:
        """Raises ApiError; returns a foreign origin that is allowed, or ""."""
        if scope["path"] == _OPEN:
            return ""
        host = self._check_host(headers)
        origin = self._check_origin(headers, host)
        if self._busy > self._service.settings.limits.connections:
            raise ApiError(
                429,
                pick("too many requests at once", "同时请求过多"),
                kind="rate_limit_error",
                code="too_many_requests",
                headers={"Retry-After": "1"},
            )
        if not (origin and scope["method"] == "OPTIONS"):
            self._check_token(scope, headers)
        return origin

    def _check_host(self, headers: _Headers) -> str:
        given = headers.all(b"host")
        if len(given) != 1 or not given[0]:
            raise ApiError(
                400,
                pick("the request needs one Host header", "请求需要一个 Host 头"),
                code="host_missing",
            )
        host = given[0].lower()
        name = host_name(host, port=True)
        if name in self._hosts or (self._any_address and _is_address(name)):
            return host
        raise ApiError(
            403,
            pick(
                f"this server is not called {host[:100]!r}; if it should be, start it with"
                " --allow-host NAME",
                f"本服务器不叫 {host[:100]!r}；如应允许，请以 --allow-host 名称 启动",
            ),
            kind="permission_error",
            code="host_not_allowed",
        )

    def _check_origin(self, headers: _Headers, host: str) -> str:
        given = headers.all(b"origin")
        if not given:
            return ""
        origin = given[0].lower()
        if len(given) == 1 and origin in (f"http://{host}", f"https://{host}"):
            return ""
        if len(given) == 1 and origin in self._origins:
            return origin
        raise ApiError(
            403,
            pick(
                f"pages of {origin[:100]!r} may not use this server; if they should, start it"
                " with --allow-origin ORIGIN",
                f"{origin[:100]!r} 的页面不得使用本服务器；如应允许，请以 --allow-origin 来源 启动",
            ),
            kind="permission_error",
            code="origin_not_allowed",
        )

    def _check_token(self, scope: Scope, headers: _Headers) -> None:
        service = self._service
        token = service.settings.token
        on_page = scope["method"] in ("GET", "HEAD") and (
            scope["path"] in _PAGES or scope["path"].startswith("/page/")
        )
        browser = bool(headers.all(b"origin") or headers.all(b"sec-fetch-site"))
        if token is None and (on_page or not browser):
            return
        presented = headers.one(b"authorization")
        kind, _, secret = presented.partition(" ")
        if on_page and kind.lower() == "basic":
            secret = _password(secret)
        elif kind.lower() != "bearer":
            secret = ""
        # The page's has a header of its own: a proxy in front may want Authorization for itself.
        pairs = [(secret, token)] if token else []
        if not on_page:
            pairs.append((headers.one(PAGE_TOKEN), service.page_token))
        # All are compared, so that time tells nothing: a list, not a generator that stops early.
        matches = [hmac.compare_digest(one.encode(), right.encode()) for one, right in pairs]
        if any(matches):
            return
        challenge = 'Basic realm="Qingyu", charset="UTF-8"' if on_page else "Bearer"
        raise ApiError(
            401,
            pick(
                "this request needs the server's token: Authorization: Bearer TOKEN",
                "请求需要服务器的令牌：Authorization: Bearer TOKEN",
            ),
            kind="authentication_error",
            code="invalid_api_key" if presented else "missing_api_key",
            headers={"WWW-Authenticate": challenge},
        )


class _Headers:
    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = list(raw)

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1").strip() for key, value in self._raw if key == name]

    def one(self, name: bytes) -> str:
        found = self.all(name)
        return found[0] if len(found) == 1 else ""


class _Answer:
    """The response on its way out: adds headers, and knows whether it has begun."""

    def __init__(self, send: Send, seal: str) -> None:
        self._send = send
        self._seal = seal.encode("latin-1", "replace")
        self.origin = ""
        self.status = 499  # the client went away before there was one

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = {key.lower() for key, _ in message["headers"]}
            extra = [one for one in PROTECTION if one[0] not in present]
            extra += [
                (b"qingyu-seal", self._seal),
                (b"x-request-id", secrets.token_hex(8).encode()),
            ]
            if self.origin:
                extra += [
                    (b"access-control-allow-origin", self.origin.encode()),
                    (b"access-control-expose-headers", b"qingyu-seal, x-request-id, retry-after"),
                    (b"vary", b"Origin"),
                ]
            message["headers"] = [*message["headers"], *extra]
        await self._send(message)

    async def preflight(self, wanted: str) -> None:
        """What a browser asks before a page of an allowed origin may ask anything. wanted: the
        headers it will send; OpenAI's own client for browsers has a dozen."""
        if not _HEADER_NAMES.fullmatch(wanted):
            wanted = "authorization, content-type"
        headers = [
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", wanted.encode()),
            (b"access-control-max-age", b"600"),
        ]
        await self.send({"type": "http.response.start", "status": 204, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})

    async def fail(self, error: ApiError, scope: Scope) -> None:
        if self.status == 499:

            async def nothing() -> Message:
                return {"type": "http.disconnect"}

            await error_response(error)(scope, nothing, self.send)
            return
        # In the middle of a stream: say so, and end it.
        body = f"data: {json.dumps(error.body, ensure_ascii=False)}\n\n".encode()
        await self._send({"type": "http.response.body", "body": body})


def _password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[2]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
