"""The household as an MCP server: what there is, how it is, and doing something, past the guard.

    serve(Tools(world, devices))            # on stdin and stdout, until the other side is gone

Three tools: `devices`, `state` and `do`. A model that uses them names devices by id and gets the
guard's verdict as an answer it can read. What wants a yes (unlocking, calling, moving the robot)
is refused, unless whoever starts this says that a person is asked on the other side (`risky`).

Needs the extra `home`. No socket is opened: the process may be sealed before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from qingyu.act.calls import Call, Verdict
from qingyu.act.devices import Devices, Report
from qingyu.act.guard import check
from qingyu.act.state import State
from qingyu.act.values import thawed
from qingyu.act.vocabulary import DOMAINS
from qingyu.act.world import Entity, World

Do = Callable[[Call, bool], Report | Verdict]
"""Carries out a call (confirmed or not) past a guard: a Verdict where that stopped it."""
_MOST_IDS = 300
"""So many devices are listed in a tool's schema; with more, any text is taken and then checked."""


class Tools:
    """world: what there is now. do: how calls are done; by default past the guard to the devices,
    with no journal. risky: whether `confirmed` of a call counts."""

    def __init__(
        self,
        world: Callable[[], World] | World,
        devices: Devices,
        *,
        do: Do | None = None,
        risky: bool = False,
    ) -> None:
        self._world = world if callable(world) else lambda: world
        self._devices = devices
        self._do = do or self._guarded
        self._risky = risky

    def list(self) -> tuple[dict[str, Any], ...]:
        """The tools with their schemas, as MCP has them in JSON."""
        world = self._world()
        ids = [one.id for one in world.entities]
        entity: dict[str, Any] = {"type": "string", "description": "id of a device"}
        if 0 < len(ids) <= _MOST_IDS:
            entity["enum"] = ids
        used = {one.domain for one in world.entities}
        actions = sorted({name for one in used for name in DOMAINS[one].actions})
        do: dict[str, Any] = {
            "action": {"type": "string", "enum": actions} if actions else {"type": "string"},
            "entity": entity,
            "arguments": {"type": "object", "description": 'such as {"brightness": 40}'},
        }
        if self._risky:
            do["confirmed"] = {
                "type": "boolean",
                "description": "only after a person said yes to this very action",
            }
        where = {
            "area": {"type": "string", "description": "id or name of an area"},
            "domain": {"type": "string", "enum": sorted(used)},
        }
        return (
            _tool(
                "devices", "What there is: ids, names, areas, abilities, states.", where, read=True
            ),
            _tool("state", "How a device is now.", {"entity": entity}, "entity", read=True),
            _tool("do", "Tell a device to do something.", do, "action", "entity"),
        )

    def call(self, name: str, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """What a tool answers, and whether that is an error. Never raises for what was asked."""
        match name:
            case "devices":
                return self._list_devices(arguments), False
            case "state":
                id = str(arguments.get("entity", ""))
                values = self._devices.state().entities.get(id)
                if values is None:
                    return {"error": "there is no such device", "entity": id}, True
                return {"entity": id, **_plain(values)}, False
            case "do":
                return self._carry_out(arguments)
        return {"error": f"there is no tool {name}"}, True

    def _list_devices(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        world, state = self._world(), self._devices.state()
        area = str(wanted.get("area", ""))
        areas = {area, *(one.id for one in world.areas_named(area))}
        chosen = world.select(domain=str(wanted.get("domain", "")))
        return {
            "areas": [{"id": one.id, "names": list(one.names)} for one in world.areas],
            "devices": [_described(one, state) for one in chosen if not area or one.area in areas],
        }

    def _carry_out(self, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        arguments = wanted.get("arguments") or {}
        plain = isinstance(arguments, Mapping) and all(
            isinstance(one, str | int | float | bool) for one in arguments.values()
        )
        if not plain:
            return {"error": "arguments are texts, numbers, true or false by name"}, True
        call = Call(str(wanted.get("action")), str(wanted.get("entity")), dict(arguments))
        confirmed = self._risky and wanted.get("confirmed") is True
        result = self._do(call, confirmed)
        if isinstance(result, Report):
            changed = {id: _plain(values) for id, values in result.changed.items()}
            said = {"outcome": result.outcome, "changed": changed, "detail": result.detail}
            return said, result.outcome != "done"
        facts = {
            key: value
            for key, value in vars(result).items()
            if key != "call" and value not in (None, "", ())
        }
        if result.outcome == "risky":
            facts["detail"] = (
                "a person has to say yes to this; ask, and call again with confirmed: true"
                if self._risky
                else "this wants a person's yes, which cannot be given this way"
            )
        return facts, result.outcome != "already"

    def _guarded(self, call: Call, confirmed: bool) -> Report | Verdict:
        verdict = check(self._world(), self._devices.state(), call, confirmed=confirmed)
        return self._devices.carry_out(call) if verdict.outcome == "fine" else verdict


def _described(entity: Entity, state: State) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": entity.id,
        "names": list(entity.names),
        "area": entity.area,
        "actions": list(entity.vocabulary.actions),
        "now": _plain(state.entities.get(entity.id, {})),
    }
    if entity.kind:
        found["kind"] = entity.kind
    options = {key: list(one) for key, one in entity.options.items()}
    return found | ({"options": options} if options else {})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: thawed(value) for key, value in values.items()}


def _tool(
    name: str, description: str, properties: Mapping[str, Any], *required: str, read: bool = False
) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "inputSchema": {
            "type": "object",
            "properties": dict(properties),
            "required": list(required),
            "additionalProperties": False,
        },
        "annotations": {"readOnlyHint": read, "destructiveHint": False, "openWorldHint": False},
    }


def server(tools: Tools) -> Any:
    """An `mcp.server.lowlevel.Server`, for any transport."""
    import anyio.to_thread
    from mcp import types
    from mcp.server.lowlevel import Server

    async def list_tools(*_: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool.model_validate(one) for one in tools.list()])

    async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        answer, failed = await anyio.to_thread.run_sync(
            tools.call, params.name, params.arguments or {}
        )
        text = json.dumps(answer, ensure_ascii=False)
        content = types.TextContent(type="text", text=text)
        return types.CallToolResult(content=[content], structured_content=answer, is_error=failed)

    return Server("qingyu", on_list_tools=list_tools, on_call_tool=call_tool)


def serve(tools: Tools) -> None:
    """Answer on stdin and stdout until the other side closes them."""
    import anyio
    from mcp.server.stdio import stdio_server

    async def run() -> None:
        one = server(tools)
        async with stdio_server() as (read, write):
            await one.run(read, write, one.create_initialization_options())

    anyio.run(run)
