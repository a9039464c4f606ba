"""Real devices over MQTT: how long until they are found, told, and found again.

    python benchmarks/devices.py --devices 200

A Mosquitto on loopback, lamps that do what they are told behind it, and the adapter in its sealed
process. A command's time is from the call until the lamp reported what was wanted. Then the broker
is stopped and started again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _model_files import ROOT

sys.path.insert(0, str(ROOT))

COMMANDS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, default=200, help="lamps behind the broker")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    rows = []
    for no_delay in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(Path(folder), arguments.devices, no_delay=no_delay))
    for key in rows[0]:
        print(f"{key:28} {rows[0][key]!s:>10} {rows[1][key]!s:>10}")
    target = arguments.json or ROOT / "benchmarks" / "results" / "devices.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target}")


def measure(folder: Path, num_devices: int, *, no_delay: bool) -> dict[str, Any]:
    """no_delay: whether the broker sends small messages at once (`set_tcp_nodelay`)."""
    from qingyu.act.adapters.household import Household
    from qingyu.act.calls import Call
    from qingyu.act.world_file import make_world
    from tests.act.adapters.mosquitto import Mosquitto, devices, lamp, until

    extra = f"set_tcp_nodelay {str(no_delay).lower()}\n"
    with Mosquitto(folder / "broker", extra=extra) as broker, devices(broker.port) as gateway:
        for number in range(num_devices):
            lamp(gateway, f"lamp{number}")
        connection = {"adapter": "mqtt", "addresses": [f"127.0.0.1:{broker.port}"]}
        began = time.monotonic()
        home = Household(make_world({"name": "bench", "connections": [connection]}))
        home.start()
        try:
            assert home.wait(60)
            found = time.monotonic() - began
            assert len(home.world.entities) == num_devices
            milliseconds = []
            for number in range(COMMANDS):
                call = Call(
                    "set", f"light.lamp{number % num_devices}", {"brightness": 10 + number % 80}
                )
                began = time.perf_counter()
                assert home.carry_out(call).outcome == "done"
                milliseconds.append(1000 * (time.perf_counter() - began))
            runner = home._adapters[0].runner
            memory = [_mebibytes(one) for one in (runner.process, runner._door.process.pid)]
            broker.stop()
            until(lambda: not home.status()[0].connected)
            broker.start()
            began = time.monotonic()
            until(lambda: home.status()[0].connected)
            back = time.monotonic() - began
            told = len(gateway.executed)
        finally:
            home.close()
    milliseconds.sort()
    return {
        "broker sends at once": no_delay,
        "devices": num_devices,
        "found after (s)": round(found, 2),
        "commands": COMMANDS,
        "carried out": told,
        "median (ms)": round(statistics.median(milliseconds), 2),
        "95th percentile (ms)": round(milliseconds[int(COMMANDS * 0.95)], 2),
        "adapter (MiB)": memory[0],
        "door (MiB)": memory[1],
        "connected again after (s)": round(back, 2),
    }


def _mebibytes(process: int | None) -> int:
    """The proportional memory of a process."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    kibibytes = next(int(one.split()[1]) for one in lines if one.startswith("Pss:"))
    return round(kibibytes / 1024)


if __name__ == "__main__":
    main()
