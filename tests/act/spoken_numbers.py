"""The training recipe's generator of spoken numbers, which is no package, by its path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SPOKEN = Path(__file__).parents[2] / "recipes" / "tune_135m" / "spoken.py"


def spoken() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tune_135m_spoken", SPOKEN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses looks its module up
    spec.loader.exec_module(module)
    return module
