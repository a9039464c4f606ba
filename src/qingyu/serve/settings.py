"""How the server listens, whom it answers, and its limits.

    ServeSettings(port=8317, token="a secret of 16 letters or more")
    host_name("[0:0::1]:8317", port=True)        # "[::1]"

Knows neither models nor HTTP.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from qingyu.errors import InvalidRequestError
from qingyu.text import pick

DEFAULT_PORT = 8317
_SHORTEST_TOKEN = 16
_TOKEN = re.compile(r"[!-~]+")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_WITH_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@*\s]+", re.IGNORECASE)


def host_name(text: str, *, port: bool = False) -> str:
    """The one spelling of a host's name or address: small letters, IPv6 short and in brackets;
    "" when it is none. port: whether one may follow, which is left out."""
    text = text.lower()
    if port:
        found = _WITH_PORT.fullmatch(text)
        text = found[1] if found else ""
        if ":" in text and not text.startswith("["):
            return ""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare:
        try:
            return f"[{ipaddress.IPv6Address(bare).compressed}]"
        except ValueError:
            return ""
    return text if _NAME.fullmatch(text) else ""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what one request may be. Sizes in bytes, times in seconds.

    json_depth, json_containers: how deep lists and objects may lie, and how many there may be:
    each takes some ten times the memory of its text. head_seconds: for the head of a request.
    stall_seconds: for a client that takes nothing of its answer.
    """

    body_bytes: int = 8 << 20
    body_seconds: float = 30.0
    head_seconds: float = 10.0
    stall_seconds: float = 60.0
    json_depth: int = 96
    json_containers: int = 100_000
    request_seconds: float = 600.0
    connections: int = 256


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Where to listen and who may come in.

    host, port: a TCP address; port 0 takes a free one. unix: a socket file instead.
    token: what callers must present; None: none is asked for (loopback and UNIX only).
    expose: whether an address that is not loopback is meant.
    allow_hosts, allow_origins: names besides localhost, and web pages besides our own.

    Raises InvalidRequestError for what would not be safe.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    unix: Path | None = None
    token: str | None = field(default=None, repr=False)
    expose: bool = False
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    log_requests: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidRequestError(
                pick(
                    f"port is {self.port}; it must be 0 to 65535",
                    f"port 为 {self.port}；应在 0 到 65535 之间",
                )
            )
        if self.token is not None and (
            len(self.token) < _SHORTEST_TOKEN or not _TOKEN.fullmatch(self.token)
        ):
            raise InvalidRequestError(
                pick(
                    f"the token must be at least {_SHORTEST_TOKEN} ASCII characters without"
                    " spaces; make one with: openssl rand -hex 24",
                    f"令牌至少 {_SHORTEST_TOKEN} 个 ASCII 字符且不含空格；"
                    "可用 openssl rand -hex 24 生成",
                )
            )
        self._check_names()
        if self.unix is not None or self.loopback:
            if self.expose:
                raise InvalidRequestError(
                    pick(
                        "--expose is for an address other machines can reach, as --host 0.0.0.0;"
                        " without one it does nothing",
                        "--expose 用于其他机器可访问的地址，如 --host 0.0.0.0；否则不起作用",
                    )
                )
            return
        if not self.expose:
            raise InvalidRequestError(
                pick(
                    f"{self.host} can be reached from other machines; if that is meant, add"
                    " --expose and a token (--token-file or QINGYU_TOKEN)",
                    f"{self.host} 可从其他机器访问；如确有此意，请加 --expose 和令牌"
                    "（--token-file 或 QINGYU_TOKEN）",
                )
            )
        if self.token is None:
            raise InvalidRequestError(
                pick(
                    "--expose needs a token: --token-file FILE, or QINGYU_TOKEN",
                    "--expose 需要令牌：--token-file FILE 或 QINGYU_TOKEN",
                )
            )

    def _check_names(self) -> None:
        """What could never match a request is a mistake, not a setting."""
        if self.unix is None and ("[" in self.host or not host_name(self.host)):
            raise InvalidRequestError(
                pick(
                    f"--host {self.host!r} is no address; write it as 127.0.0.1 or ::1",
                    f"--host {self.host!r} 不是地址；请写作 127.0.0.1 或 ::1",
                )
            )
        for name in self.allow_hosts:
            if not host_name(name):
                raise InvalidRequestError(
                    pick(
                        f"--allow-host {name!r} is no name; write it without a scheme and a port,"
                        " as home.example",
                        f"--allow-host {name!r} 不是名称；请不带协议和端口，如 home.example",
                    )
                )
        for origin in self.allow_origins:
            if not _ORIGIN.fullmatch(origin):
                raise InvalidRequestError(
                    pick(
                        f"--allow-origin {origin!r} is no origin; write it as"
                        " https://chat.example, without a path; there is no wildcard",
                        f"--allow-origin {origin!r} 不是来源；请写作 https://chat.example，"
                        "不带路径；不支持通配符",
                    )
                )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
