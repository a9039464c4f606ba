"""The `model` field as base:adapter, on every endpoint."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from gguf import GGMLQuantizationType

from fakes import fake_model
from qingyu.serve.loading import Plan, load_engine
from qingyu.serve.service import Service
from qingyu.serve.settings import ServeSettings
from reference import random_adapters, random_models
from serve.serving import Server, serving

MESSAGES = [{"role": "user", "content": "Hi"}]
NAMES = ("poet", "clerk")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(model=fake_model(adapters=NAMES, context=512, kv_tokens=4096)) as server:
        yield server


def expected(adapter: str | None) -> str:
    model = fake_model(adapters=NAMES)
    return model.chat(MESSAGES, max_tokens=8, adapter=adapter).read().text


@pytest.mark.parametrize("adapter", [None, *NAMES])
@pytest.mark.parametrize("base", ["fake", "default"])
def test_chat(server: Server, base: str, adapter: str | None) -> None:
    name = base if adapter is None else f"{base}:{adapter}"
    body = {"model": name, "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
    answer = server.post("/v1/chat/completions", body).json()
    assert answer["choices"][0]["message"]["content"] == expected(adapter)
    full = "fake" if adapter is None else f"fake:{adapter}"
    assert answer["model"] == full
    assert answer["system_fingerprint"].endswith(full)
    chunks = server.events("/v1/chat/completions", body)[:-1]
    assert {chunk["model"] for chunk in chunks} == {full}
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == expected(adapter)


def test_completions_and_responses(server: Server) -> None:
    body: dict[str, Any] = {"model": "fake:poet", "prompt": "Hi", "max_tokens": 8, "temperature": 0}
    answer = server.post("/v1/completions", body).json()
    wanted = fake_model(adapters=NAMES).generate("Hi", max_tokens=8, adapter="poet").read().text
    assert (answer["choices"][0]["text"], answer["model"]) == (wanted, "fake:poet")
    body = {"model": "fake:clerk", "input": "Hi", "max_output_tokens": 16, "temperature": 0}
    answer = server.post("/v1/responses", body).json()
    wanted = fake_model(adapters=NAMES).chat(MESSAGES, max_tokens=16, adapter="clerk").read().text
    assert answer["model"] == "fake:clerk"
    assert answer["output"][0]["content"][0]["text"] == wanted


def test_models_are_listed(server: Server) -> None:
    with openai.OpenAI(base_url=server.url + "/v1", api_key="none") as client:
        cards = list(client.models.list())
        assert [card.id for card in cards] == ["fake", "fake:poet", "fake:clerk"]
        for name, parent, rank in (("fake", None, None), ("fake:poet", "fake", 4)):
            card = client.models.retrieve(name).model_dump()
            assert (card["id"], card["parent"], card["rank"]) == (name, parent, rank)


@pytest.mark.parametrize(
    "name", ["fake:painter", "other:poet", "poet", ":poet", "fake:", "fake:poet:clerk", "other"]
)
def test_another_name_is_a_404(server: Server, name: str) -> None:
    asked = (
        ("/v1/chat/completions", {"messages": MESSAGES}),
        ("/v1/completions", {"prompt": "Hi"}),
        ("/v1/responses", {"input": "Hi"}),
    )
    for path, body in asked:
        answer = server.post(path, {"model": name, **body})
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert "'fake:poet'" in error["message"]


def test_a_server_loads_them(tmp_path: Path) -> None:
    shape = random_models.FAMILIES["llama"]
    base = random_models.write(tmp_path / "base.gguf", shape, GGMLQuantizationType.Q8_0)
    made = random_adapters.random_adapter(shape, rank=2)
    file = random_adapters.write(tmp_path / "poet.gguf", "llama", made)
    service = Service(settings=ServeSettings())
    engine = load_engine(Plan(model=str(base), adapters={"poet": file}), service)
    service.engine = engine
    try:
        assert service.model_names == ("base", "base:poet")
    finally:
        engine.scheduler.close()
        engine.model.close()


def test_the_command_reads_them_behind_the_lock(tmp_path: Path) -> None:
    """The real program, sealed: the adapter's file is among what it may still read."""
    shape = random_models.FAMILIES["llama"]
    base = random_models.write(tmp_path / "base.gguf", shape, GGMLQuantizationType.Q8_0)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    made = random_adapters.random_adapter(shape, rank=2)
    file = random_adapters.write(folder / "poet.gguf", "llama", made)
    command = [sys.executable, "-m", "qingyu", "serve", "--model", str(base), "--threads", "1"]
    command += ["--unix", str(tmp_path / "s"), "--adapter", f"poet={file}", "--kv-memory", "8M"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "with adapters as base:poet" in line:
                break
        else:
            pytest.fail("".join(lines))
        transport = httpx.HTTPTransport(uds=str(tmp_path / "s"))
        with httpx.Client(transport=transport, base_url="http://localhost", timeout=30) as client:
            body = {"model": "base:poet", "messages": MESSAGES, "max_tokens": 3}
            answer = client.post("/v1/chat/completions", json=body)
            assert (answer.status_code, answer.json()["model"]) == (200, "base:poet")
    finally:
        process.terminate()
        process.communicate(timeout=30)
