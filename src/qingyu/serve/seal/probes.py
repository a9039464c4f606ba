"""Tries to get out, in every way we know, with the seal and without.

    table = run_probes()
    table.holds; table.as_dict()

All targets are listeners of our own on loopback. Every way is tried unlocked first: a probe that
does not get out of an open door proves nothing about a locked one. Each set of probes runs in a
process of its own; `python -m qingyu.serve.seal.probes LAYER PORTS` is that process.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from qingyu.text import pick

LAYERS = ("none", "seccomp", "namespace", "all")
_SECONDS = 1.0
_REACHED = "reached"
_ABSENT = "absent"
# Among a worker's outcomes: why the lock it was to try alone is not there.
_MISSING = "missing"
_MPTCP = 262
_MSG_FASTOPEN = 0x20000000
# What a kernel without the feature says.
_NOT_THERE = {errno.EPROTONOSUPPORT, errno.ENOSYS, errno.ENOPROTOOPT, errno.EAFNOSUPPORT}

# What a lock says: seccomp, then an empty network. Any other error is none of its doing, so a
# probe that ends with it has not shown that the lock holds.
_REFUSALS = {"EPERM", "ENETUNREACH", "EADDRNOTAVAIL"}

Ports = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One way out. outcomes: by layer, "reached", "absent" or the error's name."""

    name: str
    title: str
    outcomes: dict[str, str]

    @property
    def control(self) -> str:
        return self.outcomes["none"]

    @property
    def refused(self) -> bool:
        """Whether a lock refused it to the sealed process, or the system does not have it."""
        sealed = self.outcomes["all"]
        return sealed in _REFUSALS or sealed == self.control == _ABSENT


@dataclass(frozen=True, kw_only=True)
class ProbeTable:
    """All ways out. missing: locks that could not be had here, and why."""

    probes: tuple[Probe, ...]
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the sealed process got out in no way, and the open one in every way that the
        system has; TCP and UDP it must have."""
        open_ = all(probe.control in (_REACHED, _ABSENT) for probe in self.probes)
        proven = all(probe.control == _REACHED for probe in self.probes if probe.name in _ALWAYS)
        return open_ and proven and all(probe.refused for probe in self.probes)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        rows = [
            {"name": one.name, "title": one.title, "outcomes": one.outcomes} for one in self.probes
        ]
        return {"holds": self.holds, "missing": self.missing, "rows": rows}


_ALWAYS = ("tcp", "udp", "libc", "child", "thread")


def titles() -> dict[str, str]:
    """What each probe is called, for people."""
    return {
        "tcp": pick("TCP connection", "TCP 连接"),
        "udp": pick("UDP datagram", "UDP 数据报"),
        "ipv6": pick("TCP over IPv6", "IPv6 上的 TCP"),
        "dns": pick("DNS query", "DNS 查询"),
        "mptcp": pick("multipath TCP", "多路径 TCP"),
        "fastopen": pick("TCP fast open", "TCP 快速打开"),
        "libc": pick("call of the C library", "C 库调用"),
        "child": pick("child process", "子进程"),
        "thread": pick("thread started before the lock", "上锁前启动的线程"),
        "socket": pick("socket opened before the lock", "上锁前打开的套接字"),
        "io_uring": pick("io_uring", "io_uring"),
    }


def run_probes() -> ProbeTable:
    """Try all ways, unlocked and with each lock. Takes a second or two."""
    found: dict[str, dict[str, str]] = {}
    with _listeners() as ports:
        for layer in LAYERS:
            found[layer] = _run_worker(layer, ports)
    probes = [
        Probe(
            name=name,
            title=title,
            outcomes={layer: found[layer].get(name, "no answer") for layer in LAYERS},
        )
        for name, title in titles().items()
    ]
    missing = {layer: found[layer][_MISSING] for layer in LAYERS[1:3] if _MISSING in found[layer]}
    return ProbeTable(probes=tuple(probes), missing=missing)


def _run_worker(layer: str, ports: Ports) -> dict[str, str]:
    command = [sys.executable, "-m", "qingyu.serve.seal.probes", layer, json.dumps(ports)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=True)
        answer: dict[str, str] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError, OSError) as error:
        return dict.fromkeys(titles(), f"failed: {type(error).__name__}")
    return answer


@contextlib.contextmanager
def _listeners() -> Iterator[Ports]:
    """Servers on loopback that say yes to everybody."""
    opened: list[socket.socket] = []
    ports: Ports = {}
    try:
        tcp = socket.create_server(("127.0.0.1", 0))
        opened.append(tcp)
        ports["tcp"] = tcp.getsockname()[1]
        with contextlib.suppress(OSError):
            six = socket.create_server(("::1", 0), family=socket.AF_INET6)
            opened.append(six)
            ports["ipv6"] = six.getsockname()[1]
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        opened.append(udp)
        ports["udp"] = udp.getsockname()[1]
        threads = [threading.Thread(target=_answer_udp, args=(udp,), daemon=True)]
        threads += [
            threading.Thread(target=_answer_tcp, args=(one,), daemon=True) for one in opened[:-1]
        ]
        for thread in threads:
            thread.start()
        yield ports
    finally:
        for one in opened:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _answer_tcp(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"yes")


def _answer_udp(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            _, sender = listener.recvfrom(512)
            if sender is None:  # it was shut down
                return
            listener.sendto(b"yes", sender)


# The worker: what follows runs in a process that is then locked.


def _worker(layer: str, ports: Ports) -> dict[str, str]:
    prepared = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    go = threading.Event()
    results: dict[str, str] = {}
    if layer in ("namespace", "all"):
        # Only possible while there is one thread; so the thread comes after it, as in the server.
        from qingyu.serve.seal import namespace

        try:
            namespace.enter()
        except OSError as error:
            results[_MISSING] = error.strerror or str(error)

    def wait_and_try() -> None:
        go.wait()
        results["thread"] = _outcome(lambda: _tcp(ports["tcp"]))

    thread = threading.Thread(target=wait_and_try)
    thread.start()
    if layer in ("seccomp", "all"):
        from qingyu.serve.seal import seccomp

        try:
            seccomp.install()
        except OSError as error:
            results[_MISSING] = error.strerror or str(error)
    go.set()
    thread.join()
    results["tcp"] = _outcome(lambda: _tcp(ports["tcp"]))
    results["udp"] = _outcome(lambda: _udp(ports["udp"], b"anybody there?"))
    results["ipv6"] = _outcome(lambda: _tcp6(ports.get("ipv6")))
    results["dns"] = _outcome(lambda: _udp(ports["udp"], _DNS_QUERY))
    results["mptcp"] = _outcome(lambda: _connect(socket.AF_INET, _MPTCP, ports["tcp"]))
    results["fastopen"] = _outcome(lambda: _fast_open(ports["tcp"]))
    results["libc"] = _outcome(lambda: _libc(ports["tcp"]))
    results["child"] = _outcome(lambda: _child(ports["tcp"]))
    results["socket"] = _outcome(lambda: _use(prepared, ports["tcp"]))
    results["io_uring"] = _outcome(_io_uring)
    if layer == "none" and results["io_uring"] != _REACHED:
        # Systems often switch it off for everybody; then there is nothing to lock.
        results["io_uring"] = _ABSENT
    return results


# "example.com", type A, class IN, as RFC 1035 writes it.
_DNS_QUERY = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01"


def _outcome(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        if error.errno in _NOT_THERE:
            return _ABSENT
        return errno.errorcode.get(error.errno or 0, str(error))
    return _REACHED


def _tcp(port: int) -> None:
    _connect(socket.AF_INET, 0, port)


def _tcp6(port: int | None) -> None:
    if port is None:
        raise OSError(errno.EAFNOSUPPORT, "no IPv6")
    _connect(socket.AF_INET6, 0, port)


def _connect(family: int, protocol: int, port: int) -> None:
    with socket.socket(family, socket.SOCK_STREAM, protocol) as one:
        _use(one, port)


def _use(one: socket.socket, port: int) -> None:
    with one:
        one.settimeout(_SECONDS)
        one.connect(("::1" if one.family == socket.AF_INET6 else "127.0.0.1", port))
        _expect(one.recv(8))


def _udp(port: int, payload: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(_SECONDS)
        one.sendto(payload, ("127.0.0.1", port))
        _expect(one.recv(8))


def _fast_open(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        # A timeout of Python's would make the call return before it is decided.
        wait = struct.pack("ll", int(_SECONDS), 0)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        one.sendto(b"hello", _MSG_FASTOPEN, ("127.0.0.1", port))
        _expect(one.recv(8))


def _libc(port: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    opened = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    if opened < 0:
        raise OSError(ctypes.get_errno(), "socket")
    try:
        # struct sockaddr_in
        address = socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big")
        address += socket.inet_aton("127.0.0.1") + bytes(8)
        if libc.connect(opened, address, 16) != 0:
            raise OSError(ctypes.get_errno(), "connect")
    finally:
        os.close(opened)


def _child(port: int) -> None:
    code = (
        "import socket,sys\n"
        "try: socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1)\n"
        "except OSError as error: sys.exit(error.errno or 1)\n"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(port)]
    status = subprocess.run(command, timeout=10, check=False).returncode
    if status:
        raise OSError(status, "child")


def _io_uring() -> None:
    if sys.platform != "linux":  # the number means another call there
        raise OSError(errno.ENOSYS, "only Linux has it")
    libc = ctypes.CDLL(None, use_errno=True)
    parameters = ctypes.create_string_buffer(120)
    opened = libc.syscall(425, 4, parameters)
    if opened < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")
    os.close(opened)


def _expect(answer: bytes) -> None:
    if answer != b"yes":
        raise OSError(errno.ECONNRESET, "no answer")


if __name__ == "__main__":
    json.dump(_worker(sys.argv[1], json.loads(sys.argv[2])), sys.stdout)
