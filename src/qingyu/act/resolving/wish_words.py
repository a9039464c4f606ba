"""Words in the names of devices that tell what they are good for, in both languages.

is_called(entity, PURPOSES["toast"])      # a switch called "toaster" or 面包机
"""

from __future__ import annotations

import re

from qingyu.act.world import Entity

MAIN_LIGHT = ("main", "ceiling", "主灯", "大灯", "吸顶", "顶灯", "吊灯", "chandelier", "overhead")
_COOKING = (
    "cooker", "pot", "oven", "microwave", "air fryer", "airfryer", "steamer", "wok", "grill", "hob",
    "stove", "锅", "饭煲", "烤箱", "微波炉", "蒸箱", "灶", "电磁炉",
)  # fmt: skip
_NOODLES = ("noodle", "ramen", "pasta", "煮面", "面锅", "泡面")
_RICE = ("rice", "饭煲", "饭锅", "电饭", "煮饭")
PURPOSES: dict[str, tuple[str, ...]] = {
    "hungry": (*_COOKING, *_NOODLES, *_RICE),
    "noodles": (*_NOODLES, *_COOKING),
    "rice": (*_RICE, "pressure cooker", "压力锅", "锅"),
    "toast": ("toast", "bread", "面包", "吐司", "烤面"),
    "tea": ("kettle", "tea", "samovar", "boil water", "水壶", "烧水", "茶", "开水", "饮水机"),
    "coffee": ("coffee", "espresso", "barista", "咖啡"),
    "laundry": ("washing machine", "washer", "laundry", "洗衣", "烘干机", "dryer"),
    "dishes": ("dishwasher", "洗碗"),
    "mosquito": ("mosquito", "insect", "bug", "蚊", "虫"),
    "cold": (
        "heater", "radiator", "electric blanket", "heat pad", "暖风", "电暖", "小太阳", "暖炉",
        "电热毯", "取暖", "暖器", "暖气", "火炉",
    ),
    "hot": ("fan", "cooler", "风扇", "冷风"),
    "stuffy": ("purifier", "air clean", "ventilat", "fresh air", "净化", "新风", "换气", "排风"),
    "smell": ("purifier", "air clean", "fresh air", "净化", "新风", "除味", "排气"),
    "dry": ("humidif", "mist", "加湿", "喷雾"),
    "damp": ("dehumid", "demist", "除湿", "抽湿", "干燥", "除雾"),
    "read": ("reading", "read lamp", "book", "阅读", "读书", "看书", "台灯", "desk lamp"),
    "work": ("desk", "study", "work lamp", "书桌", "学习", "办公", "台灯", "工作灯"),
    "focus": ("focus", "disturb", "concentrat", "quiet mode", "专注", "勿扰", "免打扰", "静心"),
    "plants": ("irrigat", "sprinkler", "drip", "garden", "water", "灌", "浇", "喷淋", "滴", "花园"),
}  # fmt: skip
"""Of the wishes that devices are bought for."""
SCENES: dict[str, tuple[str, ...]] = {
    "sleep": ("sleep", "bedtime", "night", "lull", "睡", "晚安", "夜"),
    "wake": ("wake", "morning", "get up", "rise", "起床", "早安", "早晨", "清晨", "早上"),
    "leave": ("leav", "away", "goodbye", "going out", "离家", "出门", "外出", "离开"),
    "return": ("home ", "arriv", "welcome", "回家", "到家", "归家"),
    "movie": ("movie", "cinema", "film", "theat", "电影", "观影", "影院", "看片"),
    "read": ("read", "阅读", "读书", "看书"),
    "work": ("work", "study", "homework", "office", "学习", "自习", "工作", "办公", "用功"),
    "focus": ("focus", "study", "专注", "学习", "自习"),
    "dinner": ("dinner", "meal", "supper", "eat", "吃饭", "用餐", "晚餐", "就餐", "开饭"),
    "party": ("party", "派对", "聚会", "聚餐"),
}  # fmt: skip
_FIRST = ("movie", "party", "dinner", "leave", "sleep", "return")
"""A "film night" is for films, though there is "night" in it; "leaving home" is no coming home."""


def suits(scene: Entity, wish: str) -> bool:
    """Whether a scene that has words of a wish is not rather for another."""
    before = _FIRST[: _FIRST.index(wish)] if wish in _FIRST else _FIRST
    return not any(is_called(scene, SCENES[other]) for other in before if other != wish)


def is_called(entity: Entity, words: tuple[str, ...]) -> bool:
    """Whether one of the words begins a word of a name, or for Chinese is in it."""
    names = " | ".join((*entity.names, "")).casefold()
    for word in words:
        edge = r"\b" if word.isascii() else ""
        if re.search(edge + re.escape(word), names):
            return True
    return False


_AIR = frozenset({"climate", "fan", "cover", "seat", "switch", "humidifier", "water_heater"})
_LIGHT = frozenset({"light", "cover", "select", "level", "switch"})
_SOUND = frozenset({"media_player", "level", "cover", "fan", "vacuum", "switch", "climate"})
_HELPING: dict[str, frozenset[str]] = {
    **dict.fromkeys(("cold", "hot", "stuffy", "smell", "dry", "damp"), _AIR),
    **dict.fromkeys(("dark", "bright", "glare", "private", "view", "read", "work"), _LIGHT),
    **dict.fromkeys(("loud", "silent"), _SOUND),
}
_NO_HELP = frozenset({
    "reminder", "timer", "alarm", "calendar", "todo", "messenger", "dialer", "navigator", "app",
})  # fmt: skip


def helps(word: str, domains: set[str]) -> bool:
    """Whether what is ordered in some domains may be why somebody speaks of a wish: then only
    that is done. Who goes to bed or has guests may order anything."""
    known = _HELPING.get(word)
    return bool(domains - _NO_HELP if known is None else domains & known)
