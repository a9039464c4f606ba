"""What a line beginning with a slash does in `qingyu chat`.

    commands = Commands(conversation, open_model=open_model, folder=home / "chats")
    commands.run("/stats")       # False when the conversation is over

One method per command, named after it; its docstring is not the help, `HELP` is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qingyu.cli import common, layout
from qingyu.errors import InvalidRequestError
from qingyu.text import pick

if TYPE_CHECKING:
    from qingyu.cli.conversation import Conversation
    from qingyu.engine.model import Model


def help_rows() -> list[tuple[str, str]]:
    """Every command with what it does, in the language in force."""
    return [
        (
            "/reset",
            pick("forget the conversation, keep the system message", "清空对话，保留系统消息"),
        ),
        (
            "/system [TEXT]",
            pick("show or set the system message; - removes it", "显示或设置系统消息；- 为删除"),
        ),
        (
            "/model [MODEL]",
            pick("show or change the model; the conversation stays", "显示或更换模型，对话保留"),
        ),
        (
            "/adapter [NAME]",
            pick("show or change the adapter; none: without", "显示或更换适配器；none：不用"),
        ),
        ("/save [FILE]", pick("keep the conversation in a file", "把对话保存到文件")),
        ("/load FILE", pick("go on with a saved conversation", "继续已保存的对话")),
        ("/stats", pick("tokens, speed and room so far", "词元、速度与剩余空间")),
        ("/help", pick("this list", "本列表")),
        ("/quit", pick("leave; so does Ctrl-D", "退出，Ctrl-D 亦可")),
        (
            pick("end a line with \\", "行末加 \\"),
            pick("the message goes on in the next line", "消息在下一行继续"),
        ),
        ('"""', pick("begins and ends a message of several lines", "开始和结束多行消息")),
        ("Alt-Enter", pick("a line break in the message", "在消息中换行")),
        ("Ctrl-C", pick("stop the answer", "停止回答")),
    ]


class Commands:
    """`open_model` loads a model by reference; `folder` is where /save puts files."""

    def __init__(
        self, conversation: Conversation, *, open_model: Callable[[str], Model], folder: Path
    ) -> None:
        self.conversation = conversation
        self._open_model = open_model
        self._folder = folder

    def run(self, line: str) -> bool:
        """Run one command; False when it ends the conversation.

        Raises QingyuError with what to do instead when it cannot be done.
        """
        name, _, argument = line[1:].strip().partition(" ")
        if name in ("quit", "exit", "bye"):
            return False
        method = {
            "reset": self.reset,
            "system": self.system,
            "model": self.model,
            "adapter": self.adapter,
            "save": self.save,
            "load": self.load,
            "stats": self.stats,
            "help": self.help,
        }.get(name)
        if method is None:
            raise InvalidRequestError(
                pick(
                    f"there is no command /{name}; /help lists them",
                    f"没有命令 /{name}；/help 可列出全部命令",
                )
            )
        method(argument.strip())
        return True

    def reset(self, argument: str) -> None:
        self.conversation.reset()
        common.notice(pick("the conversation begins anew", "对话重新开始"))

    def system(self, argument: str) -> None:
        if argument:
            self.conversation.system = None if argument == "-" else argument
        shown = self.conversation.system
        common.notice(
            pick("no system message", "没有系统消息")
            if shown is None
            else pick(f"system message: {shown}", f"系统消息：{shown}")
        )

    def model(self, argument: str) -> None:
        if argument:
            old = self.conversation.model
            # The new one first: when it cannot be loaded, the conversation goes on as it was.
            self.conversation.model = self._open_model(argument)
            old.close()
            if self.conversation.adapter not in self.conversation.model.adapters:
                self.conversation.adapter = None
        common.notice(describe(self.conversation.model, self.conversation.adapter))

    def adapter(self, argument: str) -> None:
        known = (*self.conversation.model.adapters, common.NO_ADAPTER)
        if argument and argument not in known:
            raise InvalidRequestError(
                pick(
                    f"there is no adapter {argument!r}; there are: {', '.join(known)}",
                    f"没有适配器 {argument!r}；可用：{', '.join(known)}",
                )
            )
        if argument:
            self.conversation.adapter = None if argument == common.NO_ADAPTER else argument
        shown = self.conversation.adapter or common.NO_ADAPTER
        others = ", ".join(known)
        common.notice(pick(f"adapter: {shown} (of {others})", f"适配器：{shown}（可用：{others}）"))

    def save(self, argument: str) -> None:
        path = (
            Path(argument).expanduser()
            if argument
            else self._folder / time.strftime("%Y-%m-%d-%H%M%S.json")
        )
        self.conversation.save(path)
        common.notice(pick(f"saved to {path}", f"已保存到 {path}"))

    def load(self, argument: str) -> None:
        if not argument:
            raise InvalidRequestError(pick("/load needs a file", "/load 需要一个文件"))
        path = Path(argument).expanduser()
        if not path.is_absolute() and not path.exists():
            path = self._folder / path
        self.conversation.load(path)
        count = len(self.conversation.turns)
        common.notice(pick(f"{count} messages from {path}", f"从 {path} 读入 {count} 条消息"))

    def stats(self, argument: str) -> None:
        info, last = self.conversation.model.info, self.conversation.last
        used = 0 if last is None else last.prompt_tokens + len(last.tokens)
        rows = [
            (pick("model", "模型"), layout.clip(common.printable(info.name), 60)),
            (pick("messages", "消息"), str(len(self.conversation.turns))),
            (
                pick("context", "上下文"),
                pick(
                    f"{used:,} of {info.context:,} tokens, room for {info.context - used:,}",
                    f"{info.context:,} 词元中用了 {used:,}，还剩 {info.context - used:,}",
                ),
            ),
        ]
        if last is not None:
            rows.append((pick("last answer", "上一回答"), common.speed(last)))
            if last.seed is not None:
                rows.append((pick("seed", "种子"), str(last.seed)))
        for line in layout.table(rows):
            common.notice(line)

    def help(self, argument: str) -> None:
        for line in layout.two_columns(help_rows(), total=80):
            common.notice(line)


def describe(model: Model, adapter: str | None = None) -> str:
    """A loaded model in one line, with the adapter in use."""
    info = model.info
    matrices = {name: count for name, count in info.tensor_types.items() if name != "F32"}
    main_type = max(matrices, key=matrices.__getitem__, default="F32")
    named = () if adapter is None else (pick(f"adapter {adapter}", f"适配器 {adapter}"),)
    return " · ".join(
        (
            layout.clip(common.printable(info.name), 32),
            *named,
            main_type,
            common.human_bytes(info.weight_bytes),
            pick(f"{info.threads} threads", f"{info.threads} 线程"),
            pick(f"context {info.context:,}", f"上下文 {info.context:,}"),
        )
    )
