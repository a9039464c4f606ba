"""Tools of an MCP server as devices: what somebody else's server can do, by name.

    connections:
      - adapter: mcp
        addresses: ["127.0.0.1:8000"]
        settings: {token_file: /home/me/.config/token, arguments.order_tea: '{"cups": 2}'}
        devices:
          scene.order_tea: {names: [点茶, order tea]}

What a tool asks for decides what it is: nothing, a scene that is started; one yes or no, a switch;
one choice of words, a select; one number within 0 to 100, a level. A tool that asks for more is a
scene where the settings give its arguments (`arguments.<tool>`, JSON), else it is left out; so is
one that its server marks as destructive, unless the household gives it a name. A tool says nothing
about how things are: what it was told last is what is believed.

A tool is called once; a call that was on its way when the connection broke is reported as
unanswered and not made again. Settings: path ("/mcp"), tls (false), token or token_file.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from qingyu.act.adapters.link import Answer, Link, Order
from qingyu.act.values import is_number
from qingyu.text import pick

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_ASK_SECONDS = 30.0
"""How often a server is asked which tools it has."""
_SECONDS = 10.0
_MOST_TOOLS = 500


@dataclass(frozen=True, kw_only=True)
class Tool:
    """device: as in a household's file. argument: its only one, "" where it has none or the
    settings give them all (`fixed`)."""

    name: str
    device: Mapping[str, Any]
    argument: str = ""
    fixed: Mapping[str, Any] | None = None

    def arguments(self, order: Order) -> dict[str, Any]:
        if not self.argument:
            return dict(self.fixed or {})
        value = order.wanted["state"]
        return {self.argument: value == "on" if value in ("on", "off") else value}


async def run(link: Link, settings: Mapping[str, Any]) -> None:
    """The adapter. Goes on until it is cancelled."""
    server = _Server(link, settings)
    link.on_call(server.do)
    await server.keep_connected()


class _Server:
    def __init__(self, link: Link, settings: Mapping[str, Any]) -> None:
        self._link = link
        self._settings = settings
        self._client: Client | None = None
        self._tools: dict[str, Tool] = {}

    async def keep_connected(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            for host, port in self._settings["addresses"]:
                try:
                    await self._connection(host, port)
                except (OSError, MCPError, httpx2.HTTPError, TimeoutError, ExceptionGroup) as error:
                    self._link.connected(False, f"{host}:{port}: {_reason(error)}")
                finally:
                    self._client = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _connection(self, host: str, port: int) -> None:
        """One connection, until it breaks."""
        scheme = "https" if self._settings.get("tls") else "http"
        name = f"[{host}]" if ":" in host else host
        where = f"{scheme}://{name}:{port}{self._settings.get('path', '/mcp')}"
        token = self._settings.get("token")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=_SECONDS * 6, trust_env=False) as http,
            Client(streamable_http_client(where, http_client=http)) as client,
        ):
            first = True
            while True:
                async with asyncio.timeout(_SECONDS):
                    found = await client.list_tools(cache_mode="refresh")
                self._take(found.tools)
                self._client = client
                if first:
                    self._link.connected(True)
                    self._link.settled()
                    first = False
                await asyncio.sleep(_ASK_SECONDS)

    def _take(self, tools: list[Any]) -> None:
        """What there is now, as devices."""
        found: dict[str, Tool] = {}
        for one in tools[:_MOST_TOOLS]:
            hints = one.annotations
            destructive = hints is not None and hints.destructive_hint is True
            schema = one.input_schema if isinstance(one.input_schema, Mapping) else {}
            title = one.title or (hints.title if hints is not None else None) or one.name
            tool = tool_of(one.name, title, schema, self._fixed(one.name))
            if tool is None:
                continue
            id = tool.device["id"]
            if not destructive or id in self._settings.get("named", ()):
                found[id] = tool
        for id in self._tools.keys() - found.keys():
            self._link.gone(id)
        for id, tool in found.items():
            if self._tools.get(id) != tool:
                self._link.entity(tool.device)
        self._tools = found

    def _fixed(self, name: str) -> Mapping[str, Any] | None:
        text = self._settings.get(f"arguments.{name}")
        if text is None:
            return None
        try:
            values = json.loads(str(text))
        except ValueError:
            values = None
        if not isinstance(values, Mapping):
            _LOG.warning("arguments.%s is no JSON object", name)
            return None
        return values

    async def do(self, order: Order) -> Answer:
        """Calls the tool, and says what it says."""
        tool, client = self._tools.get(order.entity), self._client
        if tool is None:
            return _failed("it is no longer there", "设备已不在")
        if client is None:
            return _failed("the MCP server is not connected", "未连接 MCP 服务器")
        try:
            async with asyncio.timeout(order.seconds - 0.2):
                result = await client.call_tool(tool.name, tool.arguments(order))
        except MCPError as error:
            return _failed(str(error)[:200], str(error)[:200])
        except (OSError, TimeoutError, httpx2.HTTPError):
            return Answer(outcome="no_answer")
        said = " ".join(getattr(one, "text", "") for one in result.content)[:200]
        if result.is_error:
            return _failed(said or "it failed", said or "失败")
        if "state" in order.wanted and tool.argument:
            self._link.values(order.entity, {"state": order.wanted["state"]}, assumed=True)
        return Answer(outcome="done", detail=said)


def tool_of(
    name: str, title: str, schema: Mapping[str, Any], fixed: Mapping[str, Any] | None = None
) -> Tool | None:
    """What a tool is here, by what it asks for; None for one that asks for more than we can say."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    properties, needed = schema.get("properties"), schema.get("required") or []
    properties = properties if isinstance(properties, Mapping) else {}
    if not slug:
        return None
    names = [" ".join(str(title).replace("_", " ").split())[:60] or slug]
    if fixed is not None or not needed:
        device = {"id": f"scene.{slug}", "names": names, "attributes": {"sets": {}}}
        return Tool(name=name, device=device, fixed=fixed)
    one = properties.get(needed[0])
    if len(needed) > 1 or not isinstance(one, Mapping):
        return None
    what = _kind(one)
    if what is None:
        return None
    domain, more = what
    return Tool(
        name=name, device={"id": f"{domain}.{slug}", "names": names, **more}, argument=needed[0]
    )


def _kind(schema: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The kind of device that takes one such value, with how it may be."""
    kind, options = schema.get("type"), schema.get("enum")
    if kind == "boolean":
        return "switch", {"state": "off"}
    if isinstance(options, list) and options and all(isinstance(one, str) for one in options):
        return "select", {"state": options[0], "options": {"state": options}}
    low: Any = schema.get("minimum")
    high: Any = schema.get("maximum")
    counts = kind in ("integer", "number") and is_number(low) and is_number(high)
    if counts and 0 <= low < high <= 100:
        return "level", {"state": low, "ranges": {"state": [low, high]}}
    return None


def _reason(error: BaseException) -> str:
    """The innermost of a group: the library wraps what happens in its tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


def _failed(english: str, chinese: str) -> Answer:
    return Answer(outcome="failed", detail=pick(english, chinese))
