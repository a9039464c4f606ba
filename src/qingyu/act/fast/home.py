"""Home Assistant's sentences (home-assistant-intents, Apache-2.0), and what they mean here.

The package's templates carry no device names; those come from the household. Of its intents we
take those a household of ours can do; timers, lists and weather are left to our own sentences.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from hassil.intents import Intents

from qingyu.act.fast.targets import Said

_INTENTS = {
    "HassTurnOn": "On",
    "HassTurnOff": "Off",
    "HassLightSet": "Set",
    "HassClimateSetTemperature": "Set",
    "HassSetPosition": "Set",
    "HassFanSetSpeed": "Set",
    "HassSetVolume": "Set",
    "HassMediaPause": "Pause",
    "HassMediaUnpause": "Play",
    "HassMediaNext": "Next",
    "HassMediaPrevious": "Previous",
    "HassMediaPlayerMute": "Mute",
    "HassMediaPlayerUnmute": "Unmute",
    "HassVacuumReturnToBase": "Dock",
    "HassVacuumStart": "On",
}
_NUMBERS = {
    "brightness": "brightness",
    "temperature": "temperature",
    "position": "position",
    "percentage": "speed",
    "volume_level": "volume",
}
_KINDS = {"curtain", "blind", "shade", "window", "garage", "gate", "door"}
# 台灯 and its like are devices of a household, or nothing: never all of its lights.
_LIGHTS = re.compile(r"\(灯\|吸顶灯\|筒灯\|射灯\|台灯\|床头灯\|灯光\)")


@cache
def home_intents(language: str) -> Intents:
    """The templates of "zh" or "en"."""
    name = {"zh": "zh-CN", "en": "en"}[language]
    text = (files("home_assistant_intents") / "data" / f"{name}.json").read_text("utf-8")
    table: dict[str, Any] = json.loads(_LIGHTS.sub("(灯|灯光)", text))
    table["intents"] = {key: one for key, one in table["intents"].items() if key in _INTENTS}
    return Intents.from_dict(table)


def translated(intent: str, said: Said, domain: str) -> tuple[str, Said] | None:
    """Our intent and slots for theirs; None where there is no such thing here.

    domain: of the device that was named, "" where none was.
    """
    meant, ours = _INTENTS[intent], dict(said)
    kind = str(ours.pop("device_class", ""))
    sort = str(ours.pop("domain", domain))
    if "name" not in said:
        if meant not in ("On", "Off", "Set") or not sort:
            return None if {"area", "floor"} & set(said) else (meant, {})
        if sort == "cover" and kind not in _KINDS:
            return None
        ours["class"] = f"{sort}/{kind}" if kind else sort
    elif domain == "lock":  # theirs locks with "on"
        return ("Lock" if meant == "On" else "Unlock"), ours
    if meant != "Set":
        return meant, ours
    if "color" in said:
        return "Color", ours
    for theirs, key in _NUMBERS.items():
        if theirs in said:
            light = sort == "light" and key == "temperature"
            key = "color_temperature" if light else key
            return "Set", ours | {"key": key, "value": said[theirs]}
    return None
