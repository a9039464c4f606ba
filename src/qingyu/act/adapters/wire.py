"""Messages between the assistant and an adapter: JSON, with its length in four bytes before it.

    wire = Wire(socket); wire.send({"type": "ping"}); wire.receive()     # None at the end

No message is longer than `MAX_BYTES`; a longer one, or one that is no JSON object, ends the
connection, because whatever follows cannot be trusted to begin where it should.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from typing import Any

MAX_BYTES = 1 << 18
Message = dict[str, Any]
_LENGTH = struct.Struct(">I")
_SECONDS = 5


class WireError(Exception):
    """The other side sent what is no message. Not for users: a runner starts the adapter anew."""


def packed(message: Message) -> bytes:
    """Raises WireError for a message that is too long."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    if len(body) > MAX_BYTES:
        raise WireError(f"a message of {len(body)} bytes; at most {MAX_BYTES}")
    return _LENGTH.pack(len(body)) + body


def unpacked(body: bytes) -> Message:
    """Raises WireError."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"no JSON: {error}") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise WireError("no message with a type")
    return message


def length(head: bytes) -> int:
    """What four bytes say. Raises WireError where that is too long."""
    (size,) = _LENGTH.unpack(head)
    if size > MAX_BYTES:
        raise WireError(f"a message of {size} bytes; at most {MAX_BYTES}")
    return int(size)


class Wire:
    """One end, blocking. Any thread may send, one receives. Descriptors that come along with a
    message are never taken."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        # Whoever does not read for so long is stuck; half a message leaves nothing to go on with.
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", _SECONDS, 0))
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        """Raises OSError where the other side is gone or takes nothing any more."""
        data = packed(message)
        with self._sending:
            try:
                self._end.sendall(data)
            except OSError:
                self.shut()
                raise

    def receive(self) -> Message | None:
        """The next message; None when the other side is gone. Raises WireError, OSError."""
        head = self._exactly(_LENGTH.size)
        if head is None:
            return None
        body = self._exactly(length(head))
        return None if body is None else unpacked(body)

    def shut(self) -> None:
        """End it for both sides; whoever waits in `receive` gets None."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut()
        self._end.close()

    def _exactly(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            part = self._end.recv(size - len(parts))
            if not part:
                return None
            parts += part
        return bytes(parts)
