"""Runs the probes beside the start of a server, in a process that is not locked.

    probes = ProbesInBackground()        # before the lock
    ...
    probes.put_into(service)             # once the answer is wanted

A locked process cannot show what an open one could do, so this begins before.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from typing import Any

_SECONDS = 20.0


class ProbesInBackground:
    """See the module."""

    def __init__(self) -> None:
        # A file, not a pipe: nobody has to wait at the other end.
        self._answer = tempfile.TemporaryFile()  # noqa: SIM115, closed when it is read
        self._process: subprocess.Popen[bytes] | None = None
        code = (
            "import json; from qingyu.serve.seal.probes import run_probes;"
            " print(json.dumps(run_probes().as_dict()))"
        )
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=self._answer,
                stderr=subprocess.DEVNULL,
            )

    def put_into(self, service: Any) -> None:
        """Wait for the table in a thread, and set `service.probes`."""
        threading.Thread(target=self._collect, args=(service,), daemon=True).start()

    def _collect(self, service: Any) -> None:
        with self._answer, contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
            if self._process is None:
                return
            self._process.wait(_SECONDS)
            self._answer.seek(0)
            service.probes = json.loads(self._answer.read())
