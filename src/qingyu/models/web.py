"""One GET from a stranger's server: redirects that are allowed, answers that are not a file.

    with ask(client, url, headers, limit=10) as reply:
        reply.response.status_code, reply.linked

Redirects are followed by hand, to http and https only, never from https to http, and never with
the token to another server. Knows nothing of files and retries; that is `download.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from qingyu.errors import DownloadError
from qingyu.text import pick

if TYPE_CHECKING:
    import httpx

_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class TransientError(Exception):
    """Worth another try. after: seconds the server asks to wait; answered: whether one did."""

    def __init__(self, reason: str, after: float | None = None, *, answered: bool = True) -> None:
        super().__init__(reason)
        self.after = after
        self.answered = answered


@dataclass
class Reply:
    """An answer after redirects, its body not read yet.

    linked, linked_size: the hub's own name (ETag) and size of the content, "" and None when it
    gives none. What a server that it redirected to says of itself does not count.
    """

    response: httpx.Response
    linked: str = ""
    linked_size: int | None = None


def number(text: str | None) -> int | None:
    """A count in a header, or None when there is none or it is not one."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def strong_etag(text: str | None) -> str:
    """An ETag that stands for exactly these bytes, else ""."""
    return text if text and text.startswith('"') and len(text) < 400 else ""


def content_range(text: str | None) -> tuple[int, int] | None:
    """First byte and total of `bytes 5-9/10`."""
    unit, _, rest = (text or "").partition(" ")
    span, _, total = rest.partition("/")
    begin, _, end = span.partition("-")
    first, last, size = number(begin), number(end), number(total)
    if unit != "bytes" or first is None or last is None or size is None or last != size - 1:
        return None
    return first, size


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def check_redirect(source: str, location: str) -> str:
    """The address a redirect leads to. Only http(s), and not from https to http.

    Raises DownloadError.
    """
    try:
        target = urljoin(source, location)
        scheme, host, _ = _origin(target)
    except ValueError:
        target, scheme, host = location, "", None
    if scheme not in ("http", "https") or not host:
        raise DownloadError(
            pick(
                f"{shown(source)} redirects to {target[:200]!r}, not to http or https; refused",
                f"{shown(source)} 重定向到 {target[:200]!r}，不是 http 或 https，已拒绝",
            )
        )
    if urlsplit(source).scheme == "https" and scheme == "http":
        raise DownloadError(
            pick(
                f"{shown(source)} redirects from https to unprotected http; refused",
                f"{shown(source)} 从 https 重定向到不加密的 http，已拒绝",
            )
        )
    return target


def shown(url: str) -> str:
    """An address for people: without user, password, and signatures in the query."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


@contextmanager
def ask(client: httpx.Client, url: str, headers: dict[str, str], limit: int) -> Iterator[Reply]:
    """The answer to a GET after at most `limit` redirects."""
    import httpx

    hub, hub_linked, linked_size = _origin(url), "", None
    for _ in range(limit + 1):
        request = client.build_request("GET", url, headers=headers)
        try:
            response = client.send(request, stream=True)
        except httpx.InvalidURL as error:  # httpx looks at the redirect, though it does not follow
            raise DownloadError(
                pick(
                    f"{shown(url)} redirects to something that is no address; refused",
                    f"{shown(url)} 重定向到的不是有效地址，已拒绝",
                )
            ) from error
        try:
            if not hub_linked and _origin(url) == hub:
                hub_linked = response.headers.get("x-linked-etag", "")
                linked_size = number(response.headers.get("x-linked-size"))
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or not location:
                yield Reply(response, hub_linked, linked_size)
                return
        finally:
            response.close()
        target = check_redirect(url, location)
        if _origin(target) != _origin(url):
            headers = {name: value for name, value in headers.items() if name != "Authorization"}
        url = target
    raise DownloadError(
        pick(
            f"{shown(url)}: more than {limit} redirects; refused",
            f"{shown(url)}：重定向超过 {limit} 次，已拒绝",
        )
    )


def refuse_status(status: int, url: str, after: str | None) -> None:
    """Raise for an answer that is not a file."""
    where = f"{shown(url)} (HTTP {status})"
    if status in _TRANSIENT:
        seconds = number(after)
        raise TransientError(f"HTTP {status}", None if seconds is None else float(seconds))
    if status in (401, 403):
        raise DownloadError(
            pick(
                f"{where}: not allowed. If the repository asks for an agreement, accept it on its"
                " page, then set HF_TOKEN to your access token",
                f"{where}：没有权限。如果仓库要求同意协议，请先在其页面上同意，"
                "再将 HF_TOKEN 设为您的访问令牌",
            )
        )
    if status in (404, 410):
        raise DownloadError(
            pick(
                f"{where}: no such file; check owner, repository and file name",
                f"{where}：没有这个文件；请检查所有者、仓库和文件名",
            )
        )
    raise DownloadError(pick(f"{where}: the server refused", f"{where}：服务器拒绝了请求"))
