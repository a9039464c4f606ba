"""Tools of an MCP server as devices, against a real server of the official library."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from mcp import types
from mcp.server.lowlevel import Server

from qingyu.act.adapters.household import Household
from qingyu.act.adapters.mcp import tool_of
from qingyu.act.calls import Call
from qingyu.act.guard import check
from qingyu.act.world_file import make_world
from tests.act.adapters.mosquitto import free_port, until


def tool(name: str, needed: dict[str, Any] | None = None, **more: Any) -> types.Tool:
    schema = {"type": "object", "properties": needed or {}, "required": list(needed or {})}
    return types.Tool(name=name, input_schema=schema, **more)


TOOLS = [
    tool("bell", title="门铃"),
    tool("fountain", {"on": {"type": "boolean"}}),
    tool("program", {"which": {"type": "string", "enum": ["eco", "fast"]}}),
    tool("blower", {"percent": {"type": "integer", "minimum": 0, "maximum": 100}}),
    tool("order_tea", {"cups": {"type": "integer"}, "kind": {"type": "string"}}),
    tool("send_mail", {"to": {"type": "string"}}),
    tool("burn", annotations=types.ToolAnnotations(destructive_hint=True)),
    tool("reset", annotations=types.ToolAnnotations(destructive_hint=True)),
]


class StandIn:
    def __init__(self) -> None:
        self.port = free_port()
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.slow = False

        async def tools(*_: Any) -> types.ListToolsResult:
            return types.ListToolsResult(tools=TOOLS)

        async def call(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
            self.called.append((params.name, dict(params.arguments or {})))
            if self.slow:
                await asyncio.sleep(5)
            content = [types.TextContent(type="text", text=f"{params.name} done")]
            return types.CallToolResult(content=content, is_error=params.name == "bell")

        server = Server("test", on_list_tools=tools, on_call_tool=call)
        config = uvicorn.Config(
            server.streamable_http_app(), host="127.0.0.1", port=self.port, log_level="error"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)


@pytest.fixture
def there() -> Iterator[StandIn]:
    one = StandIn()
    yield one
    one.stop()


@pytest.fixture
def home(there: StandIn) -> Iterator[Household]:
    connection = {
        "adapter": "mcp",
        "addresses": [f"127.0.0.1:{there.port}"],
        "settings": {"arguments.order_tea": '{"cups": 2, "kind": "green"}'},
        "devices": {"scene.reset": {"names": ["重置"]}},
    }
    household = Household(make_world({"name": "x", "connections": [connection]}), seconds=3)
    household.start()
    assert household.wait(30), household.status()
    yield household
    household.close()


def test_what_tools_ask_for_decides_what_they_are(home: Household) -> None:
    assert {one.id: one.names[0] for one in home.world.entities} == {
        "scene.bell": "门铃",
        "switch.fountain": "fountain",
        "select.program": "program",
        "level.blower": "blower",
        "scene.order_tea": "order tea",
        "scene.reset": "重置",
    }


def test_tools_are_called_once_with_what_was_said(there: StandIn, home: Household) -> None:
    assert home.carry_out(Call("turn_on", "switch.fountain")).outcome == "done"
    assert home.state().get("switch.fountain") == "on"
    assert not home.heard("switch.fountain")  # it was told so, and says nothing
    report = home.carry_out(Call("set", "select.program", {"value": "fast"}))
    assert report.changed == {"select.program": {"state": "fast"}}
    assert home.carry_out(Call("set", "level.blower", {"value": 40})).outcome == "done"
    tea = Call("activate", "scene.order_tea")
    assert check(home.world, home.state(), tea).outcome == "fine"
    assert home.carry_out(tea).outcome == "done"
    assert there.called == [
        ("fountain", {"on": True}),
        ("program", {"which": "fast"}),
        ("blower", {"percent": 40}),
        ("order_tea", {"cups": 2, "kind": "green"}),
    ]


def test_what_a_tool_says_is_passed_on(there: StandIn, home: Household) -> None:
    report = home.carry_out(Call("activate", "scene.bell"))
    assert (report.outcome, report.detail) == ("failed", "bell done")
    there.slow = True
    report = home.carry_out(Call("turn_on", "switch.fountain"))
    assert (report.outcome, report.changed) == ("no_answer", {})
    assert [name for name, _ in there.called] == ["bell", "fountain"]


def test_a_server_that_is_gone_is_said(there: StandIn, home: Household) -> None:
    there.stop()
    report = home.carry_out(Call("turn_on", "switch.fountain"))
    assert report.outcome in ("failed", "no_answer")
    assert home.state().get("switch.fountain") == "off"


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({}, "scene"),
        ({"properties": {"a": {"type": "boolean"}}}, "scene"),
        ({"properties": {"a": {"type": "boolean"}}, "required": ["a"]}, "switch"),
        ({"properties": {"a": {"type": "string"}}, "required": ["a"]}, None),
        ({"properties": {"a": {"type": "integer"}}, "required": ["a"]}, None),
        ({"properties": {}, "required": ["a", "b"]}, None),
        ({"properties": 5, "required": ["a"]}, None),
    ],
)
def test_kinds(schema: dict[str, Any], kind: str | None) -> None:
    found = tool_of("do_it", "Do it", schema)
    assert (found.device["id"] if found else None) == (kind and f"{kind}.do_it")
