"""What test_cluster.py runs in a process of its own: Ray leaves sockets and children to be
collected with the process, and it does not go with a guard on every socket.

    python cluster_child.py MODEL FOLDER       # prints one JSON object
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import qingyu
from prove.made_exams import made_exam
from qingyu.errors import EndpointError
from qingyu.prove.choices import ChoiceAnswerer
from qingyu.prove.cluster import RayAnswerer
from qingyu.prove.evaluation import evaluate
from qingyu.prove.exam import Exam
from qingyu.prove.results import Result
from qingyu.prove.writing import WritingAnswerer

SETTINGS: dict[str, Any] = {"workers": 2, "threads": 1, "activation_bits": 16, "max_tokens": 12}


def without_time(result: Result) -> str:
    record = result.to_json()
    del record["time"]
    return json.dumps(record, ensure_ascii=False)


def one_process(exam: Exam, path: Path, folder: Path) -> Result:
    with qingyu.load(path, activation_bits=16, threads=1) as model:
        if exam.method == "logits":
            return evaluate(exam, ChoiceAnswerer(model), folder)
        return evaluate(exam, WritingAnswerer(model, max_tokens=12), folder)


def refusal(**settings: Any) -> str:
    try:
        RayAnswerer(address="auto", **{**SETTINGS, "workers": 1, **settings}).close()
    except EndpointError as error:
        return str(error)
    return ""


def main(path: Path, folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = {}
    exam = made_exam(method="logits", shots=1, questions_each=5)
    alone = one_process(exam, path, folder / "alone")
    with RayAnswerer(address="local", model=path, method="logits", **SETTINGS) as answerer:
        spread = evaluate(exam, answerer, folder / "spread")
    said["logits"] = without_time(spread) == without_time(alone)
    said["resumed"] = one_process(exam, path, folder / "spread").time["resumed"]

    import ray

    said["ended"] = not ray.is_initialized()
    said["token"] = os.environ["RAY_AUTH_MODE"], len(os.environ["RAY_AUTH_TOKEN"])
    # From here on one Ray that others started, as a cluster is.
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100 << 20,
        _node_ip_address="127.0.0.1",
    )
    exam = made_exam(method="generate", shots=1, questions_each=12)
    alone = one_process(exam, path, folder / "alone-texts")
    with RayAnswerer(address="auto", model=path, method="generate", **SETTINGS) as answerer:
        about = ray.get(answerer._workers[0].start.remote())
        os.kill(about["process"], signal.SIGKILL)
        spread = evaluate(exam, answerer, folder / "spread-texts")
        said["deaths"] = answerer._deaths
    said["texts"] = without_time(spread) == without_time(alone)
    said["left running"] = ray.is_initialized()
    said["other file"] = refusal(model=path, sha256="ab" * 32)
    said["no model"] = refusal(model="no-such-model")
    said["processors"] = refusal(model=path, workers=3)
    ray.shutdown()
    return said


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
