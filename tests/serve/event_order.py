"""Checks a streamed /v1/responses answer: order, pairing, and that the pieces are the whole.

    final = check_events(events)      # the last event's response; AssertionError for a mistake

Written from OpenAI's description of the events, not from the server's code: every rule here is
one a client may rely on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
STATUS = {name: name.removeprefix("response.") for name in TERMINAL}


def check_events(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """See the module. events: the data of each event, in order."""
    kinds = [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds.count("response.created") == kinds.count("response.in_progress") == 1
    assert kinds[-1] in TERMINAL
    assert len(TERMINAL.intersection(kinds[:-1])) == 0
    first, final = events[0]["response"], events[-1]["response"]
    for event in (events[0], events[1]):
        assert event["response"]["status"] == "in_progress"
        assert event["response"]["output"] == []
        assert event["response"]["usage"] is None
    assert final["status"] == STATUS[kinds[-1]]
    for name in ("id", "created_at", "model", "object"):
        assert first[name] == events[1]["response"][name] == final[name]
    items = _Items()
    for event in events[2:-1]:
        items.take(event)
    assert items.open is None, "an item was added and never done"
    assert items.done == final["output"]
    assert len({item["id"] for item in items.done}) == len(items.done)
    if final["status"] == "completed":
        assert all(item["status"] == "completed" for item in items.done)
        assert final["error"] is None
        assert final["incomplete_details"] is None
    return final


class _Items:
    """The items as the events tell them, one open at a time."""

    def __init__(self) -> None:
        self.done: list[dict[str, Any]] = []
        self.open: dict[str, Any] | None = None
        self.part: dict[str, Any] | None = None
        self.text = ""
        self.logprobs: list[Any] = []
        self.closed = False  # the text or the arguments have had their done

    def take(self, event: dict[str, Any]) -> None:
        kind = event["type"].removeprefix("response.")
        if kind == "output_item.added":
            assert self.open is None, "an item was added before the last was done"
            assert event["output_index"] == len(self.done)
            self.open, self.text, self.logprobs, self.closed = event["item"], "", [], False
            assert self.open["status"] == "in_progress"
            assert not self.open.get("content")
            assert not self.open.get("arguments")
            return
        assert self.open is not None, f"{kind} outside of an item"
        assert event["output_index"] == len(self.done)
        if kind == "output_item.done":
            self._item_done(event["item"])
            return
        assert event["item_id"] == self.open["id"]
        if self.open["type"] == "message":
            assert event["content_index"] == 0
            self._message(kind, event)
        else:
            self._call(kind, event)

    def _message(self, kind: str, event: dict[str, Any]) -> None:
        assert self.open is not None
        if kind == "content_part.added":
            assert self.part is None
            self.part = event["part"]
            assert self.part["type"] == "output_text"
            assert self.part["text"] == ""
            return
        assert self.part is not None, f"{kind} outside of a part"
        if kind == "output_text.delta":
            assert not self.closed
            self.text += event["delta"]
            self.logprobs += event["logprobs"]
        elif kind == "output_text.done":
            assert not self.closed
            assert event["text"] == self.text
            assert event["logprobs"] == self.logprobs
            self.closed = True
        else:
            assert kind == "content_part.done"
            assert self.closed
            assert event["part"]["text"] == self.text
            self.open["content"] = [event["part"]]
            self.part = None

    def _call(self, kind: str, event: dict[str, Any]) -> None:
        assert self.open is not None
        assert not self.closed
        if kind == "function_call_arguments.delta":
            self.text += event["delta"]
        else:
            assert kind == "function_call_arguments.done"
            assert event["arguments"] == self.text
            self.open["arguments"] = self.text
            self.closed = True

    def _item_done(self, item: dict[str, Any]) -> None:
        assert self.open is not None
        assert self.part is None, "an item was done before its part"
        assert self.closed
        assert item["status"] in ("completed", "incomplete")
        assert item == {**self.open, "status": item["status"]}
        self.done.append(item)
        self.open = None
