"""What every test gets: a home of its own, a clean environment, no network, English.

    def test_something(tmp_path): ...                      # HOME and QINGYU_HOME are temporary
    @pytest.mark.model
    def test_real(default_model_path): ...                 # needs `make model`
    def test_chinese(chinese): ...                         # user-facing text in Chinese

Loopback is the only network there is. A test of a real download uses a local server.
"""

from __future__ import annotations

import os

# Before numpy: the reference computation's many small products are several times slower when
# two BLAS threads wait for each other on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from qingyu import text

SCRUBBED_PREFIXES = ("QINGYU_", "HF_", "HUGGINGFACE_", "MODELSCOPE_", "XDG_", "LC_")
SCRUBBED_NAMES = {"LANG", "LANGUAGE", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS"}

# Taken before the environment is scrubbed: the default model lies in the person's own home.
_USER_ENVIRONMENT = dict(os.environ)

hypothesis.settings.register_profile(
    "qingyu",
    deadline=None,  # a shared machine is slow at times; that is not a bug
    derandomize=True,  # the same examples every time: what passes here passes in CI
    database=None,
)
hypothesis.settings.load_profile("qingyu")


def _is_scrubbed(name: str) -> bool:
    return (
        name.startswith(SCRUBBED_PREFIXES)
        or name in SCRUBBED_NAMES
        or name.lower().endswith("_proxy")
    )


def pytest_configure(config: pytest.Config) -> None:
    # For the whole process, so that fixtures of wider scope than a test are clean as well.
    for name in [name for name in os.environ if _is_scrubbed(name)]:
        del os.environ[name]
    os.environ["QINGYU_LANG"] = "en"
    os.environ["TERM"] = "dumb"


def user_model_home() -> Path:
    """Where the person running the tests keeps models (the store's own rule)."""
    if home := _USER_ENVIRONMENT.get("QINGYU_HOME"):
        return Path(home)
    data = _USER_ENVIRONMENT.get("XDG_DATA_HOME") or str(
        Path(_USER_ENVIRONMENT.get("HOME", "/")) / ".local" / "share"
    )
    return Path(data) / "qingyu"


@pytest.fixture(scope="session")
def default_model_path() -> Path:
    """The default model's file: $QINGYU_TEST_MODEL, else the one `make model` brought."""
    if chosen := _USER_ENVIRONMENT.get("QINGYU_TEST_MODEL"):
        path = Path(chosen)
        assert path.is_file(), f"QINGYU_TEST_MODEL names {path}, which is not a file"
        return path
    folder = user_model_home() / "models" / "default"
    found = sorted(folder.glob("*.gguf"))
    if not found:
        pytest.fail(f"the default model is not in {folder}; bring it with: make model")
    return found[0]


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder of the test's own, so that nobody's real files are read or written."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("QINGYU_HOME", str(home / "qingyu"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("QINGYU_LANG", "en")


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """A test that fixed the language does not fix it for the next one."""
    text.use(None)
    yield
    text.use(None)


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """User-facing text in Chinese, in this process and in those it starts."""
    monkeypatch.setenv("QINGYU_LANG", "zh")


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


class NetworkRefusedError(RuntimeError):
    """A test tried to leave the machine. Not an OSError, so that no code can take it for one."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections and name look-ups beyond loopback fail loudly."""

    def guard(name: str) -> None:
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, *rest: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
                raise NetworkRefusedError(f"a test may not reach {address}")
            return original(self, address, *rest)

        monkeypatch.setattr(socket.socket, name, guarded)

    guard("connect")
    guard("connect_ex")
    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *rest: Any, **options: Any) -> Any:
        if host is not None and not _is_loopback(host):
            raise NetworkRefusedError(f"a test may not look up {host!r}")
        return look_up(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
