"""An empty network namespace: a network with nothing on it.

    enter()            # OSError where the system does not let us, or threads run already

A listener opened before keeps its old network and goes on serving. Source: network_namespaces(7),
user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_NEW_USER = 0x10000000
_NEW_NETWORK = 0x40000000


def enter() -> str:
    """Leave this machine's network. Raises OSError if the system does not let us."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "only Linux has it")
    if num_threads() != 1:
        raise OSError(errno.EINVAL, "threads run already")
    # Whoever may do without gets no user namespace: file owners stay what they are.
    if ctypes.CDLL(None).unshare(_NEW_NETWORK) != 0:
        _try_in_a_child()
        _enter_both()
    return "an empty network"


def _enter_both() -> None:
    """A user namespace, because whoever has one of their own may have a network of their own."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USER | _NEW_NETWORK) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    # We stay who we are; without these lines we would be nobody.
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{user} {user} 1")
    (own / "gid_map").write_text(f"{group} {group} 1")


def _try_in_a_child() -> None:
    """Raises OSError when it would not go all the way: half-way there is no way back."""
    child = os.fork()
    if child == 0:
        code = errno.EPERM
        try:
            _enter_both()
            code = 0
        except OSError as error:
            code = error.errno or code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        code = code if code > 0 else errno.EPERM
        raise OSError(code, os.strerror(code))


def num_threads() -> int:
    """Threads of this process, those of libraries included."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())
