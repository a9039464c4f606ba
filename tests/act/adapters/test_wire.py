"""Messages between the assistant and an adapter: bounded, and nothing but messages."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from qingyu.act.adapters.wire import MAX_BYTES, Wire, WireError, packed


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    one, other = socket.socketpair()
    wire = Wire(one)
    yield wire, other
    wire.close()
    other.close()


def test_messages_come_as_they_went(ends: tuple[Wire, socket.socket]) -> None:
    wire, other = ends
    there = Wire(other)
    for text in ("灯", "x" * 70_000, ""):
        there.send({"type": "a", "text": text})
        assert wire.receive() == {"type": "a", "text": text}
    there.shut()
    assert wire.receive() is None


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", MAX_BYTES + 1),
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 2) + b"{}",
        struct.pack(">I", 3) + b"{a}",
        struct.pack(">I", 3) + b"\xff\xff\xff",
        struct.pack(">I", 100_000) + b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(ends: tuple[Wire, socket.socket], data: bytes) -> None:
    wire, other = ends
    sender = threading.Thread(target=other.sendall, args=(data,))
    sender.start()
    with pytest.raises(WireError):
        wire.receive()
    sender.join()


def test_a_message_cut_short_is_the_end(ends: tuple[Wire, socket.socket]) -> None:
    wire, other = ends
    other.sendall(packed({"type": "a"})[:-1])
    other.shutdown(socket.SHUT_WR)
    assert wire.receive() is None


def test_none_is_sent_that_is_too_long() -> None:
    with pytest.raises(WireError):
        packed({"type": "a", "text": "x" * MAX_BYTES})


def test_descriptors_that_come_along_are_not_taken(ends: tuple[Wire, socket.socket]) -> None:
    wire, other = ends
    reader, writer = socket.socketpair()
    with reader:
        socket.send_fds(other, [packed({"type": "a"})], [writer.fileno()])
        writer.close()
        assert wire.receive() == {"type": "a"}
        reader.settimeout(5)
        assert reader.recv(1) == b""  # nobody has the other end any more
