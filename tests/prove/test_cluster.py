"""A local Ray of two workers gives what one process gives; without Ray it says how to get it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType

from qingyu.errors import EndpointError, InvalidRequestError
from qingyu.prove.cluster import RayAnswerer
from reference import random_models


def test_without_ray_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = importlib.import_module

    def lacking(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.setattr(importlib, "import_module", lacking)
    with pytest.raises(EndpointError, match=r"needs Ray: pip install 'qingyu\[cluster\]'"):
        RayAnswerer(address="local")


def test_no_workers_is_an_error() -> None:
    with pytest.raises(InvalidRequestError, match="workers is 0; it must be at least 1"):
        RayAnswerer(address="local", workers=0)


def test_a_ray_client_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="a Ray client cannot stream answers"):
        RayAnswerer(address="ray://127.0.0.1:10001")


def test_the_module_does_without_ray() -> None:
    code = "import sys, qingyu.prove.cluster; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def of_session(session: int) -> list[str]:
    """Command lines of processes in a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_two_workers_give_what_one_process_gives(tmp_path: Path) -> None:
    path = random_models.write(
        tmp_path / "small.gguf", random_models.FAMILIES["llama"], GGMLQuantizationType.Q8_0
    )
    child = Path(__file__).with_name("cluster_child.py")
    paths = os.pathsep.join(str(folder) for folder in child.parents[1:3])
    process = subprocess.Popen(
        [sys.executable, str(child), str(path), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    said = json.loads(output.splitlines()[-1])
    assert said["logits"], "the same answers and log-probabilities"
    assert said["resumed"] == 10, "a cluster's journal is good for one process"
    assert said["ended"], "a Ray of its own ends with it"
    assert said["token"] == ["token", 64], "nobody else may use it"
    assert said["deaths"] == 1
    assert said["texts"], "the same texts, though a worker died"
    assert said["left running"], "somebody else's Ray goes on"
    assert "it should be abababababababab…" in said["other file"]
    assert "no-such-model" in said["no model"]
    assert "3 workers of 1 threads need 3 processors; the cluster has 2" in said["processors"]
    assert not of_session(process.pid)
