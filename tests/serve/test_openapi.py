"""The description is true: a stranger that reads it and tries everything finds no fault."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema
import pytest

from qingyu.serve.app import OPERATIONS
from tests.serve.serving import Server, serving

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving({"Hi": "Hello"}, context=512) as server:
        yield server


def test_it_is_openapi_and_its_schemas_are_schemas(server: Server) -> None:
    found = httpx.get(server.url + "/openapi.json", timeout=20).json()
    assert found["openapi"] == "3.1.0"
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    references = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                references.add(value["$ref"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(found)
    for reference in references:
        assert reference.rpartition("/")[2] in found["components"]["schemas"], reference


def test_real_answers_are_as_described(server: Server) -> None:
    found = httpx.get(server.url + "/openapi.json", timeout=20).json()
    messages = [{"role": "user", "content": "Hi"}]
    for path, body in (
        ("/v1/chat/completions", {"messages": messages, "logprobs": True, "top_logprobs": 2}),
        ("/v1/completions", {"prompt": "Hi", "logprobs": 1}),
        ("/v1/responses", {"input": "Hi"}),
        ("/tokenize", {"text": "Hi"}),
    ):
        answer = server.post(path, body)
        assert answer.status_code == 200, answer.text
        responses = found["paths"][path]["post"]["responses"]
        schema = {
            **responses["200"]["content"]["application/json"]["schema"],
            "components": found["components"],
        }
        jsonschema.Draft202012Validator(schema).validate(answer.json())


def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        server.url + "/openapi.json",
        "--checks",
        ",".join(CHECKS),
        "--max-examples",
        "12",
        "--seed",
        "7",
        "--phases",
        "examples,coverage,fuzzing",
        "--request-timeout",
        "30",
        "--no-color",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"Tested: {len(OPERATIONS)}" in done.stdout, done.stdout
