"""The real application on a loopback port, with a fake model that answers as told.

with serving({"Hi": "Hello there"}) as server:
    openai.OpenAI(base_url=server.url + "/v1", api_key="none")
    server.post("/v1/chat/completions", {...})
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx

from fakes import EOS, TURN, fake_model
from qingyu.engine.scheduler import Scheduler, SchedulerSettings
from qingyu.serve.server import make_server
from qingyu.serve.service import Engine, Service
from qingyu.serve.settings import Limits, ServeSettings

_LEAD = tuple(b"assistant: ")


class Server(NamedTuple):
    """A running server and the engine behind it."""

    url: str
    model: Any
    scheduler: Scheduler
    service: Service

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        """A JSON request."""
        return httpx.post(self.url + path, json=body, timeout=30, **options)

    def events(self, path: str, body: Mapping[str, Any]) -> list[Any]:
        """The data of a streamed answer's events; "[DONE]" as it is."""
        answer = self.post(path, {**body, "stream": True})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        return [data if data == "[DONE]" else json.loads(data) for _, data in sse(answer.text)]


def sse(text: str) -> list[tuple[str | None, str]]:
    """(name, data) of each event, by the HTML standard's rules as far as this server uses them."""
    assert text.endswith("\n\n")
    found = []
    for block in text[:-2].split("\n\n"):
        name, data = None, []
        for line in block.split("\n"):
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            else:
                assert line.startswith(":"), line
        if data:
            assert len(data) == 1
            found.append((name, data[0]))
    return found


def answering(answers: Mapping[str, str]) -> Any:
    """A script for the fake model: the answer to the last message of a conversation, or to a
    prompt that is not one."""
    table = {question.encode(): (*answer.encode(), EOS) for question, answer in answers.items()}

    def next_token(history: tuple[int, ...]) -> int | None:
        if TURN not in history:
            said: tuple[int, ...] = history
            for question, answer in table.items():
                for done in range(len(answer)):
                    if said == (*question, *answer[:done]):
                        return answer[done]
            return None
        end = len(history) - 1 - history[::-1].index(TURN)
        start = end - history[:end][::-1].index(TURN) if TURN in history[:end] else 0
        text = bytes(history[start:end]).partition(b": ")[2]
        answer = table.get(text, ())
        done = len(history) - end - 1 - len(_LEAD)
        if history[end + 1 : end + 1 + len(_LEAD)] != _LEAD or done >= len(answer):
            return None
        return answer[done] if history[len(history) - done :] == answer[:done] else None

    return next_token


@contextlib.contextmanager
def serving(
    answers: Mapping[str, str] | None = None,
    *,
    model: Any = None,
    settings: ServeSettings | None = None,
    limits: Limits | None = None,
    scheduling: SchedulerSettings | None = None,
    context: int = 4096,
    home: Any = None,
) -> Iterator[Server]:
    """See the module. home: a household to speak to."""
    if model is None:
        model = fake_model(
            script=answering(answers or {}),
            context=context,
            kv_tokens=8 * context,
            chunk_tokens=256,
        )
    scheduler = Scheduler(model, scheduling)
    service = Service(
        settings=settings or ServeSettings(limits=limits or Limits()),
        engine=Engine(model=model, scheduler=scheduler),
        assists=home is not None,
        home=home,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = make_server(service)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        port = listener.getsockname()[1]
        yield Server(f"http://127.0.0.1:{port}", model, scheduler, service)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        scheduler.close()
    assert not thread.is_alive(), "the server did not stop"
