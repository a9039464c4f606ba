"""The household as an MCP server, asked by the official client."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from qingyu.act.simulator import Simulator
from qingyu.act.tool_server import Tools, server
from qingyu.act.world import World
from tests.act.houses import HOUSE


@pytest.fixture
def devices(world: World) -> Simulator:
    return Simulator(world)


def ask(tools: Tools, name: str, **arguments: Any) -> tuple[dict[str, Any], bool]:
    """Through the protocol, in memory."""

    async def go() -> Any:
        async with Client(server(tools)) as client:
            return await client.call_tool(name, arguments)

    result = asyncio.run(go())
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content, result.is_error


def test_tools_say_what_they_take(world: World, devices: Simulator) -> None:
    async def go() -> Any:
        async with Client(server(Tools(world, devices))) as client:
            return (await client.list_tools()).tools

    tools = {one.name: one for one in asyncio.run(go())}
    assert set(tools) == {"devices", "state", "do"}
    schema = tools["do"].input_schema
    assert "light.desk" in schema["properties"]["entity"]["enum"]
    assert "turn_on" in schema["properties"]["action"]["enum"]
    assert "confirmed" not in schema["properties"]
    assert tools["devices"].annotations.read_only_hint is True
    assert tools["do"].annotations.read_only_hint is False


def test_what_there_is_and_how_it_is(world: World, devices: Simulator) -> None:
    tools = Tools(world, devices)
    answer, failed = ask(tools, "devices", area="客厅", domain="light")
    assert not failed
    (desk,) = answer["devices"]
    assert (desk["id"], desk["names"][0], desk["now"]["brightness"]) == ("light.desk", "台灯", 80)
    answer, _ = ask(tools, "state", entity="todo.shopping")
    assert answer == {"entity": "todo.shopping", "items": ["牛奶", "Eggs"]}
    assert ask(tools, "state", entity="light.none")[1]
    assert ask(tools, "unheard_of")[1]


def test_doing_goes_past_the_guard(world: World, devices: Simulator) -> None:
    tools = Tools(world, devices)
    answer, failed = ask(
        tools, "do", action="set", entity="light.desk", arguments={"brightness": 40}
    )
    assert (failed, answer["outcome"]) == (False, "done")
    assert answer["changed"] == {"light.desk": {"state": "on", "brightness": 40}}
    answer, failed = ask(tools, "do", action="turn_on", entity="light.desk")
    assert (failed, answer) == (False, {"outcome": "already"})
    answer, failed = ask(
        tools, "do", action="set", entity="light.desk", arguments={"brightness": 400}
    )
    assert failed
    assert (answer["outcome"], answer["high"]) == ("out_of_range", 100)
    for entity, arguments in (("light.none", {}), ("light.desk", {"x": [1]}), ("light.desk", 5)):
        assert ask(tools, "do", action="turn_on", entity=entity, arguments=arguments)[1]
    assert devices.state().get("light.desk", "brightness") == 40


def test_what_wants_a_yes_is_refused_unless_a_person_is_there(
    world: World, devices: Simulator
) -> None:
    call = {"action": "unlock", "entity": "lock.front", "confirmed": True}
    answer, failed = ask(Tools(world, devices), "do", **call)
    assert failed
    assert answer["outcome"] == "risky"
    assert devices.state().get("lock.front") == "locked"
    tools = Tools(world, devices, risky=True)
    answer, failed = ask(tools, "do", action="unlock", entity="lock.front")
    assert answer["outcome"] == "risky"
    answer, failed = ask(tools, "do", **call)
    assert not failed
    assert devices.state().get("lock.front") == "unlocked"


SEALED = """
import sys
from pathlib import Path
from qingyu.act.simulator import Simulator
from qingyu.act.tool_server import Tools, serve
from qingyu.act.world_file import read_world
from qingyu.serve import seal
world = read_world(Path(sys.argv[1]))
seal.prepare()
assert seal.seal().sealed
serve(Tools(world, Simulator(world)))
"""


def test_it_works_behind_the_seal_on_stdin_and_stdout(tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_text(HOUSE, "utf-8")
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", SEALED, str(file)],
        env=dict(os.environ),
    )

    async def go() -> Any:
        async with asyncio.timeout(30), Client(parameters) as client:
            return await client.call_tool("do", {"action": "turn_on", "entity": "switch.kettle"})

    assert asyncio.run(go()).structured_content["changed"] == {"switch.kettle": {"state": "on"}}
