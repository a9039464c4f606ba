"""Manual pages (man and mdoc macros) to plain text.

    text = plain(source)

Paragraphs and headings in the order of the page; fonts, sizes and other layout are left out.
Knows the requests that carry text, not the whole of troff.
"""

from __future__ import annotations

import re

_FONT = re.compile(r"\\f(?:\[[^\]]*\]|\(..|.)|\\s[-+]?\d+|\\[kmMF](?:\[[^\]]*\]|\(..|.)")
_NAMED = {
    "em": "—", "en": "–", "hy": "-", "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "aq": "'",
    "dq": '"', "bu": "•", "co": "©", "rg": "®", "ha": "^", "ti": "~", "rs": "\\", "ga": "`",
    "mu": "×", "<=": "≤", ">=": "≥", "->": "→", "tm": "™", "at": "@", "sl": "/", "ul": "_",
}  # fmt: skip
_CHARACTER = re.compile(r"\\\((..)|\\\[([^\]]+)\]")
_ESCAPE = re.compile(r"\\[&|^/,%:)]|\\[hvwlLDbox]'[^']*'|\\z")
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"|(\S+)')
_JOINED = frozenset(("BR", "BI", "IB", "IR", "RB", "RI"))
_TEXT = frozenset(
    ("B", "I", "SM", "SB", "Nm", "Fl", "Ar", "Cm", "Op", "Pa", "Va", "Em", "Sy", "Li")
)
_BREAKS = frozenset(
    ("PP", "P", "LP", "TP", "TQ", "IP", "HP", "RS", "RE", "sp", "br", "Pp", "It", "Bl", "El", "nf",
     "fi", "EX", "EE", "Bd", "Ed")
)  # fmt: skip


def plain(source: str) -> str:
    paragraphs: list[list[str]] = [[]]
    verbatim = False
    skipping = False
    for line in source.replace("\\\n", "").split("\n"):
        if skipping:
            skipping = line.strip() != ".."
            continue
        if line.startswith((".", "'")) and not line.startswith("..."):
            name, _, rest = line[1:].strip().partition(" ")
            if name.startswith('\\"') or not name:
                continue
            if name in ("de", "de1", "am", "ig"):
                skipping = True
            elif name in ("SH", "SS", "Sh", "Ss"):
                paragraphs += [[_clean(" ".join(_arguments(rest)))], []]
            elif name in _JOINED:
                paragraphs[-1].append(_clean("".join(_arguments(rest))))
            elif name in _TEXT:
                text = _clean(" ".join(_arguments(rest)))
                paragraphs[-1].append(f"-{text}" if name == "Fl" else text)
            elif name in _BREAKS:
                verbatim = name in ("nf", "EX", "Bd") or (
                    verbatim and name not in ("fi", "EE", "Ed")
                )
                if name in ("IP", "It") and rest:
                    paragraphs += [[_clean(_arguments(rest)[0] if name == "IP" else rest)], []]
                else:
                    paragraphs.append([])
            continue
        text = _clean(line)
        if not text.strip():
            paragraphs.append([])
        elif verbatim:
            paragraphs[-1].append("\n" + text)
        else:
            paragraphs[-1].append(text.strip())
    joined = (_join(pieces) for pieces in paragraphs)
    return "\n\n".join(text for text in joined if text)


def _arguments(rest: str) -> list[str]:
    return [
        quoted.replace('""', '"') if quoted else bare for quoted, bare in _ARGUMENT.findall(rest)
    ] or [""]


def _clean(text: str) -> str:
    text = re.sub(r'(?<!\\)\\".*$', "", text)
    text = _ESCAPE.sub("", _FONT.sub("", text))
    text = _CHARACTER.sub(lambda found: _named(found.group(1) or found.group(2)), text)
    for escape, plain_text in (
        ("\\-", "-"),
        ("\\ ", " "),
        ("\\~", " "),
        ("\\e", "\\"),
        ("\\'", "'"),
        ("\\`", "`"),
        ("\\0", " "),
    ):
        text = text.replace(escape, plain_text)
    return text


def _named(name: str) -> str:
    if re.fullmatch(r"u[0-9A-F]{4,6}", name):
        return chr(int(name[1:], 16))
    return _NAMED.get(name, "")


def _join(pieces: list[str]) -> str:
    """One paragraph; Chinese lines are joined without a space."""
    text = ""
    for piece in pieces:
        if (
            not text
            or piece.startswith("\n")
            or not piece
            or (text[-1] > "\u2e7f" and piece[0] > "\u2e7f")
        ):
            text += piece
        else:
            text += " " + piece
    return text.strip("\n").rstrip()
