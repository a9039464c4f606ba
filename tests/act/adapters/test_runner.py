"""An adapter's process: what it can reach, and what happens when it ends."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qingyu import text
from qingyu.act.adapters.link import Order
from qingyu.act.adapters.runner import Runner
from qingyu.act.world import Connection
from tests.act.adapters.mosquitto import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the seal is for Linux")

Start = Callable[..., tuple[Runner, list[dict[str, Any]]]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Runs an adapter written on the spot, the body of its `run`; gives its messages."""
    runners = []
    home = tmp_path / "modules" / "mine"
    home.mkdir(parents=True)
    paths = [str(home.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    def go(body: str, *addresses: tuple[str, int], before: str = "", **settings: Any) -> Any:
        (home / "lamp.py").write_text(
            f"{before}\n"
            "import asyncio, os, socket, time\n"
            "from qingyu.act.adapters.link import Answer\n"
            "async def run(link, settings):\n" + textwrap.indent(textwrap.dedent(body), "    "),
            encoding="utf-8",
        )
        messages: list[dict[str, Any]] = []
        connection = Connection(adapter="mine.lamp", addresses=addresses, settings=settings)
        runner = Runner(connection, on_message=messages.append)
        runners.append(runner)
        runner.start()
        return runner, messages

    yield go
    for one in runners:
        one.close()


LAMP = """
async def do(order):
    if order.action == "hang":
        await asyncio.sleep(60)
    if order.action == "die":
        os._exit(1)
    if order.action == "fail":
        raise ValueError("a bug")
    link.values(order.entity, order.wanted)
    return Answer(outcome="done", detail=str(os.getpid()))
link.on_call(do)
link.entity({"id": "light.lamp", "names": ["灯"], "state": "off"})
link.connected(True)
link.settled()
await asyncio.Event().wait()
"""


def said(messages: list[dict[str, Any]], type: str) -> list[dict[str, Any]]:
    return [one for one in messages if one["type"] == type]


def test_an_adapter_is_told_what_to_do_and_says_what_came_of_it(start: Start) -> None:
    runner, messages = start(LAMP)
    until(lambda: bool(said(messages, "settled")))
    answer = runner.call(Order(entity="light.lamp", action="turn_on", wanted={"state": "on"}))
    assert answer.outcome == "done"
    assert int(answer.detail) != os.getpid()
    (message,) = said(messages, "values")
    assert (message["id"], message["values"]) == ("light.lamp", {"state": "on"})
    assert runner.call(Order(entity="light.lamp", action="fail")).outcome == "no_answer"
    slow = Order(entity="light.lamp", action="hang", seconds=0.3)
    assert runner.call(slow).outcome == "no_answer"


def test_one_that_dies_is_started_anew_and_not_told_again(start: Start) -> None:
    runner, messages = start(LAMP)
    until(lambda: bool(said(messages, "settled")))
    first = runner.process
    assert runner.call(Order(entity="light.lamp", action="die")).outcome == "no_answer"
    until(lambda: len(said(messages, "settled")) == 2)
    assert len(said(messages, "down")) == 1
    assert runner.starts == 2
    assert runner.process != first
    answer = runner.call(Order(entity="light.lamp", action="turn_on", wanted={"state": "on"}))
    assert answer.outcome == "done"
    assert first is not None
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_one_that_is_killed_answers_who_waits(start: Start) -> None:
    runner, messages = start(LAMP)
    until(lambda: bool(said(messages, "settled")))
    answers = []
    order = Order(entity="light.lamp", action="hang", seconds=30)
    waiting = threading.Thread(target=lambda: answers.append(runner.call(order)))
    waiting.start()
    until(lambda: bool(runner._waiting))
    assert runner.process is not None
    os.kill(runner.process, signal.SIGKILL)
    waiting.join(10)
    assert [one.outcome for one in answers] == ["no_answer"]


def test_one_that_talks_nonsense_is_started_anew(start: Start) -> None:
    runner, messages = start("link._writer.write(b'\\xff' * 100); await asyncio.Event().wait()")
    until(lambda: runner.starts >= 2)
    assert said(messages, "down")


def test_nothing_is_told_to_one_that_does_not_run(start: Start) -> None:
    runner, messages = start("raise ValueError('never ready')")
    until(lambda: bool(said(messages, "down")))
    runner.close()
    assert runner.call(Order(entity="light.lamp", action="turn_on")).outcome == "failed"


WAYS = """
import ctypes, json, subprocess, sys
def outcome(way):
    try:
        way()
    except OSError as error:
        return error.errno
    except Exception as error:
        return type(error).__name__
    return "reached"
def raw(host, port):
    one = socket.socket(); one.settimeout(1); one.connect((host, port)); one.recv(3)
def datagram(host, port):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (host, port))
def child(host, port):
    code = f"import socket,sys\\ntry: socket.create_connection(({host!r}, {port}), 1)\\n" \\
        "except OSError as error: sys.exit(error.errno or 1)"
    status = subprocess.run([sys.executable, "-I", "-S", "-c", code]).returncode
    if status: raise OSError(status, "child")
def opened(host, port):
    one = socket.create_connection((host, port), 1)
    assert one.recv(3) == b"yes"
def again(host, port):
    # A socket that was handed over is for where it was opened to.
    one = socket.create_connection(tuple(settings["addresses"][0]), 1)
    one.shutdown(socket.SHUT_RDWR)
    one.connect((host, port))
allowed, other = settings["addresses"][0], ["127.0.0.1", settings["other"]]
result = {}
for name, (host, port) in (("allowed", allowed), ("other", other)):
    for way in (raw, datagram, child, opened, again):
        result[name + " " + way.__name__] = outcome(lambda: way(host, port))
result["file"] = outcome(lambda: open(settings["file"]).read())
link.send({"type": "ways", "ways": result})
await asyncio.Event().wait()
"""


@pytest.fixture
def listeners() -> Iterator[list[int]]:
    """Two servers on loopback that say yes; their ports."""
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

    def serve(one: socket.socket) -> None:
        try:
            while True:
                connection, _ = one.accept()
                with connection:
                    connection.sendall(b"yes")
        except OSError:
            return

    threads = [threading.Thread(target=serve, args=(one,), daemon=True) for one in opened]
    for thread in threads:
        thread.start()
    yield [one.getsockname()[1] for one in opened]
    for one in opened:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


def test_it_reaches_the_written_addresses_and_no_others(
    start: Start, listeners: list[int], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    allowed, other = listeners
    runner, messages = start(WAYS, ("127.0.0.1", allowed), other=other, file=str(secret))
    until(lambda: bool(said(messages, "ways")))
    (message,) = said(messages, "ways")
    eperm = 1
    ways = message["ways"]
    # Through the door, and by no way of its own.
    assert ways["allowed opened"] == "reached"
    for name in ("raw", "datagram", "child", "again"):
        assert ways[f"allowed {name}"] == eperm, (name, ways)
        assert ways[f"other {name}"] == eperm, (name, ways)
    assert ways["other opened"] == eperm
    assert runner.sealed is not None
    assert runner.sealed["sealed"] is True
    layers = {one["name"]: one["active"] for one in runner.sealed["layers"]}
    assert layers["seccomp"]
    if layers["landlock"]:
        assert ways["file"] == 13  # EACCES


def test_asyncio_goes_through_the_door_as_well(start: Start, listeners: list[int]) -> None:
    allowed, other = listeners
    body = """
    found = []
    for port in (settings["addresses"][0][1], settings["other"]):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            found.append((await reader.read(3)).decode())
            writer.close()
        except OSError as error:
            found.append(error.errno)
    loop = asyncio.get_running_loop()
    found.append([one[4] for one in await loop.getaddrinfo("broker.example", 1883)])
    link.send({"type": "found", "found": found})
    await asyncio.Event().wait()
    """
    _, messages = start(body, ("127.0.0.1", allowed), other=other)
    until(lambda: bool(said(messages, "found")))
    # A name is nothing to look up in here: the door does, if it is on its list.
    assert said(messages, "found")[0]["found"] == ["yes", 1, [["broker.example", 1883]]]


def test_without_the_seal_those_ways_are_open(listeners: list[int]) -> None:
    """The control: what a probe cannot do in the open proves nothing."""
    for port in listeners:
        with socket.create_connection(("127.0.0.1", port), 5) as one:
            assert one.recv(3) == b"yes"


def test_the_door_answers_an_unknown_address_and_a_dead_one(
    start: Start, listeners: list[int]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        dead = one.getsockname()[1]
    body = """
    errors = []
    for host, port in (settings["addresses"][0], ["localhost", settings["addresses"][1][1]],
                       ["127.0.0.1", 70000], ["x" * 600, 1]):
        try:
            socket.create_connection((host, port), 1)
        except OSError as error:
            errors.append(error.errno)
    link.send({"type": "errors", "errors": errors})
    await asyncio.Event().wait()
    """
    _, messages = start(body, ("127.0.0.1", dead), ("127.0.0.1", listeners[0]))
    until(lambda: bool(said(messages, "errors")))
    (message,) = said(messages, "errors")
    # Refused by the machine; by another name it is another address; none; no request at all.
    assert message["errors"] == [111, 1, 1, 22]


def test_everything_ends_with_the_assistant(start: Start) -> None:
    runner, messages = start(LAMP)
    until(lambda: bool(said(messages, "settled")))
    process, door = runner.process, runner._door.process
    runner.close()
    assert door.poll() is not None
    assert process is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_what_is_not_installed_is_said_and_not_tried_again(start: Start) -> None:
    text.use("zh")  # in the language of the assistant
    runner, messages = start("pass", before="import nowhere_to_be_found")
    until(lambda: bool(said(messages, "connected")))
    assert said(messages, "connected") == [
        {
            "type": "connected",
            "now": False,
            "detail": "未安装 nowhere_to_be_found；请运行 pip install 'qingyu[home]'",
        }
    ]
    order = Order(entity="light.lamp", action="turn_on", seconds=5)
    assert runner.call(order).outcome == "failed"
    assert runner.starts == 1


ASSISTANT = """
import sys, time
from qingyu.act.adapters.runner import Runner
from qingyu.act.world import Connection
messages = []
runner = Runner(Connection(adapter="mine.lamp"), on_message=messages.append)
runner.start()
while not any(one["type"] == "settled" for one in messages):
    time.sleep(0.01)
print(runner.process, runner._door.process.pid, flush=True)
time.sleep(60)
"""


def test_nothing_is_left_of_an_assistant_that_was_killed(start: Start) -> None:
    runner, _ = start(LAMP)  # writes the adapter
    runner.close()
    with subprocess.Popen(
        [sys.executable, "-c", ASSISTANT], stdout=subprocess.PIPE, text=True
    ) as assistant:
        assert assistant.stdout is not None
        numbers = [int(one) for one in assistant.stdout.readline().split()]
        assistant.kill()
    assert len(numbers) == 2

    def gone() -> bool:
        return not any(_runs(one) for one in numbers)

    until(gone)


def _runs(process: int) -> bool:
    """A zombie that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_it_cannot_take_the_machines_memory(start: Start) -> None:
    body = """
    try:
        kept = bytearray(1 << 30)
        result = "taken"
    except MemoryError:
        result = "refused"
    link.send({"type": "memory", "result": result})
    await asyncio.Event().wait()
    """
    _, messages = start(body)
    until(lambda: bool(said(messages, "memory")))
    assert said(messages, "memory")[0]["result"] == "refused"
