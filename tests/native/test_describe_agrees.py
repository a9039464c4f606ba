"""Our reading of a file against the reference's: same settings, same tensors, for each family."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from qingyu.models.family import describe
from qingyu.models.gguf import GGUFFile
from reference import random_models
from reference.forward import ReferenceModel


@pytest.mark.parametrize("family", random_models.FAMILIES)
@pytest.mark.parametrize("kind", [T.F32, T.Q4_1], ids=lambda kind: kind.name)
def test_settings_and_tensors(tmp_path: Path, family: str, kind: T) -> None:
    path = random_models.write(tmp_path / "m.gguf", random_models.FAMILIES[family], kind)
    reference = ReferenceModel.open(path)
    expected = asdict(reference.shape)
    with GGUFFile.open(path) as gguf:
        config = describe(gguf)
        ours = config.builder_arguments()
        assert ours.pop("rope_frequencies") == pytest.approx(
            expected.pop("rope_frequencies"), rel=1e-9
        )
        for name in [name for name in expected if name.endswith(("scale", "epsilon"))]:
            assert ours.pop(name) == pytest.approx(expected.pop(name), rel=1e-9), name
        assert ours == expected
        assert sorted(config.tensors) == sorted(reference.tensors)
        for name in config.tensors:
            number, shape, raw = reference.tensors[name]
            assert int(gguf.tensors[name].type) == number
            assert gguf.tensors[name].shape == shape
            with gguf.data(name) as data:
                assert data == np.ascontiguousarray(raw).view(np.uint8).reshape(-1).data
