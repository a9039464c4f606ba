"""`qingyu assist`: say what shall happen at home, on the phone, in the car; see what changed.

    qingyu assist                                        # a conversation in a simulated flat
    qingyu assist --world lakeside_house --speaker dora "关灯"
    qingyu assist --world home.yaml --json "Is the door locked?"

Replies go to stdout, what changed and why to stderr. From a pipe every line is a sentence.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu.cli import common, flags
from qingyu.cli.chat import next_line
from qingyu.errors import InvalidRequestError, QingyuError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.act.assistant import Assistant, Fired
    from qingyu.act.devices import Devices
    from qingyu.act.world import World
    from qingyu.cli.assist_commands import Commands
    from qingyu.cli.lines import LineReader


def register(app: typer.Typer) -> None:
    app.command(
        "assist",
        short_help=pick("Control home, phone, car and robot", "控制家居、手机、汽车与机器人"),
        help=pick(
            "Say what shall happen, and see what changed and why. The household is a YAML file or"
            " one that ships; its devices are simulated unless the file names real ones. /help"
            " lists what can be done meanwhile.",
            "说出想做的事，看到改变了什么以及原因。家庭由 YAML 文件描述，也有自带的；"
            "除非文件中写明真实设备，设备均为模拟。/help 列出可用命令。",
        ),
    )(assist)


def assist(
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            show_default=False,
            help=pick("one sentence; without it, a conversation", "一句话；省略则进入对话"),
        ),
    ] = None,
    world: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help=pick(
                "household: attic_flat, lakeside_house, city_car, amei_phone, scout, or a file",
                "家庭：attic_flat、lakeside_house、city_car、amei_phone、scout，或文件",
            ),
        ),
    ] = "attic_flat",
    speaker: Annotated[
        str | None,
        typer.Option(
            metavar="AREA",
            show_default=pick("as the household says", "按家庭文件"),
            help=pick("where you are: an area's name, or -", "你所在的区域名称，或 -"),
        ),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help=pick(
                "begin with devices as the file says, not as they were left",
                "设备恢复为文件中的状态，而非上次的状态",
            ),
        ),
    ] = False,
    chat: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            show_default=pick("none", "无"),
            help=pick("model that talks where nothing is to be done", "闲聊时使用的模型"),
        ),
    ] = None,
    skill: Annotated[str | None, flags.skill()] = None,
    as_json: Annotated[bool, flags.as_json()] = False,
) -> None:
    from qingyu.act.adapters.household import Household
    from qingyu.act.assistant import Assistant
    from qingyu.act.chat_model import ModelChat
    from qingyu.act.households import open_household, record_files
    from qingyu.act.records.database import Database
    from qingyu.act.skill.model import open_skill, what_is_missing

    household = open_household(world)
    area = speaking_area(household, speaker)
    files = record_files(household)
    if fresh:
        files.state.unlink(missing_ok=True)
    with (
        Database.open(files.database) as database,
        closing(open_devices(household, files.state)) as devices,
        open_skill(skill) as (understanding, _),
    ):
        if missing := what_is_missing(skill):
            common.notice(missing)
        talker = None if chat is None else ModelChat(common.open_model(chat))
        if isinstance(devices, Household):
            household = devices.world
        with Assistant(household, devices, database, skill=understanding, chat=talker) as assistant:
            if isinstance(devices, Household):
                devices.on_world(assistant.use_world)
            if text is not None:
                catch_up(assistant, quiet=as_json)
                one_sentence(assistant, text, area, as_json=as_json)
            else:
                converse(assistant, area, as_json=as_json)


def open_devices(world: World, file: Path) -> Devices:
    """The simulator, or where the household's file names real devices the ways to those; the
    process is sealed in between, where it is to be."""
    from qingyu.act.adapters.household import Household
    from qingyu.act.simulator import Simulator

    devices = Household(world, file=file) if world.connections else Simulator(world, file=file)
    if common.locks_late:
        common.lock_now()
    if isinstance(devices, Household):
        devices.start()
        devices.wait()
        for one in devices.status():
            where = ", ".join(f"{host}:{port}" for host, port in one.addresses)
            found = pick(f"{one.num_devices} devices", f"{one.num_devices} 个设备")
            common.notice(f"{one.adapter} {where}: {found if one.connected else one.detail}")
    return devices


def speaking_area(world: World, given: str | None) -> str:
    """The id of an area by id or name, "" for "-". Raises InvalidRequestError for
    one that is not there."""
    if given is None:
        return world.speaker
    if given == "-":
        return ""
    if world.area(given) is not None:
        return given
    named = world.areas_named(given)
    if len(named) != 1:
        known = ", ".join(one.id for one in world.areas)
        raise InvalidRequestError(
            pick(
                f"{given!r} is no area; there are {known}",
                f"{given!r} 不是区域；已有 {known}",
            ),
            param="speaker",
        )
    return named[0].id


def one_sentence(assistant: Assistant, text: str, area: str, *, as_json: bool) -> None:
    from qingyu.cli.assist_view import show

    answer = assistant.say(text, area)
    if as_json:
        common.print_json(answer.as_json())
    else:
        show(answer, assistant.world)


def catch_up(assistant: Assistant, *, quiet: bool) -> None:
    """What is due, and what went wrong while nobody looked."""
    from qingyu.cli.assist_view import fired_lines, news_line

    for fired in assistant.tick():
        for line in [] if quiet else fired_lines(fired, assistant.world):
            common.notice(line)
    for one in assistant.news():
        common.notice(news_line(one))


def converse(assistant: Assistant, area: str, *, as_json: bool) -> None:
    """A conversation, on a terminal or from a pipe."""
    from qingyu.cli.assist_commands import Commands
    from qingyu.cli.assist_view import fired_lines
    from qingyu.cli.lines import LineReader
    from qingyu.models.store import home_folder

    reader = LineReader(history=home_folder() / "act" / "history")
    commands = Commands(assistant, area)

    def tell(fired: Fired) -> None:
        for line in fired_lines(fired, assistant.world):
            common.notice(line)

    try:
        catch_up(assistant, quiet=as_json)
        if reader.interactive:
            greet(assistant, area)
            assistant.listen(tell)
            assistant.start()
        follow(assistant, commands, reader, as_json=as_json)
    finally:
        reader.close()


def follow(assistant: Assistant, commands: Commands, reader: LineReader, *, as_json: bool) -> None:
    """Line after line until there is no more."""
    while (line := next_line(reader)) is not None:
        try:
            if line.startswith("/"):
                if not commands.run(line):
                    break
            elif line.strip():
                one_sentence(assistant, line, commands.area, as_json=as_json)
        except QingyuError as error:
            common.complain(str(error))


def greet(assistant: Assistant, area: str) -> None:
    """The first lines on a terminal."""
    from qingyu.text import language

    world = assistant.world
    where = world.area(area)
    place = where.name(language()) if where is not None else pick("somewhere", "未知位置")
    common.notice(
        pick(
            f"{world.name}: {len(world.entities)} devices; you are in: {place}",
            f"{world.name}：{len(world.entities)} 个设备；你在：{place}",
        )
    )
    common.notice(pick("/help lists commands, Ctrl-D leaves", "/help 列出命令，Ctrl-D 退出"))
