"""Opens the socket the server listens on: before anything else, and before the seal.

    with Listener.open(settings) as listener: ...

Imports next to nothing: what is imported may start threads, and the seal's first part wants none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from qingyu.errors import InvalidRequestError
from qingyu.serve.settings import ServeSettings
from qingyu.text import pick

_BACKLOG = 512


class Listener:
    """A listening socket; `url` is how to reach it."""

    def __init__(self, listening: socket.socket, url: str, path: Path | None) -> None:
        self.socket = listening
        self.url = url
        self._path = path

    @classmethod
    def open(cls, settings: ServeSettings) -> Listener:
        """Listen where the settings say. Raises InvalidRequestError when that cannot be."""
        if settings.unix is not None:
            return cls._open_unix(settings.unix)
        host = settings.host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, settings.port), family=family, backlog=_BACKLOG)
        except (OSError, UnicodeError) as error:
            raise _cannot_listen(f"{host}:{settings.port}", error, settings.port) from None
        port = listening.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        return cls(listening, f"http://{name}:{port}", None)

    @classmethod
    def _open_unix(cls, path: Path) -> Listener:
        _remove_dead_socket(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Nobody else may connect, from the first moment on.
        mask = os.umask(0o177)
        try:
            listening.bind(str(path))
        except OSError as error:
            listening.close()
            raise _cannot_listen(str(path), error, None) from None
        finally:
            os.umask(mask)
        listening.listen(_BACKLOG)
        return cls(listening, f"unix:{path}", path)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()


def _remove_dead_socket(path: Path) -> None:
    """A server that was killed leaves its socket file; one that runs answers on it."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise InvalidRequestError(
                pick(f"{path} exists and is no socket", f"{path} 已存在且不是套接字")
            )
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError as error:
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                with contextlib.suppress(OSError):
                    path.unlink()
                return
    raise InvalidRequestError(
        pick(f"another server listens on {path}", f"另一个服务器正在监听 {path}")
    )


def _cannot_listen(
    where: str, error: OSError | UnicodeError, port: int | None
) -> InvalidRequestError:
    if getattr(error, "errno", None) == errno.EADDRINUSE and port is not None:
        return InvalidRequestError(
            pick(
                f"port {port} is taken by another program; choose another with --port, or 0 for"
                " a free one",
                f"端口 {port} 已被其他程序占用；请用 --port 换一个，0 表示任意空闲端口",
            )
        )
    reason = getattr(error, "strerror", None) or str(error)
    return InvalidRequestError(
        pick(f"cannot listen on {where}: {reason}", f"无法监听 {where}：{reason}")
    )
