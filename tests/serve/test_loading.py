"""What a server loads: how much room the model and its draft are given."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import fake_model
from qingyu.serve import loading
from qingyu.serve.service import Service
from qingyu.serve.settings import ServeSettings

KV_BYTES = 4096


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """How each model was loaded, by name; fakes come instead."""
    asked: dict[str, dict[str, Any]] = {}

    def load(name: str, **options: Any) -> Any:
        asked[name] = options
        return fake_model(context=64, kv_tokens=128)

    monkeypatch.setattr(loading, "load", load)
    return asked


def load(plan: loading.Plan) -> None:
    loading.load_engine(plan, Service(settings=ServeSettings())).scheduler.close()


def test_a_draft_has_room_for_the_texts_of_its_model(asked: dict[str, dict[str, Any]]) -> None:
    load(loading.Plan(model="large", draft="small", kv_bytes=KV_BYTES))
    assert asked["large"]["kv_bytes"] == KV_BYTES
    assert (asked["small"]["context"], asked["small"]["kv_tokens"]) == (64, 128)


@pytest.mark.parametrize(("free", "expected"), [(1 << 20, 1 << 18), (0, None)])
def test_memory_nobody_asked_for_is_a_share_of_what_is_free(
    asked: dict[str, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    expected: int | None,
) -> None:
    monkeypatch.setattr(loading, "available_memory", lambda: free)
    load(loading.Plan(model="large"))
    assert asked["large"]["kv_bytes"] == expected


def test_no_memory_is_not_the_same_as_none_asked_for(asked: dict[str, dict[str, Any]]) -> None:
    load(loading.Plan(model="large", kv_bytes=0))
    assert asked["large"]["kv_bytes"] == 0
