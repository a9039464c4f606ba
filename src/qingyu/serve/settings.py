"""How the server listens, whom it answers, and its limits.

    ServeSettings(port=8317, token="secret").checked()

Knows neither models nor HTTP.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from qingyu.errors import InvalidRequestError
from qingyu.text import pick

DEFAULT_PORT = 8317
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what one request may be. Sizes in bytes, times in seconds."""

    body_bytes: int = 8 << 20
    body_seconds: float = 30.0
    head_seconds: float = 10.0
    json_depth: int = 96
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
    token: str | None = None
    expose: bool = False
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    require_seal: bool = False
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
            len(self.token) < _SHORTEST_TOKEN or not self.token.isascii() or " " in self.token
        ):
            raise InvalidRequestError(
                pick(
                    f"the token must be at least {_SHORTEST_TOKEN} ASCII characters without"
                    " spaces; make one with: openssl rand -hex 24",
                    f"令牌至少 {_SHORTEST_TOKEN} 个 ASCII 字符且不含空格；"
                    "可用 openssl rand -hex 24 生成",
                )
            )
        if self.unix is not None or self.loopback:
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

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
