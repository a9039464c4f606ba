"""Rooms and appliances that a sentence speaks of and the household has not: nothing is done then.

    missing(marked, world, form)          # "attic" of "warm up the attic", where there is none
    without_missing(parts, marked, world, form)

A model may overlook a word that nobody has marked, and warm the room where the person is. So what
it understood is held against the words that are left: only what is plainly a place or an appliance,
and plainly spoken of as one, counts.
"""

from __future__ import annotations

import re
from dataclasses import replace

from qingyu.act.marks.mark import MARK, SIGNS, Marked
from qingyu.act.marks.text import narrow
from qingyu.act.spoken.spelling import has_hanzi, simplified
from qingyu.act.understood import Absent, Do, Part, Question, Understood, Which
from qingyu.act.world import World

_PLACES_EN = (
    "attic|loft|basement|cellar|garage|carport|shed|greenhouse|conservatory|sunroom|balcony|porch"
    "|patio|veranda|terrace|garden|backyard|front yard|courtyard|driveway|pool|pool house|sauna|gym"
    "|library|music room|game room|games room|cinema room|home cinema|guest room|spare room"
    "|guest bedroom|nursery|playroom|kids' room|utility room|laundry|laundry room|pantry|larder"
    "|mud room|cloakroom|en suite|dressing room|closet|study|office|home office|workshop"
    "|dining room|living room|lounge|kitchen|bathroom|toilet|bedroom|master bedroom|hall|hallway"
    "|corridor|landing|staircase|entrance hall|foyer|conference room|meeting room|storeroom"
    "|warehouse|barn|stable|reception"
)
_THINGS_EN = (
    "lights?|lamps?|heating|heaters?|radiators?|fans?|curtains?|blinds?|shutters?|windows?|doors?"
    "|ac|air con|aircon|air conditioning|tv|telly|speakers?|sockets?|plugs?|temperature|humidity"
    "|lock|thermostat|humidifier"
)
_APPLIANCES_EN = (
    "oven|microwave|dishwasher|washing machine|washer|tumble dryer|fridge|freezer|kettle|toaster"
    "|air fryer|rice cooker|slow cooker|coffee machine|coffee maker|espresso machine|blender"
    "|bread maker|projector|printer|sprinkler|sprinklers|doorbell|jacuzzi|hot tub|fish tank"
    "|aquarium|treadmill|electric blanket|dehumidifier|air purifier|garage door|fireplace"
)
_PLACES_ZH = (
    "阁楼|地下室|车库|书房|阳台|露台|天台|客房|主卧|次卧|客厅|卧室|厨房|浴室|卫生间|洗手间|厕所|餐厅"
    "|饭厅|玄关|门厅|走廊|过道|花园|院子|后院|前院|庭院|储藏室|储物间|杂物间|衣帽间|儿童房|婴儿房"
    "|保姆间|健身房|影音室|游戏室|琴房|画室|茶室|麻将室|洗衣房|酒窖|桑拿房|泳池|游泳池|办公室|会议室"
    "|仓库|机房|前台|温室|凉亭|门廊|楼梯间|客卫|主卫|工作室"
)
_WHOSE_ZH = (
    "爷爷|奶奶|姥姥|姥爷|外婆|外公|爸妈|爸爸|妈妈|儿子|女儿|闺女|孩子|小孩|宝宝|弟弟|妹妹|哥哥|姐姐"
    "|叔叔|姑姑|老人|保姆|阿姨|客人|室友"
)
_ROOMS_ZH = (
    r"(?<![这那家哪房])[东西南北里外前后左右]屋|(?<!其)[他她]们?(?:的|那)?(?:屋|房间|卧室)"
    rf"|(?:{_WHOSE_ZH})们?(?:的|住的|那个?)?(?:屋|房间|房|卧室)"
)
_APPLIANCES_ZH = (
    "烤箱|微波炉|洗碗机|洗衣机|烘干机|干衣机|冰箱|冰柜|电饭煲|电饭锅|咖啡机|空气炸锅|投影仪|投影机"
    "|打印机|鱼缸|跑步机|按摩椅|电热毯|饮水机|热水壶|电水壶|豆浆机|面包机|烤面包机|破壁机|榨汁机"
    "|除湿机|空气净化器|油烟机|消毒柜|电暖器|取暖器|壁炉|浴霸|门铃|洒水器|洗脚盆|足浴盆|电磁炉"
)
_FUNCTIONS = re.compile(
    r"蓝牙|u盘|优盘|按摩|香薰|除垢|童锁|投屏|天窗|倒车影像|定速|巡航|奈飞|爱奇艺|优酷|腾讯视频|抖音|b站|哔哩|网易云"
    r"|qq音乐|酷狗|喜马拉雅|微信|钉钉|支付宝|淘宝|高德|百度地图|hdmi|airplay"
    r"|\b(?:bluetooth|usb|massage|chromecast|netflix|spotify|youtube|sunroof|cruise control)\b"
)
"""What a device or a phone may have: where nothing here is called so or has such an option, what
is said of it in the same breath is not done."""
_WHICH_EN = "old|new|wine|upstairs|downstairs|back|front|side|little|big|small|other"
_SPOKEN_EN = (
    re.compile(
        rf"\b(?:in|at|of|on|off|for|from|inside) (?:the |my |our )(?:(?:{_WHICH_EN}) )?"
        rf"(?P<it>{_PLACES_EN})\b(?! (?:mode|scene))"
    ),
    re.compile(
        rf"\b(?:heat|cool|warm|light|brighten|darken|air|vacuum|hoover|clean|ventilate|open|close"
        rf"|lock|unlock)(?: up| out| down)? (?:the |my |our )(?:(?:{_WHICH_EN}) )?"
        rf"(?P<it>{_PLACES_EN})\b"
    ),
    re.compile(rf"\b(?P<it>{_PLACES_EN})(?:'s)? (?:(?:{_THINGS_EN})\b|<)"),
    re.compile(rf"\b(?P<it>{_APPLIANCES_EN})\b"),
    re.compile(
        r"\b(?:in|of|at) (?P<it>(?:his|her|their|(?!it's|every|each other)[a-z]+'s)"
        r" (?:room|bedroom|study|office|flat))\b"
    ),
)
_SPOKEN_ZH = (
    re.compile(rf"(?<![去到从出回离上进往])(?P<it>{_PLACES_ZH}|{_ROOMS_ZH})"),
    re.compile(rf"(?P<it>{_APPLIANCES_ZH})"),
)
_PRONOUN = re.compile(r"[他她]|(?:his|her|their)\b")
_ANYWHERE = frozenset({
    "robot", "navigator", "dialer", "messenger", "app", "todo", "timer", "alarm", "reminder",
    "calendar", "charger", "level", "select", "seat", "scene",
})  # fmt: skip
"""Domains of which nobody says in which room they are."""
_QUOTED = re.compile(r'"([^"]*)"')
_LIKE = re.compile(
    r"(?P<liked>(?:'d|\b(?:would|i|you|we|they))(?: (?:really|quite|also|just|all|rather))*"
    r" like\b)|\blike (?:\w+ ){0,4}?(?:a|an|the) (?:\w+ ){0,2}?\w+"
    r"|[像跟](?:个|在)?[^,。]{1,8}?(?:似的|一样)|(?<![好图影摄录])像(?:个|在)?[^,。]{1,8}里"
)
"""What something is only compared with; liked: no comparison, but a wish."""
_APPLIANCE = re.compile(rf"(?:{_APPLIANCES_EN}|{_APPLIANCES_ZH})")


_MARK = r"<[a-z_.0-9]+>(?P<number>[1-9])"
_BESIDE = (
    re.compile(
        rf"(?P<it>{_PLACES_ZH}|{_ROOMS_ZH})(?:里面|里头|里|内|那边|那头|那)?的?[那这]?[个盏台]?"
        rf"{_MARK}"
    ),
    re.compile(rf"\b(?P<it>{_PLACES_EN})(?:'s)? {_MARK}"),
    re.compile(rf"{_MARK} (?:(?:up|down|out) )?(?:in|of) (?:the|my|our) (?P<it>{_PLACES_EN})\b"),
)
"""A device that is said to be in such a place: 阁楼的<light>1."""


def missing(marked: Marked, world: World, form: str = "", *, talked: bool = False) -> str:
    """The first such word of a sentence that no mark covers; "" where there is none. form: what
    it quotes is spoken of, not looked for. talked: "his room" may be one that was spoken of."""
    text = marked.text
    for quote in _QUOTED.findall(form):
        text = text.replace(quote, " ")
    text = _LIKE.sub(lambda one: one["liked"] or " ", text)
    placed = any(mark.type in ("area", "floor") for mark in marked.marks)
    for pattern in _SPOKEN_ZH if has_hanzi(text) else _SPOKEN_EN:
        for found in pattern.finditer(text):
            word = found["it"]
            if talked and _PRONOUN.match(word):
                continue
            if placed and not _APPLIANCE.fullmatch(word):
                continue
            if not _is_known(word, world):
                return word
    return ""


def without_missing(
    parts: Understood, marked: Marked, world: World, form: str, *, talked: bool = False
) -> Understood:
    """The parts, but in place of those for devices that were not named, that the household has no
    such thing, if the sentence speaks of one."""
    if not any(isinstance(part, Do | Question | Which) for part in parts):
        return parts
    lacking, aside = _lacking(marked, world, form)
    word = missing(marked, world, form, talked=talked) or lacking
    if not word:
        return parts
    elsewhere = aside | {
        int(found["number"])
        for pattern in _BESIDE
        for found in pattern.finditer(marked.text)
        if not _is_known(found["it"], world)
    }
    named = {
        id
        for number, mark in enumerate(marked.marks, start=1)
        if number not in elsewhere
        for id in mark.ids
    }
    there = {id for number in elsewhere if (mark := marked.mark(number)) for id in mark.ids} - named
    kept = [left for part in parts if (left := _named_alone(part, named, there)) is not None]
    return (*kept, Absent(words=word))


def _lacking(marked: Marked, world: World, form: str) -> tuple[str, set[int]]:
    """The first function that a sentence speaks of and nothing here has, and the numbers of the
    marks beside it."""
    quoted = " ".join(_QUOTED.findall(form))
    for piece in SIGNS.split(marked.text):
        for found in _FUNCTIONS.finditer(piece):
            if found[0] not in quoted and not _has(found[0], world):
                return marked.original(found[0]), {int(one[2]) for one in MARK.finditer(piece)}
    return "", set()


def _has(word: str, world: World) -> bool:
    """Whether a device or an option of one is called so."""
    for one in world.entities:
        options = (each for some in one.options.values() for each in some)
        others = (each for some in one.option_names.values() for each in some)
        if any(word in narrow(simplified(name)) for name in (*one.names, *options, *others)):
            return True
        if one.kind == "sunroof" and word in ("天窗", "sunroof"):
            return True
    return False


def _named_alone(part: Part, named: set[str], not_these: set[str]) -> Part | None:
    """What is left of a part for the devices that were named; None for nothing."""

    def fine(id: str) -> bool:
        anywhere = id.partition(".")[0] in _ANYWHERE and id not in not_these
        return id in named or anywhere

    match part:
        case Do():
            calls = tuple(call for call in part.calls if fine(call.entity))
            return replace(part, calls=calls) if calls else None
        case Question():
            return part if all(map(fine, part.entities)) else None
        case Which():
            return part if part.kind not in ("entity", "area") else None
    return part


def _is_known(word: str, world: World) -> bool:
    """Whether some name of the household has the word in it or is a part of it."""
    for one in (*world.areas, *world.floors, *world.entities):
        for name in one.names:
            plain = narrow(simplified(name))
            if word in plain or (len(plain) > 1 and plain in word):
                return True
    return False
