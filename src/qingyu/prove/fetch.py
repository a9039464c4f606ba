"""Bring a benchmark's questions to this machine, when asked to.

    folder = fetch_data(find("ceval"), home / "data")       # home/data/ceval

From the authors' own data sets on Hugging Face (HF_ENDPOINT for a mirror), once. The archive's
files are taken by the names we know, never by its own; every count is checked before the folder
gets its name. The licence lies beside them.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from qingyu.errors import DataError, OfflineError
from qingyu.models.download import discard, fetch
from qingyu.models.hashes import Progress, no_progress
from qingyu.models.pull import hub_endpoint, is_offline
from qingyu.prove.benchmarks import Benchmark
from qingyu.prove.questions import file_of, read
from qingyu.text import pick

_ARCHIVES = {
    "ceval": "datasets/ceval/ceval-exam/resolve/main/ceval-exam.zip",
    "cmmlu": "datasets/haonan-li/cmmlu/resolve/main/cmmlu_v1_0_1.zip",
}
_MAX_MEMBER_BYTES = 16 << 20


def licence_notice(benchmark: Benchmark) -> str:
    """What a person must know before the questions come here."""
    return pick(
        f"The questions of {benchmark.title} are the work of their authors ({benchmark.source}),"
        f" licensed {benchmark.licence}: not for commercial use, share alike, with attribution.",
        f"{benchmark.title} 的题目归其作者所有（{benchmark.source}），许可为"
        f" {benchmark.licence}：不得商用，须署名并以相同方式共享。",
    )


def fetch_data(benchmark: Benchmark, data: Path, *, progress: Progress = no_progress) -> Path:
    """Download the questions to data/<benchmark>; gives that folder.

    Raises OfflineError, DownloadError, and DataError when the archive is not as published.
    """
    if is_offline():
        raise OfflineError(
            pick(
                "the network is switched off (QINGYU_OFFLINE or HF_HUB_OFFLINE)",
                "网络已被关闭（QINGYU_OFFLINE 或 HF_HUB_OFFLINE）",
            )
        )
    base = hub_endpoint("HF_ENDPOINT", "https://huggingface.co")
    data.mkdir(parents=True, exist_ok=True)
    part = data / f".{benchmark.id}.zip.part"
    fetch(f"{base}/{_ARCHIVES[benchmark.id]}", part, progress=progress)
    staged = data / f".{benchmark.id}.new"
    shutil.rmtree(staged, ignore_errors=True)
    try:
        _unpack(benchmark, part, staged)
        for split in ("dev", *benchmark.splits):
            read(staged, benchmark, split, list(benchmark.subjects))
        (staged / "LICENCE.txt").write_text(licence_notice(benchmark) + "\n", encoding="utf-8")
        folder = data / benchmark.id
        if folder.exists():
            raise DataError(
                pick(
                    f"{folder} is there, and incomplete; move it away first",
                    f"{folder} 已存在且不完整；请先移走",
                )
            )
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        discard(part)
    return folder


def _unpack(benchmark: Benchmark, archive: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = set(bundle.namelist())
            for split in ("dev", *benchmark.splits):
                (target / split).mkdir(parents=True)
                for subject in benchmark.subjects:
                    path = file_of(target, benchmark, split, subject)
                    name = f"{split}/{path.name}"
                    if name not in members:
                        raise _refused(f"it lacks {name}", f"缺少 {name}")
                    if bundle.getinfo(name).file_size > _MAX_MEMBER_BYTES:
                        raise _refused(f"{name} is too large", f"{name} 过大")
                    path.write_bytes(bundle.read(name))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise _refused(str(error), str(error)) from None


def _refused(english: str, chinese: str) -> DataError:
    return DataError(
        pick(
            f"the archive that was downloaded is not as published: {english}",
            f"下载的压缩包与公布的不符：{chinese}",
        )
    )
