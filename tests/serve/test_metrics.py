"""What Prometheus reads, by a parser of its text format."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.serve.serving import Server, serving

_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving({"Hi": "Hello there"}) as server:
        yield server


def read(server: Server) -> dict[str, float]:
    """Samples by name and labels; every one has its HELP and TYPE before it, once."""
    answer = httpx.get(server.url + "/metrics", timeout=20)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.text.endswith("\n")
    samples: dict[str, float] = {}
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    for line in answer.text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in helped
            helped.add(name)
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name in helped
            kinds[name] = kind
            continue
        found = _SAMPLE.fullmatch(line)
        assert found, line
        base = re.sub(r"_(bucket|sum|count)$", "", found[1])
        kind = kinds.get(found[1]) or kinds[base]
        assert (kind == "histogram") == (found[1] not in kinds)
        assert (kind == "counter") == found[1].endswith("_total")
        key = f"{found[1]}{{{found[2]}}}" if found[2] else found[1]
        assert key not in samples
        samples[key] = float(found[3])
    return samples


def test_it_counts_what_happens(server: Server) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    before = read(server)
    for _ in range(2):
        assert server.post("/v1/chat/completions", body).status_code == 200
    server.post("/v1/chat/completions", {})
    after = read(server)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    chat = 'qingyu_http_requests_total{route="/v1/chat/completions",status="%s"}'
    assert grown(chat % 200) == 2
    assert grown(chat % 400) == 1
    assert grown("qingyu_generations_total") == 2
    assert grown("qingyu_generated_tokens_total") == 2 * len("Hello there")
    assert grown("qingyu_prompt_tokens_total") > grown("qingyu_cached_tokens_total") > 0
    assert grown("qingyu_prefix_hits_total") >= 1
    assert grown("qingyu_first_token_seconds_count") == 2
    assert grown("qingyu_token_seconds_count") == 2
    assert grown("qingyu_forward_passes_total") > 0
    assert after["qingyu_running_requests"] == 0
    assert after["qingyu_kv_total_tokens"] >= after["qingyu_kv_used_tokens"] > 0
    assert after["qingyu_resident_memory_bytes"] > 1e6
    assert after["qingyu_sealed"] == 0


def test_buckets_rise_to_the_count(server: Server) -> None:
    server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]})
    samples = read(server)
    name = "qingyu_http_request_seconds"
    buckets = [value for key, value in samples.items() if key.startswith(f"{name}_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == samples[f"{name}_count"] > 0
    assert f'{name}_bucket{{le="+Inf"}}' in samples


def test_unknown_paths_are_one_route(server: Server) -> None:
    """A stranger cannot fill the memory with names."""
    for number in range(5):
        httpx.get(f"{server.url}/nothing/{number}", timeout=20)
    routes = {key for key in read(server) if key.startswith("qingyu_http_requests_total")}
    assert not [key for key in routes if "nothing" in key]
    assert 'qingyu_http_requests_total{route="other",status="404"}' in routes
