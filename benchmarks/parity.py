"""How far Qingyu's and llama.cpp's logits are from full precision, type by type.

    python benchmarks/parity.py --types Q4_1 Q8_0

The truth is the numpy forward pass in tests/reference on the same file's dequantized weights;
the text is tests/golden/parity_text.txt, 701 tokens of English, Chinese and code. For the
default type llama.cpp's figures come from the recorded golden file when the peers' interpreter
is not there; for the others llama.cpp makes the file, and its logits are computed anew.
Required: mean KL divergence at most 1.2 times llama.cpp's, perplexity within 1% of the truth's
and of llama.cpp's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _model_files import FILE_TYPES, ROOT, add_arguments, default_model, quantized, work_folder

sys.path.insert(0, str(ROOT / "tests"))

GOLDEN = ROOT / "tests" / "golden"
KL_ALLOWED, PERPLEXITY_ALLOWED = 1.2, 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser)
    types = ["Q4_1", "Q4_0", "Q4_K_M", "Q8_0", "F16"]
    parser.add_argument("--types", nargs="+", choices=list(FILE_TYPES), default=types)
    arguments = parser.parse_args()
    peers = arguments.peers_python.exists()
    source = default_model(arguments.model)
    print(
        f"{'type':8} {'KL':>10} {'llama.cpp':>10} {'x':>6}  {'top-1':>6} {'llama':>6}"
        f"  {'ppl':>8} {'llama':>8} {'truth':>8}  cosine"
    )
    report: dict[str, Any] = {}
    for kind in arguments.types:
        if kind != "Q4_1" and not peers:
            print(f"{kind:8} needs the peers' interpreter to make the file (make peers)")
            continue
        folder = work_folder(arguments.work)
        path = source if kind == "Q4_1" else quantized(source, kind, folder, arguments.peers_python)
        record = llama_figures(path, arguments) if peers else golden_figures()
        report[kind] = figures = compare(path, record, arguments.threads)
        print_line(kind, figures)
    target = arguments.json or ROOT / "benchmarks" / "results" / "parity.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target}")
    if not all(figures["ok"] for figures in report.values()):
        sys.exit(f"a mean KL above {KL_ALLOWED} x llama.cpp's, or a perplexity off by over 1%")


def golden_figures() -> dict[str, Any]:
    record: dict[str, Any] = json.loads((GOLDEN / "llama_logits.json").read_text("utf-8"))
    return record


def llama_figures(path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """llama.cpp's distance from the truth on this file, computed in the peers' interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "record.json"
        script = GOLDEN / "record_llama_logits.py"
        command = [arguments.peers_python, script, path, "--out", out]
        command += ["--threads", arguments.threads]
        subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)
        record: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return record


def compare(path: Path, record: dict[str, Any], threads: int) -> dict[str, Any]:
    """Qingyu's distance from the truth beside llama.cpp's, on the record's tokens."""
    import numpy as np

    from reference.compare import distance, perplexity
    from reference.core import build, run
    from reference.forward import ReferenceModel

    reference = ReferenceModel.open(path)
    tokens = np.asarray(record["tokens"])
    truth = reference.logits(tokens)
    ours = run(build(reference, threads=threads), tokens, threads=threads)
    figures: dict[str, Any] = {
        "positions": len(tokens),
        "qingyu": asdict(distance(ours, truth)) | {"perplexity": perplexity(ours, tokens)},
        "llama": record["llama"] | {"perplexity": record["llama_perplexity"]},
        "reference_perplexity": perplexity(truth, tokens),
    }
    ppl = figures["qingyu"]["perplexity"]
    others = (figures["reference_perplexity"], figures["llama"]["perplexity"])
    figures["kl_ratio"] = figures["qingyu"]["kl"] / figures["llama"]["kl"]
    figures["ok"] = figures["kl_ratio"] <= KL_ALLOWED and all(
        abs(ppl / other - 1) <= PERPLEXITY_ALLOWED for other in others
    )
    return figures


def print_line(kind: str, figures: dict[str, Any]) -> None:
    ours, llama = figures["qingyu"], figures["llama"]
    print(
        f"{kind:8} {ours['kl']:10.2e} {llama['kl']:10.2e} {figures['kl_ratio']:6.2f}"
        f"  {ours['top1']:6.3f} {llama['top1']:6.3f}  {ours['perplexity']:8.3f}"
        f" {llama['perplexity']:8.3f} {figures['reference_perplexity']:8.3f}"
        f"  {ours['cosine']:.6f} {'ok' if figures['ok'] else '--'}",
        flush=True,
    )


if __name__ == "__main__":
    main()
