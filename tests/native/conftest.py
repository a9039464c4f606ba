"""Random-weight models, built once per test session: in numpy (truth) and in the core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType

from reference import random_models
from reference.forward import ReferenceModel

ReferenceMaker = Callable[[str, GGMLQuantizationType], ReferenceModel]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> ReferenceMaker:
    """reference(family, type): the random-weight model of that family and type."""
    folder = tmp_path_factory.mktemp("random-models")
    made: dict[Path, ReferenceModel] = {}

    def make(family: str, kind: GGMLQuantizationType) -> ReferenceModel:
        path = folder / f"{family}-{kind.name}.gguf"
        if path not in made:
            random_models.write(path, random_models.FAMILIES[family], kind)
            made[path] = ReferenceModel.open(path)
        return made[path]

    return make
