"""The routes under /assist: a household to speak to and to look at; only with `serve --assist`.

    app routes: *assist.routes()
    POST /assist/say {"text": "打开台灯"}       # AnswerObject
    GET /assist/events                         # what changes, as server-sent events

Shapes are in `assist_schema`, what happens is in `home`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from qingyu.serve import page
from qingyu.serve.assist_schema import (
    AnswerObject,
    HomeState,
    MemoryList,
    OneOrAll,
    SayRequest,
    ScheduleList,
    UndoRequest,
)
from qingyu.serve.limits import parse, read_json
from qingyu.serve.openapi import Operation
from qingyu.serve.service import Service
from qingyu.serve.sse import EventStream, event

if TYPE_CHECKING:
    from qingyu.serve.home import Watcher


def routes() -> list[Route]:
    return [
        Route("/assist", show_page),
        Route("/assist/state", state),
        Route("/assist/events", events),
        Route("/assist/say", say, methods=["POST"]),
        Route("/assist/undo", undo, methods=["POST"]),
        Route("/assist/memory", memory),
        Route("/assist/memory/forget", forget, methods=["POST"]),
        Route("/assist/schedules", schedules),
        Route("/assist/schedules/cancel", cancel, methods=["POST"]),
    ]


OPERATIONS = (
    Operation(
        path="/assist/state", method="get", summary="A household and how it is", response=HomeState
    ),
    Operation(
        path="/assist/events",
        method="get",
        summary="What changes, as it does",
        content_type="text/event-stream",
    ),
    Operation(
        path="/assist/say",
        method="post",
        summary="Say what shall happen",
        request=SayRequest,
        response=AnswerObject,
    ),
    Operation(
        path="/assist/undo",
        method="post",
        summary="Take back the last turn",
        request=UndoRequest,
        response=AnswerObject,
    ),
    Operation(path="/assist/memory", method="get", summary="What was taught", response=MemoryList),
    Operation(
        path="/assist/memory/forget",
        method="post",
        summary="Forget something for good",
        request=OneOrAll,
        response=MemoryList,
    ),
    Operation(
        path="/assist/schedules", method="get", summary="What is planned", response=ScheduleList
    ),
    Operation(
        path="/assist/schedules/cancel",
        method="post",
        summary="Plan something no more",
        request=OneOrAll,
        response=ScheduleList,
    ),
)


async def show_page(request: Request) -> Response:
    """The assistant's page."""
    return page.page(request.app.state.service, "assist.html")


async def state(request: Request) -> Response:
    """The household and how it is now."""
    service: Service = request.app.state.service
    return JSONResponse(await asyncio.to_thread(service.home_ready().state))


async def events(request: Request) -> Response:
    """An endless stream: first the household as /assist/state has it, then every change."""
    service: Service = request.app.state.service
    watcher = service.home_ready().watch()
    return EventStream(_events(watcher), watcher)


async def _events(watcher: Watcher) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(watcher.events()) as told:
        async for one in told:
            yield event(one, name=one["type"])


async def say(request: Request) -> Response:
    """A sentence, and what came of it."""
    service: Service = request.app.state.service
    home = service.home_ready()
    body = parse(SayRequest, await read_json(request, service.settings.limits))
    return JSONResponse(
        await home.do(lambda: home.say(body.text, body.speaker, body.language, body.turn))
    )


async def undo(request: Request) -> Response:
    """The last turn is taken back."""
    service: Service = request.app.state.service
    home = service.home_ready()
    body = parse(UndoRequest, await read_json(request, service.settings.limits))
    return JSONResponse(await home.do(lambda: home.undo(body.speaker, body.language)))


async def memory(request: Request) -> Response:
    """What was taught."""
    service: Service = request.app.state.service
    return JSONResponse({"data": await asyncio.to_thread(service.home_ready().memory)})


async def forget(request: Request) -> Response:
    """Forget for good; what is left."""
    service: Service = request.app.state.service
    home = service.home_ready()
    body = parse(OneOrAll, await read_json(request, service.settings.limits))
    return JSONResponse({"data": await home.do(lambda: home.forget(body.id))})


async def schedules(request: Request) -> Response:
    """What is planned."""
    service: Service = request.app.state.service
    return JSONResponse({"data": await asyncio.to_thread(service.home_ready().schedules)})


async def cancel(request: Request) -> Response:
    """Plan it no more; what is left."""
    service: Service = request.app.state.service
    home = service.home_ready()
    body = parse(OneOrAll, await read_json(request, service.settings.limits))
    return JSONResponse({"data": await home.do(lambda: home.cancel(body.id))})
