"""Packages of registries: stand-ins for the clients, real archives."""

from __future__ import annotations

import io
import shutil
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from qingyu.errors import DataError, DownloadError, OfflineError
from qingyu.make.data import packages
from qingyu.make.data.packages import Package, fetch, fetched, folder_of


def client(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """Put a program of that name first in PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def npm_archive(path: Path, extra: str = "package/text/poem.txt") -> None:
    with tarfile.open(path, "w:gz") as bundle:
        for name, text in (
            ("package/package.json", '{"version": "1.2.0", "license": "MIT"}'), (extra, "诗"),
        ):  # fmt: skip
            raw = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            bundle.addfile(member, io.BytesIO(raw))


def test_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_archive(tmp_path / "poems.tgz")
    script = f'echo "$@" >> {tmp_path}/calls; cp {tmp_path}/poems.tgz poems-1.2.0.tgz\n'
    client(tmp_path / "bin", monkeypatch, "npm", script)
    found = fetch("npm:poems")
    assert found == Package(
        spec="npm:poems", version="1.2.0", licence="MIT", file="poems-1.2.0.tgz"
    )
    assert (folder_of("npm:poems") / "files/package/text/poem.txt").read_text() == "诗"
    assert fetch("npm:poems") == fetched("npm:poems") == found
    assert (tmp_path / "calls").read_text() == "pack --ignore-scripts --silent poems\n"


def test_a_package_reaches_nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_archive(tmp_path / "bad.tgz", "../../outside.txt")
    client(tmp_path / "bin", monkeypatch, "npm", f"cp {tmp_path}/bad.tgz bad.tgz\n")
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        fetch("npm:bad")
    assert fetched("npm:bad") is None
    assert not list(packages.cache_folder().glob("*"))


def test_wheels(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("x/text.txt", "a")
        bundle.writestr("x-1.dist-info/METADATA", "Name: x\nVersion: 1\nLicense-Expression: MIT\n")
    (tmp_path / "files").mkdir()
    assert packages._unpack("pypi", "pypi:x", path, tmp_path / "files") == Package(
        spec="pypi:x", version="1", licence="MIT", file="x.whl"
    )
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("../y.txt", "a")
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        packages._unpack("pypi", "pypi:x", path, tmp_path / "files")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb on this system")
def test_debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    control = "Package: poems\nVersion: 2-1\nArchitecture: all\nMaintainer: a\nDescription: b\n"
    (root / "DEBIAN/control").write_text(control)
    (root / "DEBIAN/postinst").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (root / "DEBIAN/postinst").chmod(0o755)
    document = root / "usr/share/doc/poems"
    document.mkdir(parents=True)
    (document / "copyright").write_text("License: GPL-2+\nLicense: CC-BY-SA-3.0\n text\n")
    subprocess.run(
        ["dpkg-deb", "-b", "--root-owner-group", root, tmp_path / "poems.deb"],
        check=True, capture_output=True,
    )  # fmt: skip
    client(tmp_path / "bin", monkeypatch, "apt-get", f"cp {tmp_path}/poems.deb poems_2-1.deb\n")
    found = fetch("debian:poems")
    assert (found.version, found.licence) == ("2-1", "GPL-2+, CC-BY-SA-3.0")
    assert (folder_of("debian:poems") / "files/usr/share/doc/poems/copyright").is_file()
    assert not (tmp_path / "ran").exists()


def test_what_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path / "bin", monkeypatch, "npm", "echo 'no such package' >&2; exit 1\n")
    with pytest.raises(DownloadError, match="failed: no such package"):
        fetch("npm:none")
    client(tmp_path / "bin", monkeypatch, "npm", "exit 0\n")
    with pytest.raises(DownloadError, match="0 files"):
        fetch("npm:none")
    for name in ("npm:-rf", "npm:a b", "npm:../x", "npm:$(x)"):
        with pytest.raises(DataError, match="no package name"):
            fetch(name)
    monkeypatch.setenv("QINGYU_OFFLINE", "1")
    with pytest.raises(OfflineError):
        fetch("npm:none")
