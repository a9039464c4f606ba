"""What people say or type in one script and width, cleaned, and cut into clauses.

clean("麻烦帮我把灯关一下。")       # "把灯关"
clauses("关射灯，开岛台灯")         # ["关射灯", "开岛台灯"]
"""

from __future__ import annotations

import re
import unicodedata

_TRADITIONAL = str.maketrans(
    "開關燈廳臥調溫電視風簾們閉鎖門廚間熱樓書裡裏聲點個機時鐘鬧單條車內後進啟動掃體靜紅綠藍黃顏設為換給幫請將處線導航話發訊號趴蹲轉節誰幾嗎麼這邊過還沒樣讓陽臺",
    "开关灯厅卧调温电视风帘们闭锁门厨间热楼书里里声点个机时钟闹单条车内后进启动扫体静红绿蓝黄颜设为换给帮请将处线导航话发讯号趴蹲转节谁几吗么这边过还没样让阳台",
)
_CUTS = re.compile(r"[,;!?，；。！？]|\.(?!\d)")
_ZH_START = re.compile(
    r"^(?:麻烦(?:你|您)?|帮我|帮忙|给我|请(?:你|您)?|劳驾|嗯+|呃+|啊+|哎|喂|那个|就是|快点?|你?能不能|可以|我想|我要)\s*"
)
_ZH_END = re.compile(
    r"\s*(?:一下|一下子|吧|啦|了|呗|哦|啊|呀|喽|嘛|哈|好吗|好不好|可以吗|行吗|行不行|谢谢(?:你|您|啦)?)$"
)
_EN_START = re.compile(
    r"^(?:please|kindly|could you|can you|would you|will you|i'd like you to|i want you to"
    r"|hey|ok|okay|um+|uh+|er+|erm|so|like|just|now)\b\s*",
    re.IGNORECASE,
)
_EN_END = re.compile(
    r"\s*\b(?:please|thanks|thank you|for me|now|right now|yeah|will you|would you)$",
    re.IGNORECASE,
)
_ENDS = (_ZH_START, _ZH_END, _EN_START, _EN_END)
_HANZI = re.compile(r"[\u3400-\u9fff]")


def has_hanzi(text: str) -> bool:
    """Whether any letter is Chinese."""
    return _HANZI.search(text) is not None


def simplified(text: str) -> str:
    """With full-width forms made narrow and the common traditional characters simplified."""
    return unicodedata.normalize("NFKC", text).replace("’", "'").translate(_TRADITIONAL)


def clean(text: str) -> str:
    """Without marks and courtesy at the ends; marks inside are spaces, but for those in numbers."""
    text = simplified(text)
    text = re.sub(r"(?<!\d)[.:](?!\d)|[,!?;，。！？；、…~]|(?<=\d)\.(?!\d)|[:](?!\d)", " ", text)
    text = " ".join(text.split())
    while True:
        shorter = text
        for pattern in _ENDS:
            shorter = pattern.sub("", shorter, count=1) or shorter
        if shorter == text:
            return text.strip()
        text = shorter


def clauses(text: str) -> list[str]:
    """The parts between marks and words such as "then", each cleaned, empty ones left out."""
    parts = _CUTS.split(simplified(text))
    parts = [one for part in parts for one in re.split(r"然后|\band then\b|\bthen\b|\band\b", part)]
    return [one for one in (clean(part.lstrip("再")) for part in parts) if one]
