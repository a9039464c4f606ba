"""A seccomp filter that refuses sockets and connections, for all threads of the process.

    install()          # OSError where the kernel or the processor is not supported

The filter is a short classic-BPF program the kernel runs at every system call; it cannot be
taken off again, and children inherit it. UNIX sockets stay, because event loops are built on
pairs of them, but not those for datagrams, which could send without a connection. Sources: Linux
Documentation/userspace-api/seccomp_filter.rst; numbers of system calls from the kernel's tables.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from dataclasses import dataclass

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_FLAG_TSYNC = 1
# Kernels before 5.16 slow a filtered process down against a side channel that matters to programs
# running code of strangers; we run none.
_FLAG_SPEC_ALLOW = 4
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_MSG_FASTOPEN = 0x20000000
_AF_UNIX, _AF_INET = 1, 2
# Of the types of UNIX sockets, those that must connect before they send; the rest are flags.
_STREAM, _SEQUENCED, _TYPE_MASK = 1, 5, 0xF

# Classic BPF: load a word, mask it, jump if equal / greater or equal / any bit, return.
_LOAD, _AND, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4


@dataclass(frozen=True, kw_only=True)
class _Calls:
    """Numbers of system calls of one architecture."""

    architecture: int
    seccomp: int
    # Refused unless their first argument is AF_UNIX, and the second no datagram type.
    sockets: tuple[int, ...]
    # Refused when their flags (the argument's place) have MSG_FASTOPEN.
    fast_open: tuple[tuple[int, int], ...]
    refused: tuple[int, ...]
    # Numbers from here on belong to a foreign ABI (x32); 0: there is none.
    foreign: int = 0


# connect; io_uring_setup, _enter, _register; ptrace; process_vm_writev; pidfd_getfd; bpf;
# userfaultfd; setns; then, for root, mount and fsopen (a network file system), init_module and
# finit_module: ways to a connection, or to another process that may open one.
_CALLS = {
    "x86_64": _Calls(
        architecture=0xC000003E,
        seccomp=317,
        sockets=(41, 53),
        fast_open=((44, 3), (46, 2), (307, 3)),
        refused=(42, 425, 426, 427, 101, 311, 438, 321, 323, 308, 165, 430, 175, 313),
        foreign=0x40000000,
    ),
    "aarch64": _Calls(
        architecture=0xC00000B7,
        seccomp=277,
        sockets=(198, 199),
        fast_open=((206, 3), (211, 2), (269, 3)),
        refused=(203, 425, 426, 427, 117, 271, 438, 280, 282, 268, 40, 430, 105, 273),
    ),
}


def program(machine: str) -> bytes:
    """The filter for an architecture as `uname -m` names it, struct sock_filter by struct.

    Raises OSError for one that is not known.
    """
    calls = _CALLS.get(machine)
    if calls is None:
        raise OSError(errno.ENOSYS, f"no filter for {machine} processors")
    # (code, operand, target if true, target if false); targets are "allow", "refuse" or next.
    steps: list[tuple[int, int, str, str]] = [
        (_LOAD, _ARCHITECTURE, "", ""),
        (_JEQ, calls.architecture, "", "refuse"),
        (_LOAD, _NUMBER, "", ""),
    ]
    if calls.foreign:
        steps.append((_JGE, calls.foreign, "refuse", ""))
    steps += [(_JEQ, number, "refuse", "") for number in calls.refused]
    for number in calls.sockets:
        steps += [
            # Where the argument is loaded over the number, the way ends.
            (_JEQ, number, "", "+6"),
            (_LOAD, _argument(0), "", ""),
            (_JEQ, _AF_UNIX, "", "refuse"),
            (_LOAD, _argument(1), "", ""),
            (_AND, _TYPE_MASK, "", ""),
            (_JEQ, _STREAM, "allow", ""),
            (_JEQ, _SEQUENCED, "allow", "refuse"),
        ]
    for number, place in calls.fast_open:
        steps += [
            (_JEQ, number, "", "+2"),
            (_LOAD, _argument(place), "", ""),
            (_JSET, _MSG_FASTOPEN, "refuse", "allow"),
        ]
    allow, refuse = len(steps), len(steps) + 1
    packed = b""
    for place, (code, operand, yes, no) in enumerate(steps):
        jumps = []
        for target in (yes, no):
            if target == "allow":
                jumps.append(allow - place - 1)
            elif target == "refuse":
                jumps.append(refuse - place - 1)
            else:
                jumps.append(int(target or 0))
        packed += struct.pack("=HBBI", code, *jumps, operand)
    packed += struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW)
    packed += struct.pack("=HBBI", _RETURN, 0, 0, _REFUSE)
    return packed


def install() -> str:
    """Put the filter on all threads; says what it refuses. Raises OSError if it cannot."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "only Linux has it")
    machine = os.uname().machine
    packed = program(machine)
    if struct.calcsize("P") != 8:
        # The kernel would take all of our own calls for those of a foreign ABI.
        raise OSError(errno.ENOSYS, "a 32-bit Python on a 64-bit system")
    libc = ctypes.CDLL(None, use_errno=True)
    steps = ctypes.create_string_buffer(packed, len(packed))
    # struct sock_fprog: the number of steps, and where they are.
    filter_ = struct.pack("@HP", len(packed) // 8, ctypes.addressof(steps))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        _fail()
    for flags in (_FLAG_TSYNC | _FLAG_SPEC_ALLOW, _FLAG_TSYNC):
        result = libc.syscall(
            ctypes.c_long(_CALLS[machine].seccomp),
            ctypes.c_ulong(_SET_MODE_FILTER),
            ctypes.c_ulong(flags),
            filter_,
        )
        if result >= 0 or ctypes.get_errno() != errno.EINVAL:
            break  # EINVAL: a kernel before 4.17 does not know the second flag
    if result > 0:
        raise OSError(errno.EAGAIN, f"thread {result} has a filter of its own")
    if result != 0:
        _fail()
    opened = libc.socket(_AF_INET, _STREAM, 0)
    if opened >= 0:  # not on a kernel; something that imitates one may say yes and do nothing
        os.close(opened)
        raise OSError(errno.ENOSYS, "the filter was taken and does nothing")
    return "sockets, connect, io_uring, foreign system calls"


def _argument(place: int) -> int:
    """Where the low half of a system call's argument is in struct seccomp_data."""
    return 16 + 8 * place


def _fail() -> None:
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))
