"""Our nine words for colours, in the coordinates that lights are told them in, and back.

    rgb_of("blue")              # (0, 0, 255)
    nearest_color(340, 70)      # "pink", from hue and saturation

Source: IEC 61966-2-1 for sRGB and the CIE coordinates xy.
"""

from __future__ import annotations

import colorsys
import math

from qingyu.act.vocabulary import COLORS

HUES = {
    "red": (0, 100),
    "orange": (30, 100),
    "yellow": (60, 100),
    "green": (120, 100),
    "cyan": (180, 100),
    "blue": (240, 100),
    "purple": (280, 100),
    "pink": (330, 60),
    "white": (0, 0),
}
"""Hue in degrees, saturation in percent."""


def nearest_color(hue: float, saturation: float) -> str:
    """Which of our words a hue in degrees and a saturation in percent is closest to."""

    def distance(name: str) -> float:
        other, strength = HUES[name]
        one, two = (
            (amount * math.cos(math.radians(angle)), amount * math.sin(math.radians(angle)))
            for angle, amount in ((hue, saturation), (other, strength))
        )
        return math.dist(one, two)

    return min(COLORS, key=distance)


def rgb_of(color: str) -> tuple[int, int, int]:
    hue, saturation = HUES[color]
    parts = colorsys.hsv_to_rgb(hue / 360, saturation / 100, 1)
    red, green, blue = (round(one * 255) for one in parts)
    return red, green, blue


def xy_of(color: str) -> tuple[float, float]:
    red, green, blue = (_linear(one / 255) for one in rgb_of(color))
    x = 0.4124 * red + 0.3576 * green + 0.1805 * blue
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = 0.0193 * red + 0.1192 * green + 0.9505 * blue
    total = x + y + z
    return round(x / total, 4), round(y / total, 4)


def color_of_rgb(red: float, green: float, blue: float) -> str:
    hue, saturation, _ = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    return nearest_color(hue * 360, saturation * 100)


def color_of_xy(x: float, y: float) -> str:
    if y <= 0:
        return "white"
    wide, deep = x / y, (1 - x - y) / y
    red = 3.2406 * wide - 1.5372 - 0.4986 * deep
    green = -0.9689 * wide + 1.8758 + 0.0415 * deep
    blue = 0.0557 * wide - 0.2040 + 1.0570 * deep
    most = max(red, green, blue, 1e-6)
    return color_of_rgb(*(255 * _gamma(max(one, 0) / most) for one in (red, green, blue)))


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else float(1.055 * value ** (1 / 2.4) - 0.055)
