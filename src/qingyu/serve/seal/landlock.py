"""Landlock: the files and processes a process may still reach.

    limit(read=[models], write=[home])     # OSError where the kernel has no Landlock
    limit(read=[Path("/")], write=[Path("/")])      # all files, and no other process

Whatever the files, no other process can be traced, written to (/proc/PID/mem), reached by an
abstract UNIX socket, or sent a signal, and nothing can be mounted.

Holds for this thread and those it starts, so it comes before any other. Besides what is given,
the program keeps what running takes: Python and its packages, the system's libraries, /proc and
/sys to read, and /dev/null. Source: Linux Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from qingyu.serve.seal.namespace import num_threads

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_VERSION = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE = 1, 2, 4, 8, 1 << 5
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
# Rights by the first version that knows them: 1 has thirteen, then refer, truncate, ioctl.
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_SCOPES = 3  # abstract UNIX sockets and signals, from version 6


def limit(read: Sequence[Path], write: Sequence[Path], remove: Sequence[Path] = ()) -> str:
    """Give up all other files. remove: folders in which files may be deleted, and nothing else.

    Raises OSError where that cannot be done.
    """
    if num_threads() != 1:
        raise OSError(errno.EINVAL, "threads run already")
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        _fail()
    handled = _RIGHTS[min(version, 5)]
    # struct landlock_ruleset_attr: files, network (not limited here), scopes.
    attributes = struct.pack("=QQQ", handled, 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if rules < 0:
        _fail()
    try:
        readable = _EXECUTE | _READ_FILE | _READ_DIR
        for path in {*_needed(), *read}:
            _allow(libc, rules, path, readable & handled)
        for path in write:
            _allow(libc, rules, path, handled & ~_EXECUTE)
        for path in remove:
            _allow(libc, rules, path, _REMOVE_FILE)
        for path in (Path("/dev/null"), Path("/dev/tty")):
            _allow(libc, rules, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & handled)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            _fail()
        if libc.syscall(_RESTRICT_SELF, rules, 0) != 0:
            _fail()
    finally:
        os.close(rules)
    if Path("/") in write:
        return f"other processes (version {version})"
    return f"other processes, and files but the model's and our own (version {version})"


def _needed() -> Iterable[Path]:
    """What running takes: Python looks for modules and libraries whenever they are first used."""
    # The current folder is on the path as "", or in full after `python -m`; it may be anybody's
    # home, and is nobody's business.
    here = os.path.realpath("/proc/self/cwd")
    for name in (sys.prefix, sys.base_prefix):
        yield Path(name)
    for name in sys.path:
        if os.path.isabs(name) and os.path.realpath(name) != here:
            yield Path(name)
    yield Path(__file__).parents[3]
    for name in ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime"):
        yield Path(name)
    for name in ("/proc", "/sys", "/dev/urandom", "/dev/random"):
        yield Path(name)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    """One rule; a path that is not there needs none."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _FILE_RIGHTS
        # struct landlock_path_beneath_attr, packed.
        rule = struct.pack("=Qi", rights, opened)
        if libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0) != 0:
            _fail()
    finally:
        os.close(opened)


def _fail() -> None:
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))
