"""Locks a process so that it can open no connection, and says how far that went.

    listener = bind(...)                 # 1. whoever serves listens first
    prepare(read=[model], write=[cache]) # 2. before any thread: namespace, files
    status = seal()                      # 3. all threads: no socket, no connect
    ...                                  # 4. load the model, serve

`prepare` enters an empty network namespace and limits files (Landlock); both work only while
the process has one thread, and where the system allows them. `seal` installs the seccomp filter,
which works everywhere on Linux, at any time, for all threads and for children. What a layer cannot
do is no error: the status says which hold. On macOS and Windows none does, and the status says so.

Nothing is sealed by importing this. What the seal does not stop is in docs/privacy.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qingyu.errors import SealError
from qingyu.text import pick


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One lock. detail: what it refuses, or why it is not there."""

    name: str
    active: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class SealStatus:
    """The locks on this process."""

    layers: tuple[Layer, ...]

    @property
    def sealed(self) -> bool:
        """Whether no connection can be opened: seccomp or the empty namespace is enough."""
        return any(layer.active and layer.name != "landlock" for layer in self.layers)

    @property
    def summary(self) -> str:
        """One line for people."""
        active = ", ".join(layer.name for layer in self.layers if layer.active)
        if self.sealed:
            return pick(f"sealed: nothing can leave ({active})", f"已封闭：无法外连（{active}）")
        why = "; ".join(f"{layer.name}: {layer.detail}" for layer in self.layers)
        return pick(f"NOT sealed ({why})", f"未封闭（{why}）")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sealed": self.sealed,
            "summary": self.summary,
            "layers": [
                {"name": layer.name, "active": layer.active, "detail": layer.detail}
                for layer in self.layers
            ],
        }


_prepared: list[Layer] = []
_sealed: list[Layer] = []


def prepare(
    *, read: Sequence[Path] = (), write: Sequence[Path] = (), remove: Sequence[Path] = ()
) -> None:
    """Enter an empty network namespace, and give up all files but those needed to run, those
    under `read`, those under `write`, and the names of those under `remove`, which may be
    deleted. Does what the system allows. Once per process."""
    from qingyu.serve.seal import landlock, namespace

    assert not _prepared, "prepared twice"
    if sys.platform != "linux":
        return
    _prepared.append(_layer("namespace", namespace.enter))
    _prepared.append(_layer("landlock", lambda: landlock.limit(read, write, remove)))


def seal() -> SealStatus:
    """Refuse every new socket and connection, for all threads and children, for good."""
    from qingyu.serve.seal import seccomp

    if sys.platform == "linux" and not _sealed:
        _sealed.append(_layer("seccomp", seccomp.install))
    return status()


def status() -> SealStatus:
    """The locks there are now."""
    if sys.platform != "linux":
        name = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)
        detail = pick(
            f"{name} has no lock a program can put on itself", f"{name} 没有程序可自行施加的锁"
        )
        return SealStatus(layers=(Layer(name="seccomp", active=False, detail=detail),))
    missing = Layer(name="seccomp", active=False, detail=pick("not installed", "未安装"))
    return SealStatus(layers=(*(_sealed or [missing]), *_prepared))


def require(found: SealStatus) -> None:
    """Raises SealError when the process is not sealed."""
    if not found.sealed:
        raise SealError(
            pick(
                f"no lock holds on this system, and --require-seal was given: {found.summary}",
                f"本系统上没有可用的锁，而指定了 --require-seal：{found.summary}",
            )
        )


def _layer(name: str, apply: Any) -> Layer:
    try:
        detail: str = apply()
    except OSError as error:
        reason = error.strerror or str(error)
        return Layer(name=name, active=False, detail=reason)
    return Layer(name=name, active=True, detail=detail)
