"""Brings the model a server needs, sized to the machine.

    engine = load_engine(Plan(model="default", kv_bytes=None, ...), service)

Knows neither flags nor HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qingyu.engine.loading import load
from qingyu.engine.machine import available_memory
from qingyu.engine.scheduler import Scheduler, SchedulerSettings
from qingyu.serve.service import Engine, Service

# Without a wish, this share of free memory, and no more than so many tokens: what was used once
# is kept for later prompts, so the cache grows to its size.
_SHARE = 0.25
_MOST_TOKENS = 32_768


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to load. kv_bytes: memory for keys and values; None: sized to the machine.
    adapters: names, and files, of adapters for the model."""

    model: str
    draft: str | None = None
    context: int | None = None
    threads: int | None = None
    template: str | None = None
    kv_bytes: int | None = None
    max_running: int = 16
    max_waiting: int = 64
    speculation: bool = True
    adapters: Mapping[str, Path] = field(default_factory=dict)


def load_engine(plan: Plan, service: Service) -> Engine:
    """The model and its scheduler. Raises what loading raises."""
    kv_bytes = plan.kv_bytes
    most_tokens = None
    if kv_bytes is None:
        # Nothing where it is not known how much there is.
        kv_bytes, most_tokens = int(available_memory() * _SHARE) or None, _MOST_TOKENS
    model = load(
        plan.model,
        context=plan.context,
        threads=plan.threads,
        template=plan.template,
        kv_bytes=kv_bytes,
        most_kv_tokens=most_tokens,
        adapters=plan.adapters,
    )
    draft = None
    if plan.draft is not None:
        # It reads the same texts, so it needs room for as many tokens, of its smaller size.
        draft = load(
            plan.draft,
            context=model.info.context,
            threads=plan.threads,
            kv_tokens=model.info.kv_tokens,
        )
    service.aliases = ("default", plan.model, model.info.name)
    settings = SchedulerSettings(
        max_running=plan.max_running,
        max_waiting=plan.max_waiting,
        speculation=plan.speculation,
    )
    return Engine(
        model=model,
        scheduler=Scheduler(model, settings, draft=draft),
        name=Path(plan.model).stem if plan.model.endswith(".gguf") else plan.model,
    )
