"""Print what pip must install for some purposes, read from pyproject.toml.

    python scripts/requirements.py build    # what compiling the core needs here
    python scripts/requirements.py dev make # these extras, without the package itself

One name per line. "build" leaves out cmake and ninja where the machine has good ones.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def requirements(purpose: str) -> list[str]:
    """Requirement strings of an extra, or of the build; KeyError for an unknown extra."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    if purpose != "build":
        return list(project["project"]["optional-dependencies"][purpose])
    names = list(project["build-system"]["requires"])
    try:
        from scikit_build_core.build import get_requires_for_build_editable
    except ImportError:
        return names  # first pass: pip installs the backend, the second pass asks it
    return [*names, *get_requires_for_build_editable({})]


if __name__ == "__main__":
    print("\n".join(name for purpose in sys.argv[1:] for name in requirements(purpose)))
