"""The lock against connections, in processes of their own: it cannot be taken off again."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qingyu.errors import SealError
from qingyu.serve import seal
from qingyu.serve.seal import Layer, SealStatus, probes, seccomp
from qingyu.serve.seal.probes import Probe, ProbeTable, run_probes, titles

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the seal is for Linux")


def run(code: str, *arguments: str, **options: object) -> str:
    """Python code in a process of its own; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def table() -> ProbeTable:
    return run_probes()


def test_every_way_out_is_open_without_the_seal_and_refused_with_it(table: ProbeTable) -> None:
    assert {probe.name for probe in table.probes} == set(titles())
    for probe in table.probes:
        assert probe.control in ("reached", "absent"), probe
        assert probe.outcomes["seccomp"] == "EPERM", probe
        assert probe.outcomes["all"] == "EPERM", probe
    for name in ("tcp", "udp", "dns", "libc", "child", "thread", "socket", "fastopen"):
        (probe,) = (probe for probe in table.probes if probe.name == name)
        assert probe.control == "reached", probe
    assert table.holds
    assert json.loads(json.dumps(table.as_dict()))["holds"] is True


def test_a_table_without_its_control_proves_nothing() -> None:
    names = titles()

    def made(control: str, sealed: str) -> ProbeTable:
        outcomes = {"none": control, "seccomp": sealed, "namespace": sealed, "all": sealed}
        return ProbeTable(
            probes=tuple(
                Probe(name=name, title=title, outcomes=outcomes) for name, title in names.items()
            )
        )

    assert made("reached", "EPERM").holds
    assert not made("EPERM", "EPERM").holds
    assert not made("absent", "EPERM").holds
    assert not made("reached", "reached").holds
    # Neither a process that failed nor a peer that was silent is a refusal.
    for other in ("failed: CalledProcessError", "no answer", "ETIMEDOUT", "ECONNREFUSED", "absent"):
        assert not made("reached", other).holds, other


def test_the_filter_refuses_what_it_should_by_simulation() -> None:
    """The program is run step by step as the kernel would, for both architectures."""
    for machine, numbers, of in (
        ("x86_64", {"socket": 41, "connect": 42, "read": 0, "sendto": 44}, 0xC000003E),
        ("aarch64", {"socket": 198, "connect": 203, "read": 63, "sendto": 206}, 0xC00000B7),
    ):
        program = seccomp.program(machine)
        for name, values, wanted in (
            ("read", (0,), "allow"),
            ("socket", (1, 1), "allow"),
            ("socket", (1, 0o2004001), "allow"),  # with SOCK_CLOEXEC and SOCK_NONBLOCK
            ("socket", (1, 5), "allow"),
            ("socket", (1, 2), "refuse"),  # datagrams need no connect
            ("socket", (1, 3), "refuse"),  # the kernel makes a datagram socket of it
            ("socket", (2, 1), "refuse"),
            ("socket", (10, 1), "refuse"),
            ("socket", (16, 3), "refuse"),
            ("connect", (3,), "refuse"),
            ("sendto", (3, 0, 0, 0), "allow"),
            ("sendto", (3, 0, 0, 0x20000000), "refuse"),
            ("sendto", (3, 0, 0, 0x20004000), "refuse"),
        ):
            assert simulate(program, numbers[name], of, values) == wanted, (machine, name)
        assert simulate(program, numbers["read"], 0x40000003, ()) == "refuse"  # i386
    assert simulate(seccomp.program("x86_64"), 0x40000000, 0xC000003E, ()) == "refuse"  # x32
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64")


def simulate(program: bytes, number: int, architecture: int, values: tuple[int, ...]) -> str:
    """What a classic-BPF program says of a system call."""
    import struct

    data = struct.pack("=IIQ", number, architecture, 0)
    data += b"".join(struct.pack("=Q", value) for value in (*values, *[0] * (6 - len(values))))
    steps = list(struct.iter_unpack("=HBBI", program))
    place, word = 0, 0
    while True:
        code, yes, no, operand = steps[place]
        place += 1
        if code == 0x20:
            (word,) = struct.unpack_from("=I", data, operand)
        elif code == 0x54:
            word &= operand
        elif code == 0x06:
            return "allow" if operand == 0x7FFF0000 else "refuse"
        else:
            holds = {0x15: word == operand, 0x35: word >= operand, 0x45: bool(word & operand)}
            place += yes if holds[code] else no


def test_what_the_server_needs_still_works_when_sealed() -> None:
    code = """
import asyncio, socket, threading
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
ready, clients = threading.Event(), []
# A client in an open process is another test; here one that connected before the lock.
client = socket.create_connection(("127.0.0.1", port))
from qingyu.serve import seal
status = seal.seal()
assert status.sealed, status
connection, _ = listener.accept()
connection.sendall(b"still serving")
assert client.recv(100) == b"still serving"
asyncio.run(asyncio.sleep(0))
socket.socketpair()
for call in (lambda: socket.socket(socket.AF_UNIX).connect("/nowhere"),
             lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
             lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)):
    try:
        call()
    except PermissionError:
        print("refused", end=" ")
"""
    assert run(code) == "refused refused refused "


def test_a_prepared_process_reads_what_it_was_given_and_no_more(tmp_path: Path) -> None:
    given, other, state = tmp_path / "given", tmp_path / "other", tmp_path / "state"
    for folder in (given, other, state):
        folder.mkdir()
        (folder / "file").write_text("text")
    code = """
import sys
from pathlib import Path
from qingyu.serve import seal
given, other, state = map(Path, sys.argv[1:])
seal.prepare(read=[given], write=[state])
status = seal.seal()
by_name = {layer.name: layer for layer in status.layers}
assert by_name["landlock"].active, by_name["landlock"].detail
assert (given / "file").read_text() == "text"
(state / "new").write_text("written")
for call in (lambda: (other / "file").read_text(), lambda: (given / "new").write_text("x"),
             lambda: Path("/etc/passwd").read_text(), lambda: list(Path.home().iterdir())):
    try:
        call()
    except PermissionError:
        continue
    raise SystemExit("a file was reached that should not be")
import decimal, sqlite3, zoneinfo  # what is imported late is still found
print(status.summary)
"""
    home = tmp_path / "home"
    home.mkdir()
    said = run(code, str(given), str(other), str(state), env={**os.environ, "HOME": str(home)})
    assert "landlock" in said
    assert (state / "new").read_text() == "written"


def test_the_folder_one_stands_in_is_not_read(tmp_path: Path) -> None:
    """`python -m qingyu` puts it on the path for modules."""
    (tmp_path / "letter").write_text("private")
    (tmp_path / "module.py").write_text("""
from pathlib import Path
from qingyu.serve import seal
here = Path.cwd()
seal.prepare()
assert {layer.name: layer.active for layer in seal.status().layers}["landlock"]
try:
    print((here / "letter").read_text())
except PermissionError:
    print("refused")
import decimal, numpy  # what is imported late is still found
""")
    done = subprocess.run(
        [sys.executable, "-m", "module"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "refused\n", done


def test_other_processes_are_out_of_reach_even_where_all_files_are_not(tmp_path: Path) -> None:
    """As chat and generate are sealed: /proc/PID/mem of another process would be a way out."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    code = """
import os, sys
from pathlib import Path
pid = int(sys.argv[1])
attempts = {
    "memory": lambda: open(f"/proc/{pid}/mem", "r+b"),
    "signal": lambda: os.kill(pid, 0),
}
for call in attempts.values():
    call()  # open doors first
from qingyu.serve import seal
seal.prepare(read=[Path("/")], write=[Path("/")])
assert seal.seal().sealed
for name, call in attempts.items():
    try:
        call()
    except PermissionError:
        print(name, end=" ")
Path(sys.argv[2]).write_text("files are as before")
"""
    try:
        assert run(code, str(other.pid), str(tmp_path / "file")) == "memory signal "
    finally:
        other.communicate(b"\n", timeout=30)
    assert (tmp_path / "file").read_text() == "files are as before"


def test_where_files_may_be_deleted_nothing_else_is_possible(tmp_path: Path) -> None:
    (tmp_path / "socket").touch()
    (tmp_path / "private").write_text("private")
    code = """
import sys
from pathlib import Path
from qingyu.serve import seal
folder = Path(sys.argv[1])
seal.prepare(remove=[folder])
(folder / "socket").unlink()
for call in (lambda: (folder / "private").read_text(), lambda: (folder / "new").touch(),
             lambda: list(folder.iterdir())):
    try:
        call()
    except PermissionError:
        print("refused", end=" ")
"""
    assert run(code, str(tmp_path)) == "refused refused refused "
    assert not (tmp_path / "socket").exists()


def test_a_namespace_that_is_not_allowed_changes_nothing() -> None:
    """Half-way in, the process would be nobody, with no way back."""
    code = """
import ctypes, os
from qingyu.serve.seal import namespace
libc = ctypes.CDLL(None, use_errno=True)
def who():
    spaces = (os.readlink(f"/proc/self/ns/{name}") for name in ("net", "user"))
    return os.getuid(), os.getgid(), *spaces
# Without privileges, and as a user that may not be mapped: root without CAP_SETFCAP.
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0
before = who()
try:
    namespace.enter()
except OSError as error:
    print("refused", end="")
    assert before == who(), (before, who())
else:
    print("entered", end="")
    assert before[:2] == who()[:2] and before[2] != who()[2]
"""
    assert run(code) == ("refused" if os.getuid() == 0 else "entered")


def test_somebody_without_privileges_stays_who_they_are_in_a_namespace(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    code = """
import ctypes, os, sys
from pathlib import Path
from qingyu.serve.seal import namespace
import qingyu.serve.seal.seccomp
if os.getuid() == 0:
    os.setgroups([]); os.setgid(4242); os.setuid(4242)
PR_SET_DUMPABLE = 4  # as after a login; else /proc/self stays root's
ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
try:
    namespace.enter()
except OSError:
    pass  # a system may allow none; then nothing has changed either
Path(sys.argv[1]).write_text("mine")
print(os.getuid(), os.getgid())
"""
    user, group = (4242, 4242) if os.getuid() == 0 else (os.getuid(), os.getgid())
    assert run(code, str(tmp_path / "file")).split() == [str(user), str(group)]
    assert (tmp_path / "file").stat().st_uid == user


def test_a_namespace_has_no_network_and_the_listener_serves_on() -> None:
    code = """
import socket, subprocess, sys
from qingyu.serve.seal import namespace
listener = socket.create_server(("127.0.0.1", 0))
port = str(listener.getsockname()[1])
namespace.enter()
try:
    socket.create_connection(("127.0.0.1", int(port)), 1)
except OSError as error:
    print(error.strerror)
"""
    assert run(code).strip() in ("Network is unreachable", "Cannot assign requested address")


def test_layers_that_need_one_thread_say_so() -> None:
    code = """
import threading, time
from qingyu.serve import seal
stop = threading.Event()
threading.Thread(target=stop.wait).start()
seal.prepare()
status = seal.seal()
stop.set()
for layer in status.layers:
    print(layer.name, layer.active, layer.detail)
"""
    said = run(code)
    assert "namespace False threads run already" in said
    assert "landlock False threads run already" in said
    assert "seccomp True" in said


def test_status_of_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    found = seal.seal()
    assert not found.sealed
    assert "macOS has no lock" in found.summary
    with pytest.raises(SealError, match="--require-seal"):
        seal.require(found)


def test_landlock_alone_is_no_seal() -> None:
    layers = (
        Layer(name="seccomp", active=False, detail="no"),
        Layer(name="landlock", active=True, detail="files"),
    )
    status = SealStatus(layers=layers)
    assert not status.sealed
    assert status.summary.startswith("NOT sealed")
    assert status.as_dict()["layers"][1] == {
        "name": "landlock",
        "active": True,
        "detail": "files",
    }


def test_this_process_is_not_sealed() -> None:
    assert not seal.status().sealed


@pytest.mark.parametrize("verb", [["tokenize", "hello"], ["--lang", "zh", "models"]])
def test_verbs_seal_themselves_and_pull_does_not(verb: list[str], tmp_path: Path) -> None:
    code = """
import sys
from qingyu.cli import main
sealed = []
import qingyu.serve.seal as seal
seal.prepare = lambda **_: None
seal.seal = lambda: sealed.append(True)
main.run(sys.argv[1:], locked=True)
print(len(sealed), file=sys.stderr)
"""
    for words, count in (
        (verb, 1),
        (["doctor", "--help"], 1),
        (["doctor", "--network", "--help"], 0),
        (["pull", "--help"], 0),
        (["models", "pull", "--help"], 0),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60
        )
        assert done.stderr.strip().endswith(str(count)), (words, done.stderr)


def test_connections_somebody_left_open_are_closed() -> None:
    """A lock cannot take an open socket away, so no verb keeps one it was started with."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        code = """
import os, sys
from qingyu.cli.main import lock
read, write = os.pipe()
lock(["serve"])
os.fstat(read), os.fstat(write)      # what is no socket stays
for number in map(int, sys.argv[1:]):
    try:
        os.fstat(number)
        print("open")
    except OSError:
        print("closed")
"""
        with left, peer, datagrams:
            numbers = (left.fileno(), datagrams.fileno())
            printed = run(code, *map(str, numbers), pass_fds=numbers)
    assert printed.split() == ["closed", "closed"]


def test_generate_says_when_nothing_is_locked() -> None:
    code = """
import sys
from qingyu.cli import main
import qingyu.serve.seal as seal
seal.prepare = lambda **_: None
seal.seal = seal.status
main.lock([sys.argv[1]])
"""
    for verb, said in (("generate", True), ("tokenize", False)):
        command = [sys.executable, "-c", code, verb]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert ("NOT sealed" in done.stderr) is said, (verb, done.stderr)


def test_a_lock_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def worker(layer: str, ports: object) -> dict[str, str]:
        missing = {"missing": "not permitted"} if layer == "namespace" else {}
        return {**dict.fromkeys(titles(), "EPERM" if layer == "all" else "reached"), **missing}

    monkeypatch.setattr(probes, "_run_worker", worker)
    found = run_probes()
    assert found.holds
    assert found.missing == {"namespace": "not permitted"}
    assert found.as_dict()["missing"] == found.missing


def test_the_program_itself_is_sealed() -> None:
    """Through the real entry point: after the verb, the process cannot connect."""
    code = """
import sys, socket, atexit
def try_to_leave():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        print("open")
    except PermissionError:
        print("refused")
atexit.register(try_to_leave)
sys.argv = ["qingyu", "models", "--json"]
from qingyu.cli.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().endswith("refused"), done
