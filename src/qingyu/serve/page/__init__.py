"""The web pages: two HTML files and some scripts, served as they lie in this folder.

    response = page(service)                         # for "/": the page with its own token
    response = page(service, "assist.html")          # for "/assist"
    response = asset("main.js", if_none_match=None)  # for "/page/main.js"

There is no build step, and nothing on the page comes from another host. This module knows
neither who may ask (`doors` decides) nor what the scripts do. An asset holds nothing secret;
the page itself holds the token its scripts send, so it is never kept in a cache.
"""

from __future__ import annotations

import hashlib
import html
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from qingyu.serve.problems import ApiError, error_response
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.serve.service import Service

# The page shows text of a model and of strangers' files. Should a mistake ever let some of it
# through as markup, the browser still runs no script and loads nothing that is not in this folder.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

# Every file that may be asked for. A name that is not here is never looked up on the disk.
ASSETS = (
    "style.css",
    "frame.css",
    "messages.css",
    "prose.css",
    "composer.css",
    "dialogs.css",
    "assist.css",
    "assist_tiles.css",
    "icon.svg",
    "early.js",
    "main.js",
    "api.js",
    "assist.js",
    "assist_devices.js",
    "assist_lists.js",
    "assist_pictures.js",
    "assist_talk.js",
    "assist_tiles.js",
    "assist_words.js",
    "chat.js",
    "composer.js",
    "conversation.js",
    "dom.js",
    "highlight.js",
    "icons.js",
    "json.js",
    "markdown.js",
    "messages.js",
    "panels.js",
    "settings.js",
    "sidebar.js",
    "store.js",
    "switches.js",
    "words.js",
)


PAGES = ("index.html", "assist.html")


def page(service: Service, name: str = "index.html") -> Response:
    """A page of `PAGES`, with the token its scripts send and what they need to know at once."""
    # While the model still loads the page is there already, and says so.
    settings: dict[str, Any] = {"model": _model_name(service) if service.engine else None}
    if service.assists:
        settings["assist"] = True
    text = _read(name).decode()
    text = text.replace("{{token}}", html.escape(service.page_token))
    text = text.replace("{{settings}}", html.escape(json.dumps(settings, ensure_ascii=False)))
    return Response(
        text,
        media_type="text/html; charset=utf-8",
        headers={
            **_ALWAYS,
            "Cache-Control": "no-store",
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Cross-Origin-Opener-Policy": "same-origin",
        },
    )


def _model_name(service: Service) -> str:
    """The model's file says more to a person than "default"."""
    path = service.model.info.path
    return path.stem if path else service.name


def asset(name: str, if_none_match: str | None = None) -> Response:
    """One file of the page; 304 when the browser's copy (`If-None-Match`) is this one, else 404."""
    if name not in ASSETS:
        message = pick(f"the page has no file {name!r}", f"页面没有文件 {name!r}")
        return error_response(ApiError(404, message, code="not_found"))
    tag = _tag(name)
    headers = {**_ALWAYS, "Cache-Control": "no-cache", "ETag": tag}
    if if_none_match is not None and tag in (part.strip() for part in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(_read(name), media_type=_TYPES[name.rpartition(".")[2]], headers=headers)


@cache
def _read(name: str) -> bytes:
    # Kept in memory: once the process is sealed it may not open files of the package any more.
    return (files("qingyu.serve.page") / name).read_bytes()


@cache
def _tag(name: str) -> str:
    return f'"{hashlib.sha256(_read(name)).hexdigest()[:24]}"'


def load() -> None:
    """Read every file now: a sealed process may not be able to later."""
    for name in (*ASSETS, *PAGES):
        _read(name)
