"""Logits of every family and every type against full precision, on random-weight models.

    python benchmarks/parity_families.py --families llama qwen3

For families no small real model stands in for: 512 random tokens through two layers of each
shape in tests/reference/random_models.py. "rounding" is what the same computation in numpy
loses when only its inputs are rounded as the engine rounds them (int8 per 32 values with
quantized weights, float16 keys and values); a ratio of 1 means nothing else is lost.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _model_files import ROOT

sys.path.insert(0, str(ROOT / "tests"))

POSITIONS = 512


def main() -> None:
    from reference.blocks import TYPES
    from reference.random_models import FAMILIES

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    names = [kind.name for kind in TYPES]
    parser.add_argument("--types", nargs="+", choices=names, default=names)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    print(f"{'family':15} {'type':7} {'cosine':>9} {'KL':>9} {'rounding':>9} {'x':>5} {'top-1':>6}")
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for family in arguments.families:
            for kind in TYPES:
                if kind.name in arguments.types:
                    figures = measure(Path(folder) / "model.gguf", FAMILIES[family], kind)
                    report[f"{family} {kind.name}"] = figures
                    ours, alone = figures["qingyu"], figures["rounding"]
                    print(
                        f"{family:15} {kind.name:7} {ours['cosine']:9.6f} {ours['kl']:9.1e}"
                        f" {alone['kl']:9.1e} {ours['kl'] / alone['kl']:5.2f} {ours['top1']:6.3f}",
                        flush=True,
                    )
    target = arguments.json or ROOT / "benchmarks" / "results" / "parity_families.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target}")


def measure(path: Path, model: Any, kind: Any) -> dict[str, Any]:
    """Distances from full precision: the engine's, and that of rounding alone."""
    import numpy as np

    from reference import random_models
    from reference.compare import distance
    from reference.core import build, run
    from reference.forward import ReferenceModel
    from reference.rounding import as_engines_do

    reference = ReferenceModel.open(random_models.write(path, model, kind))
    tokens = np.random.default_rng(1).integers(0, model.vocab, POSITIONS)
    truth = reference.logits(tokens)
    rounded = reference.logits(tokens, kv_dtype=np.float16, rounding=as_engines_do)
    ours = run(build(reference), tokens)
    return {
        "positions": POSITIONS,
        "qingyu": asdict(distance(ours, truth)),
        "rounding": asdict(distance(rounded, truth)),
    }


if __name__ == "__main__":
    main()
