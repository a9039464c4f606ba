"""kill -9 at any point: each schedule fires once, or is reported as one that may have."""

from __future__ import annotations

import datetime
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from qingyu.act.calls import Call
from qingyu.act.records.database import Database
from qingyu.act.records.schedules import Schedules
from qingyu.act.when import parse_when

NOW = datetime.datetime(2026, 11, 26, 19, 30)
LATER = NOW + datetime.timedelta(seconds=60)
KILLS = 15
SECONDS = 4.0
"""The most the kills may take in all."""


def _start(database: Path, carried_out: Path) -> subprocess.Popen[bytes]:
    worker = Path(__file__).with_name("schedule_worker.py")
    command = [sys.executable, str(worker), str(database), str(carried_out), LATER.isoformat()]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _top_up(database: Path) -> set[int]:
    """So many new schedules that 80 wait; their numbers."""
    with Database(database) as opened:
        schedules = Schedules(opened)
        missing = 80 - len(schedules.list())
        calls = [Call("turn_off", "light.desk")]
        return {schedules.add(parse_when("+60"), calls, said=NOW).id for _ in range(missing)}


def test_killed_at_random_points(tmp_path: Path) -> None:
    database, carried_out = tmp_path / "act.sqlite", tmp_path / "carried_out"
    chance = random.Random(7)
    begun = time.monotonic()
    ids: set[int] = set()
    kills = 0
    while kills < KILLS and time.monotonic() - begun < SECONDS:
        ids |= _top_up(database)
        worker = _start(database, carried_out)
        assert worker.stdout is not None
        # Mostly after some have fired, now and then while it starts.
        starting = chance.random() < 0.2
        for _ in range(0 if starting else chance.randint(1, 9)):
            worker.stdout.readline()
        try:
            worker.wait(chance.uniform(0.1, 0.4) if starting else chance.uniform(0, 0.003))
        except subprocess.TimeoutExpired:
            worker.kill()
        worker.stdout.close()
        ended = worker.wait()
        assert ended in (0, -signal.SIGKILL), "0: it was through with all of them"
        kills += ended != 0

    with Database(database) as opened:
        schedules = Schedules(opened)
        schedules.recover()
        # What was still waiting when the time for this test was over, fires now.
        rest = Counter(one.id for one in schedules.fire(LATER, lambda one: "done"))
        lines = carried_out.read_text().split() if carried_out.exists() else []
        fired = rest + Counter(map(int, lines))
        unclear = {one.id for one in schedules.news()}
        status = {id: schedules.get(id).status for id in ids}

    assert kills >= 3, "too slow a machine to say anything"
    assert max(fired.values()) == 1, "nothing fires twice"
    assert {id for id, one in status.items() if one == "done"} | unclear == ids
    assert ids - set(fired) <= unclear, "what did not fire is not called done"
    assert len(unclear) <= kills, "only what was in hand at a kill is unclear"


def test_killed_between_claim_and_outcome(tmp_path: Path) -> None:
    database = tmp_path / "act.sqlite"
    with Database(database) as opened:
        one = Schedules(opened).add(parse_when("+60"), [Call("stop", "robot.dog")], said=NOW)
    code = (
        "import os, sys, signal, datetime, pathlib\n"
        "from qingyu.act.records.database import Database\n"
        "from qingyu.act.records.schedules import Schedules\n"
        "schedules = Schedules(Database(pathlib.Path(sys.argv[1])))\n"
        "now = datetime.datetime.fromisoformat(sys.argv[2])\n"
        "schedules.fire(now, lambda one: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(database), LATER.isoformat()])
    assert killed.returncode == -signal.SIGKILL
    with Database(database) as opened:
        schedules = Schedules(opened)
        assert schedules.get(one.id).status == "claimed"
        assert not schedules.fire(LATER, lambda one: "done")
        assert [found.id for found in schedules.recover()] == [one.id]
        assert not schedules.fire(LATER, lambda one: "done")
        assert [(found.id, found.status) for found in schedules.news()] == [(one.id, "unclear")]
