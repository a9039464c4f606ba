"""A process that fires schedules until it is killed: for test_schedules_killed.

python schedule_worker.py <database> <file that gets a line for every schedule carried out> <now>
"""

from __future__ import annotations

import datetime
import os
import sys
import time
from pathlib import Path

from qingyu.act.records.database import Database
from qingyu.act.records.schedules import Schedule, Schedules


def main(database: Path, carried_out: Path, now: datetime.datetime) -> None:
    output = os.open(carried_out, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def carry_out(one: Schedule) -> str:
        os.write(output, f"{one.id}\n".encode())
        os.write(1, b"fired\n")
        # A device takes its time, and that is when most kills are to come.
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        return "done"

    with Database(database) as opened:
        schedules = Schedules(opened)
        schedules.recover()
        while schedules.list():
            schedules.fire(now, carry_out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), datetime.datetime.fromisoformat(sys.argv[3]))
