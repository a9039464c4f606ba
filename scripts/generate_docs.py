"""Write the pages that come from the program, or check that they are up to date.

    python scripts/generate_docs.py            # make docs
    python scripts/generate_docs.py --check    # part of make check; exit code 1 when not

docs/cli.md: the help page of every command, in English and Chinese.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
# The page must not depend on the terminal or the settings of whoever makes it.
os.environ["COLUMNS"] = "90"
for name in [name for name in os.environ if name.startswith("QINGYU_")]:
    del os.environ[name]

import typer.main  # noqa: E402

from qingyu import text  # noqa: E402
from qingyu.cli.main import build_app  # noqa: E402

INTRODUCTION = """\
# Command line

This page is written by `make docs` from the program's own help pages. What the commands are
for, with examples, is in [run.md](run.md) and [models.md](models.md).

本页由 `make docs` 根据程序自带的帮助生成。用法与示例见 [run.md](run.md) 和 [models.md](models.md)。
"""


def help_pages(language: str) -> dict[str, str]:
    """Command name ("" for the program itself) to its help page."""
    text.use(language)
    program = typer.main.get_command(build_app())
    with program.make_context("qingyu", [], resilient_parsing=True) as context:
        pages = {"": context.get_help()}
        for name, command in program.commands.items():  # type: ignore[attr-defined]
            with command.make_context(
                name, [], parent=context, resilient_parsing=True
            ) as subcontext:
                pages[name] = subcontext.get_help()
    text.use(None)
    return pages


def command_line_page() -> str:
    """docs/cli.md."""
    english, chinese = help_pages("en"), help_pages("zh")
    parts = [INTRODUCTION]
    for name, page in english.items():
        parts.append(f"\n## qingyu {name}".rstrip())
        for shown in (page, chinese[name]):
            parts.append(f"\n```text\n{shown.strip()}\n```")
    return "\n".join(parts) + "\n"


PAGES = {"docs/cli.md": command_line_page}


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = 0
    for name, make in PAGES.items():
        path, wanted = ROOT / name, make()
        if path.exists() and path.read_text(encoding="utf-8") == wanted:
            continue
        if check:
            print(f"{name} is not what the program says; run: make docs", file=sys.stderr)
            stale += 1
        else:
            path.write_text(wanted, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
