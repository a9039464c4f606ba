"""Counts what the server does, and writes it down for Prometheus.

    metrics.finished("chat", status=200, seconds=1.2, first_token_seconds=0.1, generated=40)
    metrics.render(scheduler.stats(), ...)       # text/plain; version=0.0.4

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text).
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from qingyu.engine.scheduler import SchedulerStats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BATCH = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)

Label = tuple[tuple[str, str], ...]


class Histogram:
    """Observations counted up to each of some bounds."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        place = next((n for n, bound in enumerate(self.bounds) if value <= bound), -1)
        self.counts[place] += 1
        self.sum += value

    def lines(self, name: str) -> Iterable[str]:
        total = 0
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            total += count
            yield _line(f"{name}_bucket", (("le", str(bound)),), total)
        yield _line(f"{name}_sum", (), self.sum)
        yield _line(f"{name}_count", (), total)


class Metrics:
    """What was counted since the start. Safe for threads."""

    def __init__(self) -> None:
        self.num_answered = 0
        self._guard = threading.Lock()
        self._requests: Counter[Label] = Counter()
        self._request_seconds = Histogram(_SECONDS)
        self._first_token = Histogram(_SECONDS)
        self._each_token = Histogram(_SECONDS)
        self._batch = Histogram(_BATCH)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A response was sent to its end."""
        with self._guard:
            self.num_answered += 1
            self._requests[("route", route), ("status", str(status))] += 1
            self._request_seconds.observe(seconds)

    def generated(
        self, *, first_token_seconds: float | None, decode_seconds: float, tokens: int, batch: int
    ) -> None:
        """A text was generated beside `batch` - 1 others."""
        with self._guard:
            if first_token_seconds is not None:
                self._first_token.observe(first_token_seconds)
            if tokens > 0:
                self._each_token.observe(decode_seconds / tokens)
            self._batch.observe(batch)

    def render(self, stats: SchedulerStats, *, weight_bytes: int, sealed: bool) -> str:
        """All of it as text."""
        lines: list[str] = []

        def put(name: str, kind: str, text: str, value: float) -> None:
            lines.extend(_head(name, kind, text))
            lines.append(_line(name, (), value))

        with self._guard:
            lines += _head(
                "qingyu_http_requests_total", "counter", "Responses by route and status."
            )
            for labels, count in sorted(self._requests.items()):
                lines.append(_line("qingyu_http_requests_total", labels, count))
            for name, text, histogram in (
                ("qingyu_http_request_seconds", "Whole requests.", self._request_seconds),
                ("qingyu_first_token_seconds", "From arrival to first text.", self._first_token),
                ("qingyu_token_seconds", "Between tokens of one text.", self._each_token),
                ("qingyu_batch_size", "Texts in the batch when one ended.", self._batch),
            ):
                lines += _head(name, "histogram", text)
                lines += histogram.lines(name)
        counters = (
            ("generations_total", "Texts generated to their end.", stats.finished),
            ("generations_cancelled_total", "Texts cancelled.", stats.cancelled),
            ("prompt_tokens_total", "Tokens of prompts.", stats.prompt_tokens),
            ("cached_tokens_total", "Tokens of prompts not computed again.", stats.cached_tokens),
            ("prefix_hits_total", "Prompts that found a prefix.", stats.prefix_hits),
            ("generated_tokens_total", "Tokens generated.", stats.generated_tokens),
            ("forward_passes_total", "Forwards computed.", stats.forward_passes),
            ("guessed_tokens_total", "Tokens guessed ahead.", stats.guessed_tokens),
            ("confirmed_tokens_total", "Guesses that came true.", stats.confirmed_tokens),
        )
        for name, text, count in counters:
            put(f"qingyu_{name}", "counter", text, count)
        gauges = (
            ("running_requests", "Requests in the batch.", stats.running),
            ("waiting_requests", "Requests waiting for a place.", stats.waiting),
            ("kv_used_tokens", "Tokens whose keys and values are kept.", stats.kv_used),
            ("kv_total_tokens", "Tokens there is room for.", stats.kv_total),
            ("parked_prefixes", "Finished texts kept for reuse.", stats.parked),
            ("weight_bytes", "Bytes of the model's weights.", weight_bytes),
            ("resident_memory_bytes", "Memory of this process.", resident_bytes()),
            ("sealed", "1 if no connection can be opened.", int(sealed)),
        )
        for name, text, number in gauges:
            put(f"qingyu_{name}", "gauge", text, number)
        return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    """Resident memory of this process; 0 where it cannot be known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Label, value: float) -> str:
    inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{inner}}} {value}" if inner else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
