"""Threads and instruction set from the machine and the environment."""

import os
from pathlib import Path

import pytest

from qingyu.engine.settings import EngineSettings, usable_cores
from qingyu.errors import InvalidRequestError


def machine(
    root: Path,
    siblings: dict[int, str],
    *,
    group: str = "0::/",
    quotas: dict[str, str] | None = None,
) -> dict[str, Path]:
    for cpu, text in siblings.items():
        folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(text + "\n")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group + "\n")
    for name, text in (quotas or {}).items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return {"sys": root / "sys", "proc": root / "proc"}


@pytest.fixture
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})


@pytest.mark.usefixtures("four_processors")
class TestUsableCores:
    def test_hardware_threads_of_a_core_count_once(self, tmp_path: Path) -> None:
        paths = machine(tmp_path, {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"})
        assert usable_cores(**paths) == 2

    def test_without_topology_every_processor_counts(self, tmp_path: Path) -> None:
        assert usable_cores(**machine(tmp_path, {})) == 4

    def test_affinity_bounds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1})
        assert usable_cores(**machine(tmp_path, {0: "0", 1: "1"})) == 1

    @pytest.mark.parametrize(
        ("group", "quotas", "cores"),
        [
            ("0::/", {"cpu.max": "max 100000"}, 4),
            ("0::/", {"cpu.max": "250000 100000"}, 2),
            ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
            ("0::/", {"cpu.max": "50000 100000"}, 1),
            (
                "3:cpu,cpuacct:/x",
                {
                    "cpu,cpuacct/x/cpu.cfs_quota_us": "200000",
                    "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
                },
                2,
            ),
            ("3:memory:/x", {"memory/x/cpu.max": "100000 100000"}, 4),
            ("0::/", {"cpu.max": "nonsense"}, 4),
        ],
    )
    def test_control_group_quota_bounds(
        self, tmp_path: Path, group: str, quotas: dict[str, str], cores: int
    ) -> None:
        siblings = {cpu: str(cpu) for cpu in range(4)}
        assert usable_cores(**machine(tmp_path, siblings, group=group, quotas=quotas)) == cores

    def test_elsewhere_the_system_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "sched_getaffinity")
        assert usable_cores() == max(1, os.cpu_count() or 1)


def test_environment_fills_what_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QINGYU_THREADS", "3")
    monkeypatch.setenv("QINGYU_ISA", "avx2")
    assert EngineSettings.from_environment() == EngineSettings(threads=3, instruction_set="avx2")
    assert EngineSettings.from_environment(threads=5).threads == 5
    monkeypatch.setenv("QINGYU_THREADS", "")
    assert EngineSettings.from_environment().threads == usable_cores()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "1025", "1_0", "٣"])
def test_a_wrong_number_of_threads_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("QINGYU_THREADS", text)
    with pytest.raises(InvalidRequestError, match="1024"):
        EngineSettings.from_environment()
