"""What the machine says of itself."""

from __future__ import annotations

from qingyu.engine import machine


def test_peak_memory_grows_with_what_is_used_and_is_in_bytes() -> None:
    before = machine.peak_memory()
    assert 10 << 20 < before < 1 << 44
    held = b"x" * (before + (64 << 20))  # more than all there was
    assert machine.peak_memory() >= len(held)


def test_the_processor_has_a_name() -> None:
    assert machine.processor().strip()
