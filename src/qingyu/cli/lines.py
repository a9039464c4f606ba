"""What a person types: lines with history on a terminal, plain lines from a pipe.

    reader = LineReader(history=home / "history")
    text = reader.read()        # None at the end of input

Several lines make one message when a line ends in a backslash, when they stand between two
lines of three quotes, or when they are broken by Alt-Enter or pasted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TextIO

from qingyu.cli.common import BOLD, styled

QUOTES = '"""'
HISTORY_LINES = 2000


class LineReader:
    """Reads messages from stdin; `history` is a file, None keeps none."""

    def __init__(self, *, history: Path | None) -> None:
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self._history = history
        if self.interactive:
            self._start_readline()

    def read(self) -> str | None:
        """The next message, None at the end of input.

        Raises KeyboardInterrupt when the person gives a message up with Ctrl-C.
        """
        if self.interactive:
            print()
        line = self._line("> ")
        if line is None:
            return None
        lines: list[str] = []
        if line.lstrip().startswith(QUOTES):
            line = line.lstrip().removeprefix(QUOTES)
            while not line.rstrip().endswith(QUOTES):
                lines.append(line)
                if (following := self._line("… ")) is None:
                    return "\n".join(lines).strip("\n")
                line = following
            lines.append(line.rstrip().removesuffix(QUOTES))
            return "\n".join(lines).strip("\n")
        while line.endswith("\\"):
            lines.append(line[:-1])
            if (following := self._line("… ")) is None:
                return "\n".join(lines)
            line = following
        return "\n".join([*lines, line])

    def _line(self, prompt: str) -> str | None:
        try:
            if not self.interactive:
                line = sys.stdin.readline()
                return line.removesuffix("\n") if line else None
            return input(styled_prompt(prompt, sys.stdout))
        except EOFError:
            return None

    def _start_readline(self) -> None:
        try:
            import readline
        except ImportError:  # a Python without it: lines still work, history does not
            return
        with contextlib.suppress(Exception):
            # Alt-Enter: quoted-insert and a line feed, that is, a line break in the line.
            readline.parse_and_bind(r'"\e\C-m": "\C-v\C-j"')
            readline.parse_and_bind(r'"\e\C-j": "\C-v\C-j"')
        if self._history is not None:
            with contextlib.suppress(OSError):
                readline.read_history_file(self._history)
            readline.set_history_length(HISTORY_LINES)

    def close(self) -> None:
        """Keep the history, in a file that only its owner can read."""
        if not self.interactive or self._history is None:
            return
        try:
            import readline

            self._history.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._history, os.O_WRONLY | os.O_CREAT, 0o600))
            readline.write_history_file(self._history)
            self._history.chmod(0o600)
        except (ImportError, OSError):
            return  # a history that cannot be kept is no reason to complain on the way out


def styled_prompt(prompt: str, stream: TextIO) -> str:
    """The prompt in bold, its escapes marked so that readline does not count them."""
    text = styled(prompt, BOLD, stream)
    if text == prompt:
        return prompt
    start, _, end = text.partition(prompt)
    return f"\x01{start}\x02{prompt}\x01{end}\x02"
