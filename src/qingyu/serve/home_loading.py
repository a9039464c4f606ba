"""Opens a household for a server: what must come before the seal, and what comes after.

    plan = plan_home("attic_flat", skill=None)     # its file, the ways to its devices
    seal.prepare(read=plan.read, write=plan.write)
    with open_home(plan, service): ...             # database, models; service.home is there

Knows neither flags nor HTTP. `plan.devices` are to be closed by whoever made the plan.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qingyu.act.chat_model import ModelChat
from qingyu.act.households import open_household, record_files
from qingyu.act.skill.model import open_skill, skill_files
from qingyu.errors import QingyuError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.act.devices import Devices
    from qingyu.act.world import World
    from qingyu.serve.service import Service

_MOST_SECONDS = 30.0
"""For a reply of the chat model: the household waits meanwhile."""


@dataclass(frozen=True, kw_only=True)
class HomePlan:
    """read, write: files and folders the server needs for it. skill: as `open_skill` has it."""

    world: World
    devices: Devices
    database: Path
    skill: str | None
    read: tuple[Path, ...]
    write: tuple[Path, ...]


def plan_home(name: str, skill: str | None = None) -> HomePlan:
    """Read a household's file and open the ways to its devices; starts no thread.

    name: one that ships, or a file. Raises WorldError, and ModelNotFoundError for a skill model
    that is not there.
    """
    world = open_household(name)
    files = record_files(world)
    files.state.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    read = skill_files(skill)
    return HomePlan(
        world=world,
        devices=_devices(world, files.state),
        database=files.database,
        skill=skill,
        read=read,
        write=(files.state.parent,),
    )


def _devices(world: World, file: Path) -> Devices:
    if world.connections:
        from qingyu.act.adapters.household import Household

        return Household(world, file=file)
    from qingyu.act.simulator import Simulator

    return Simulator(world, file=file)


@contextmanager
def open_home(plan: HomePlan, service: Service) -> Iterator[None]:
    """`service.home` until the end. Raises RecordsError, and what loading a model raises."""
    from qingyu.act.adapters.household import Household
    from qingyu.act.assistant import Assistant
    from qingyu.act.records.database import Database
    from qingyu.serve.home import Home

    devices, world = plan.devices, plan.world
    with Database.open(plan.database) as database, open_skill(plan.skill) as (skill, _):
        if isinstance(devices, Household):
            devices.start()
            devices.wait()
            world = devices.world
        chat = ServedChat(service)
        with Assistant(world, devices, database, skill=skill, chat=chat) as assistant:
            home = Home(assistant)
            try:
                if isinstance(devices, Household):
                    devices.on_world(home.use_world)
                assistant.start()
                service.home = home
                yield
            finally:
                service.home = None
                home.close()


class ServedChat(ModelChat):
    """Conversation with the model that is served, in the queue with everybody else."""

    def __init__(self, service: Service) -> None:
        super().__init__(None)
        self._service = service

    def generate(self, messages: Sequence[dict[str, str]]) -> str:
        engine = self._service.engine
        if engine is None:
            raise QingyuError(pick("The model is still loading.", "模型仍在加载。"))
        news = threading.Event()
        job = engine.scheduler.submit(
            engine.model.chat_tokens(messages),
            user="assist",
            deadline=_MOST_SECONDS,
            notify=news.set,
            sampling=self.sampling,
            max_tokens=self.max_tokens,
        )
        pieces = []
        while True:
            news.clear()
            update = job.take()
            pieces.append(update.text)
            if update.finished:
                break
            news.wait()
        _ = job.generation.result  # raises the error that ended it
        return "".join(pieces)
