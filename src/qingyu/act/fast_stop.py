"""Whether somebody tells a robot to stop: in any wording, for stopping is never wrong.

is_stop("七号 停车", ["七号", "铁骡子"])     # True
is_stop("停一下音乐", [])                    # False: something else is to stop
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ZH = re.compile(
    r"(?:快|给我|赶紧|赶快|马上|立刻|立即|都|先|全|你|喂|哎|嘿|呃|嗯|紧急)*"
    r"(?:(?:停|站住|停下|停住|停车|停步|急停|刹车|刹住|别动|不要动|不许动|别走|不要走|不准动|立定|打住|住手|住脚"
    r"|停止|止步|定住|站着别动|原地别动|停停|暂停|停一哈|停一停|急刹)"
    r"(?:来|一下|下|住|了|吧|啊|呀|嘛|哈|撒|哦|喽|行动|移动|前进|运动)*)+"
)
_EN = re.compile(
    r"(?:(?:hey|whoa|woah|no|just|ok|please|now|robot|immediate|emergency|full)\s+)*"
    r"(?:(?:stop|halt|freeze|whoa|woah|brakes?|hold it|stand still|stay still|stay put|pull up"
    r"|do(?:n't| not) move|quit moving|stop moving|stop walking|cease all movement"
    r"|cease movement|hit the brakes|stop right there|stop there|stop it)"
    r"(?:\s+(?:now|right now|right there|there|immediately|at once|please|moving|it|stop))*\s*)+",
    re.IGNORECASE,
)


def is_stop(clause: str, names: Iterable[str]) -> bool:
    """Whether a cleaned clause, but for the name of a device at an end, is nothing but a stop."""
    text = clause.casefold().strip()
    if _matches(text):
        return True
    for name in names:
        if text.startswith(name) or text.endswith(name):
            rest = text.removeprefix(name) if text.startswith(name) else text.removesuffix(name)
            if _matches(rest.strip()):
                return True
    return False


def _matches(text: str) -> bool:
    return bool(_ZH.fullmatch(text.replace(" ", "")) or _EN.fullmatch(text))
