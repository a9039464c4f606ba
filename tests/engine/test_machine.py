"""What the machine says of itself."""

from __future__ import annotations

import subprocess
import sys

from qingyu.engine import machine


def test_peak_memory_is_in_bytes_and_stays() -> None:
    script = (
        "from qingyu.engine.machine import peak_memory as peak\n"
        "before = peak(); held = b'x' * (300 << 20); del held\n"
        "print(before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 10 << 20 < before < 300 << 20 <= after < 700 << 20


def test_the_processor_has_a_name() -> None:
    assert machine.processor().strip()
