"""The only way out for an adapter: a process that connects, to written addresses and no others.

    door = open_door([("127.0.0.1", 1883)])     # before the assistant locks itself
    channel = door.channel                      # goes to the adapter's process
    connection = ask(channel, "127.0.0.1", 1883)        # there: an open socket, or OSError

An adapter's process is sealed: the kernel refuses it every `connect` and every socket but UNIX
ones. So it asks here, and gets an open connection handed over. The list is on this process's
command line, fixed before the adapter starts; nothing that is asked can add to it. This process
reads requests of at most 512 bytes, never a byte of what the network sends.

`python -m qingyu.act.adapters.door FD ADDRESSES` is that process; it ends when nobody is left
to ask.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Address = tuple[str, int]
_MOST = 512
_SECONDS = 5.0
"""How long a connection may take to open."""
_asking = threading.Lock()


@dataclass
class Door:
    """channel: the end that asks. An adapter that is started anew gets the same one."""

    channel: socket.socket
    process: subprocess.Popen[bytes]

    def close(self) -> None:
        """The process ends by itself as soon as the adapter's copy of the channel is closed."""
        self.channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_SECONDS + 1)


def open_door(addresses: Sequence[Address]) -> Door:
    """Start the process. Raises OSError where none can be started."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "qingyu.act.adapters.door", str(theirs.fileno())]
    with theirs:
        process = subprocess.Popen(
            [*command, json.dumps(list(addresses))],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # Ctrl-C in a terminal is meant for the assistant; this ends when that goes away.
            start_new_session=True,
        )
    return Door(channel=ours, process=process)


def ask(channel: socket.socket, host: str, port: int) -> socket.socket:
    """An open connection. Raises PermissionError for an address that is not on the list, and
    OSError where nobody answers there."""
    # An adapter that died may have left a question whose answer comes now.
    mark = os.urandom(8).hex()
    request = json.dumps([mark, host, port]).encode("utf-8")
    if len(request) > _MOST:
        raise OSError(errno.EINVAL, "no address is so long")
    with _asking:
        channel.sendall(request)
        while True:
            answer, handed, _, _ = socket.recv_fds(channel, _MOST, 1)
            theirs, _, rest = answer.decode("utf-8", "replace").partition(" ")
            if theirs == mark or not answer:
                break
            for one in handed:
                os.close(one)
    if handed:
        return socket.socket(fileno=handed[0])
    number, _, text = rest.partition(" ")
    code = int(number) if number.isdecimal() else errno.EPIPE
    raise OSError(code, text or "the door is closed")


def serve(channel: socket.socket, addresses: Sequence[Address]) -> None:
    """Answer until the other side is gone."""
    allowed = {_plain(host, port) for host, port in addresses}
    while request := channel.recv(_MOST):
        mark = "-"
        try:
            mark, host, port = json.loads(request)
            if _plain(host, port) not in allowed:
                raise PermissionError(errno.EPERM, "not an address of the household's file")
            with socket.create_connection((host, port), _SECONDS) as opened:
                opened.setblocking(True)
                # Small messages back and forth: none shall wait for another's acknowledgement.
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                socket.send_fds(channel, [f"{mark} 0".encode()], [opened.fileno()])
        except (ValueError, TypeError):
            channel.sendall(f"{mark} {errno.EINVAL} no address".encode()[:_MOST])
        except OSError as error:
            code = error.errno or errno.EHOSTUNREACH
            text = f"{mark} {code} {error.strerror or error}"
            channel.sendall(text.encode("utf-8", "replace")[:_MOST])


def _plain(host: Any, port: Any) -> Address:
    return str(host).casefold().rstrip("."), int(port)


def _main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    addresses = [(host, port) for host, port in json.loads(sys.argv[2])]
    with channel, contextlib.suppress(ConnectionError):
        serve(channel, addresses)


if __name__ == "__main__":
    _main()
