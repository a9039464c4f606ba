"""One engine in one process, told what to do in JSON lines: so that runs can be interleaved.

    python benchmarks/_workers.py llama.cpp        # then {"do": "load", ...} on standard input

Runs under the interpreter that has the engine: this project's for Qingyu, the peers' for the
others. Imports nothing of the engine before it is asked for, so that the time and memory of
loading are the engine's own. One object per line in, one per line out; standard output of the
engines themselves goes to standard error.

The requests: load {path, threads, context, flash}, prefill {tokens}, decode {tokens},
generate {tokens, new}, memory, limits {bytes, threads}. Every engine gets the same token ids
and computes the logits of a prompt's last token, and of each decoded token, and copies them
to where a sampler would read them.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import Any

MEMORY_FIELDS = {"VmRSS": "resident", "VmHWM": "peak", "RssFile": "of_files"}


def memory() -> dict[str, int]:
    """Bytes resident now, at the peak, and the part of now that is mapped files (Linux)."""
    found = {}
    with open("/proc/self/status") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in MEMORY_FIELDS:
                found[MEMORY_FIELDS[name]] = int(value.split()[0]) * 1024
    return found


class QingyuWorker:
    """This project, through its public loader and its native context."""

    def __init__(self) -> None:
        import numpy as np

        import qingyu

        self.np, self.qingyu = np, qingyu
        self.sequence = -1

    def load(self, path: str, threads: int, context: int, flash: str = "default") -> dict[str, Any]:
        started = time.perf_counter()
        self.model = self.qingyu.load(path, context=context, threads=threads)
        seconds = time.perf_counter() - started
        info = self.model.info
        with self.model.core as core:
            self.native = core.native
        return {
            "seconds": seconds,
            "weight_bytes": info.weight_bytes,
            "kv_bytes_per_token": info.kv_bytes_per_token,
            "instruction_set": info.instruction_set,
            "version": self.qingyu.__version__,
        }

    def _forward(self, tokens: Any, outputs: list[int]) -> Any:
        np = self.np
        return self.native.forward(
            np.asarray(tokens, np.int32),
            np.full(len(tokens), self.sequence, np.int32),
            np.asarray(outputs, np.int32),
        )

    def prefill(self, tokens: list[int]) -> dict[str, Any]:
        if self.sequence >= 0:
            self.native.drop(self.sequence)
        self.sequence = self.native.create()
        started = time.perf_counter()
        self._forward(tokens, [len(tokens) - 1])
        return {"seconds": time.perf_counter() - started}

    def decode(self, tokens: list[int]) -> dict[str, Any]:
        started = time.perf_counter()
        for token in tokens:
            self._forward([token], [0])
        return {"seconds": time.perf_counter() - started}

    def generate(self, tokens: list[int], new: int) -> dict[str, Any]:
        """The same through `Model.generate`: sampling, detokenizing and streaming included."""
        if self.sequence >= 0:
            self.native.drop(self.sequence)
            self.sequence = -1
        never = dict.fromkeys(self.model.tokenizer.eos_ids, -100.0)
        stream = self.model.generate(tokens, max_tokens=new, temperature=0.0, logit_bias=never)
        result = stream.read()
        return {"prefill_rate": result.prefill_rate, "decode_rate": result.decode_rate}

    def limits(self, bytes: int, threads: int) -> dict[str, Any]:
        """What this machine can do right now: bytes read and int8 operations per second."""
        from qingyu import _native

        return {
            "bandwidth": _native.measure_read_bandwidth(bytes, threads, 0.5),
            "int8_peak": _native.measure_int8_peak(threads, 0.3),
        }


class LlamaWorker:
    """llama.cpp through the low-level interface of llama-cpp-python, its own defaults."""

    def __init__(self) -> None:
        import ctypes

        import llama_cpp
        import numpy as np

        self.np, self.L = np, llama_cpp
        self.log: list[str] = []

        def keep(level: int, text: bytes, data: Any) -> None:
            self.log.append(text.decode("utf-8", "replace"))

        self.callback = llama_cpp.llama_log_callback(keep)
        llama_cpp.llama_log_set(self.callback, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()

    def load(self, path: str, threads: int, context: int, flash: str = "default") -> dict[str, Any]:
        L = self.L
        started = time.perf_counter()
        model = L.llama_model_load_from_file(path.encode(), L.llama_model_default_params())
        if not model:
            raise RuntimeError("".join(self.log[-5:]) or "llama.cpp cannot load the file")
        settings = L.llama_context_default_params()
        settings.n_ctx = context
        settings.n_batch, settings.n_ubatch = 2048, 512
        settings.n_threads = settings.n_threads_batch = threads
        if flash != "default":
            settings.flash_attn_type = {"off": 0, "on": 1}[flash]
        self.context = L.llama_init_from_model(model, settings)
        seconds = time.perf_counter() - started
        self.vocab = L.llama_vocab_n_tokens(L.llama_model_get_vocab(model))
        self.memory_handle = L.llama_get_memory(self.context)
        self.batch = L.llama_batch_init(2048, 0, 1)
        self.position = 0
        said = r"[Ff]lash [Aa]ttention (?:was auto, set to )?(enabled|disabled)"
        chosen = re.findall(said, "".join(self.log))
        return {
            "seconds": seconds,
            "weight_bytes": L.llama_model_size(model),
            "flash": {"enabled": "on", "disabled": "off"}[chosen[-1]] if chosen else flash,
            "system": L.llama_print_system_info().decode(),
            "version": f"llama-cpp-python {L.__version__}",
        }

    def _decode(self, tokens: list[int]) -> Any:
        batch = self.batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = self.position + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i == len(tokens) - 1
        if self.L.llama_decode(self.context, batch):
            raise RuntimeError("llama_decode failed")
        self.position += len(tokens)
        pointer = self.L.llama_get_logits_ith(self.context, len(tokens) - 1)
        return self.np.ctypeslib.as_array(pointer, (self.vocab,)).copy()

    def prefill(self, tokens: list[int]) -> dict[str, Any]:
        self.L.llama_memory_clear(self.memory_handle, True)
        self.position = 0
        started = time.perf_counter()
        self._decode(tokens)
        return {"seconds": time.perf_counter() - started}

    def decode(self, tokens: list[int]) -> dict[str, Any]:
        started = time.perf_counter()
        for token in tokens:
            self._decode([token])
        return {"seconds": time.perf_counter() - started}


class OpenVINOWorker:
    """OpenVINO GenAI, reading the GGUF itself. It has no call for one forward pass: a prompt's
    time is the time to the first token, and decoding is greedy through `generate`."""

    def __init__(self) -> None:
        import numpy as np
        import openvino
        import openvino_genai

        self.np, self.ov, self.genai = np, openvino, openvino_genai

    def load(self, path: str, threads: int, context: int, flash: str = "default") -> dict[str, Any]:
        started = time.perf_counter()
        self.pipeline = self.genai.LLMPipeline(path, "CPU", INFERENCE_NUM_THREADS=threads)
        seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "weight_bytes": os.path.getsize(path),
            "version": f"openvino-genai {self.genai.__version__}",
        }

    def generate(self, tokens: list[int], new: int) -> dict[str, Any]:
        settings = self.genai.GenerationConfig()
        settings.max_new_tokens = new + 1  # the first one belongs to the prompt
        settings.ignore_eos = True
        settings.do_sample = False
        ids = self.np.asarray([tokens], self.np.int64)
        inputs = self.genai.TokenizedInputs(
            self.ov.Tensor(ids), self.ov.Tensor(self.np.ones_like(ids))
        )
        metrics = self.pipeline.generate(inputs, settings).perf_metrics
        assert metrics.get_num_generated_tokens() == new + 1
        return {
            "prefill_rate": len(tokens) / (metrics.get_ttft().mean / 1000),
            "decode_rate": 1000 / metrics.get_tpot().mean,
        }


WORKERS = {"qingyu": QingyuWorker, "llama.cpp": LlamaWorker, "openvino": OpenVINOWorker}


def main() -> None:
    # What engines print must not end up between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")

    try:
        worker = WORKERS[sys.argv[1]]()
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
        return
    answer({"ready": sys.argv[1]} | memory())
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        try:
            result = {} if do == "memory" else getattr(worker, do)(**request)
            answer(result | memory())
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
