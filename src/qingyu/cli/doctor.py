"""`qingyu doctor`: what this machine can do, and what is installed.

qingyu doctor --json
qingyu doctor --network        # what the seal refuses, with the proof that it has to
"""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from qingyu.cli import common, flags, layout
from qingyu.text import pick

PACKAGES = (
    "qingyu",
    "numpy",
    "tokenizers",
    "jinja2",
    "httpx",
    "llguidance",
    "pydantic",
    "starlette",
    "uvicorn",
    "typer",
    "rich",
)


def register(app: typer.Typer) -> None:
    app.command(
        "doctor",
        short_help=pick("What this machine can do", "检查这台机器"),
        help=pick(
            "Show what this machine can do: processor, instruction sets, memory and its measured"
            " bandwidth, what is installed, and where models lie. Takes about two seconds.",
            "显示这台机器的能力：处理器、指令集、内存及实测带宽、已安装的组件和模型所在位置。约需两秒。",
        ),
    )(doctor)


def doctor(
    threads: Annotated[int | None, flags.threads()] = None,
    network: Annotated[
        bool,
        typer.Option(
            "--network",
            help=pick(
                "try every way out of the machine, unlocked and locked, and show what happened",
                "逐一尝试外连方式，先不封闭再封闭，并显示结果",
            ),
        ),
    ] = False,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    if network:
        show_network(as_json=as_json)
        return
    from qingyu.engine.machine import survey
    from qingyu.models.store import ModelStore

    machine = survey(threads=threads)
    store = ModelStore()
    home = store.home
    models = sorted(model.name for model in store.list())
    free = shutil.disk_usage(_existing(str(home))).free
    packages = {name: _version(name) for name in PACKAGES}
    variables = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith("QINGYU_") or name == "HF_ENDPOINT"
    }
    if as_json:
        common.print_json(
            {
                "machine": asdict(machine),
                "packages": packages,
                "home": str(home),
                "free_disk_bytes": free,
                "models": models,
                "variables": variables,
            }
        )
        return
    size = common.human_bytes
    rows: list[tuple[str, Any]] = [
        (pick("system", "系统"), machine.system),
        (pick("processor", "处理器"), machine.processor),
        (
            pick("cores", "核心"),
            pick(
                f"{machine.logical_cores} logical; Qingyu uses {machine.threads} threads",
                f"{machine.logical_cores} 个逻辑核心；轻语使用 {machine.threads} 个线程",
            ),
        ),
        (pick("instruction sets", "指令集"), ", ".join(machine.instruction_sets)),
        (
            pick("memory", "内存"),
            pick(
                f"{size(machine.memory_bytes)}, {size(machine.available_bytes)} available",
                f"{size(machine.memory_bytes)}，可用 {size(machine.available_bytes)}",
            ),
        ),
        (pick("memory bandwidth", "内存带宽"), f"{machine.bandwidth / 1e9:.1f} GB/s"),
        (pick("int8 peak", "int8 峰值"), f"{machine.int8_peak / 1e9:,.0f} Gop/s"),
        (
            pick("models", "模型"),
            ", ".join(models)
            or pick("none; bring one: qingyu pull default", "无；可用 qingyu pull default 获取"),
        ),
        (
            pick("where they lie", "模型位置"),
            pick(f"{home} ({size(free)} free)", f"{home}（剩余 {size(free)}）"),
        ),
        (
            pick("packages", "软件包"),
            ", ".join(
                f"{name} {found or pick('missing', '缺失')}" for name, found in packages.items()
            ),
        ),
        *((name, value) for name, value in variables.items()),
    ]
    for label, value in rows:
        print("\n".join(layout.two_columns([(layout.pad(label, 18), value)], total=96, indent=0)))


def show_network(*, as_json: bool) -> None:
    """The probe table; exit code 1 when the seal does not hold or nothing was proven."""
    from qingyu.serve.seal.probes import LAYERS, run_probes

    table = run_probes()
    if as_json:
        common.print_json(table.as_dict())
    else:
        titles = {
            "none": pick("unlocked", "未封闭"),
            "seccomp": "seccomp",
            "namespace": "namespace",
            "all": pick("sealed", "封闭"),
        }
        words = {"reached": pick("got out", "已连出"), "absent": pick("not here", "系统不支持")}
        widths = (32, 16, 12, 15, 12)
        print(_row(["", *(titles[layer] for layer in LAYERS)], widths))
        for probe in table.probes:
            outcomes = [
                # What gets out past a lock that is not there says nothing of the lock.
                "-" if layer in table.missing else probe.outcomes[layer]
                for layer in LAYERS
            ]
            print(_row([probe.title, *(words.get(one, one) for one in outcomes)], widths))
        print()
        for layer, why in table.missing.items():
            print(pick(f"{layer} is not to be had here: {why}", f"此处没有 {layer}：{why}"))
        print(_verdict(table.holds, any(not probe.refused for probe in table.probes)))
    if not table.holds:
        raise typer.Exit(1)


def _row(cells: list[str], widths: tuple[int, ...]) -> str:
    padded = (layout.pad(cell, width) for cell, width in zip(cells, widths, strict=True))
    return "".join(padded).rstrip()


def _verdict(holds: bool, leaks: bool) -> str:
    if holds:
        return pick(
            "The seal holds: every way that works unlocked is refused when sealed. Targets were"
            " listeners on this machine only.",
            "封闭有效：未封闭时可行的方式在封闭后全部被拒绝。目标仅为本机的监听端口。",
        )
    if leaks:
        return pick(
            "The seal does NOT hold: something got out while sealed.",
            "封闭无效：封闭后仍有方式可以连出。",
        )
    return pick(
        "Nothing is proven: some probe did not get out even while unlocked.",
        "无法证明：有的方式在未封闭时也未能连出。",
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _existing(folder: str) -> str:
    """The folder, or the nearest one above it that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
