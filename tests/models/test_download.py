"""Downloads from a server that cuts, lies, redirects, and forgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from qingyu.errors import DiskSpaceError, DownloadError, HashMismatchError
from qingyu.models.download import DownloadSettings, fetch
from qingyu.models.web import check_redirect
from tests.models.fake_hub import Answer, FakeHub, gguf_like, running_hub, sha256

BODY = gguf_like()
OTHER = gguf_like(seed=2)
PATH = "/owner/repo/resolve/main/model.gguf"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running_hub() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def settings(waits: list[float]) -> DownloadSettings:
    return DownloadSettings(wait=waits.append, attempts=4, spare_disk=0)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf.part"


def test_whole_file_with_progress(hub: FakeHub, part: Path, settings: DownloadSettings) -> None:
    url = hub.serve(PATH, Answer(BODY))
    seen: list[tuple[str, int, int | None]] = []
    fetched = fetch(url, part, settings=settings, progress=lambda *report: seen.append(report))
    assert part.read_bytes() == BODY
    assert fetched.bytes == len(BODY)
    assert seen[0] == ("download", 0, len(BODY))
    assert seen[-1] == ("download", len(BODY), len(BODY))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_cut_half_way_is_resumed(
    hub: FakeHub, part: Path, settings: DownloadSettings, waits: list[float]
) -> None:
    half = len(BODY) // 2
    url = hub.serve(PATH, Answer(BODY, cut=half), Answer(BODY))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == BODY
    assert hub.requests[1].headers["Range"] == f"bytes={half}-"
    assert hub.requests[1].headers["If-Range"] == '"v1"'
    assert waits == [1.0]


def test_cut_by_an_earlier_run_is_resumed(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY, cut=1000), *[Answer(status=503)] * 5, Answer(BODY))
    with pytest.raises(DownloadError, match="1,000 bytes are kept"):
        fetch(url, part, settings=settings)
    hub.serve(PATH, Answer(BODY))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == BODY
    assert hub.requests[-1].headers["Range"] == "bytes=1000-"


def test_every_try_that_gets_further_counts_anew(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, *[Answer(BODY, cut=len(BODY) // 20)] * 25, Answer(BODY))
    fetch(url, part, settings=settings)  # 20 cuts, and only 4 tries without getting further
    assert part.read_bytes() == BODY


def test_changed_file_starts_anew(hub: FakeHub, part: Path, settings: DownloadSettings) -> None:
    url = hub.serve(PATH, Answer(BODY, cut=5000), Answer(OTHER, etag='"v2"'))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == OTHER


def test_changed_file_is_noticed_where_if_range_is_not(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY, cut=5000), Answer(OTHER, etag='"v2"', ignore_if_range=True))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == OTHER


def test_changed_content_name_starts_anew(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    """The hub's own name of the content changed, though the file server's did not."""
    first = {"X-Linked-ETag": f'"{sha256(BODY)}"'}
    second = {"X-Linked-ETag": f'"{sha256(OTHER)}"'}
    url = hub.serve(PATH, Answer(BODY, cut=5000, headers=first), Answer(OTHER, headers=second))
    fetched = fetch(url, part, settings=settings)
    assert part.read_bytes() == OTHER
    assert fetched.advertised_sha256 == sha256(OTHER)


def test_server_that_ignores_range(hub: FakeHub, part: Path, settings: DownloadSettings) -> None:
    url = hub.serve(PATH, Answer(BODY, cut=5000), Answer(BODY, ignore_range=True))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == BODY


def test_part_without_a_name_of_its_content_is_not_trusted(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY, cut=5000, etag=""), Answer(OTHER, etag=""))
    fetch(url, part, settings=settings)
    assert "Range" not in hub.requests[1].headers
    assert part.read_bytes() == OTHER


def test_part_of_another_address_is_not_trusted(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    part.write_bytes(b"x" * 100)
    part.with_name(part.name + ".json").write_text(
        json.dumps({"url": "http://127.0.0.1/other", "etag": '"v1"', "linked": "", "total": 9})
    )
    fetch(hub.serve(PATH, Answer(BODY)), part, settings=settings)
    assert part.read_bytes() == BODY


def test_whole_part_is_not_fetched_again(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY))
    fetch(url, part, settings=settings)
    hub.serve(PATH, Answer(status=416, headers={"Content-Range": f"bytes */{len(BODY)}"}))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == BODY


def test_part_longer_than_the_file_starts_anew(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY))
    fetch(url, part, settings=settings)
    part.write_bytes(BODY + b"more")
    short = Answer(status=416, headers={"Content-Range": f"bytes */{len(BODY)}"})
    hub.serve(PATH, short, Answer(BODY))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == BODY


@pytest.mark.parametrize("length", [len(BODY) - 7, len(BODY) + 7])
def test_wrong_length_is_refused_before_the_body(
    hub: FakeHub, part: Path, settings: DownloadSettings, length: int
) -> None:
    url = hub.serve(PATH, Answer(BODY, length=length))
    with pytest.raises(HashMismatchError, match=f"{length:,} bytes"):
        fetch(url, part, settings=settings, expected_bytes=len(BODY))
    assert not part.exists()


def test_more_bytes_than_expected_without_a_length(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY, chunked=True))
    with pytest.raises(HashMismatchError):
        fetch(url, part, settings=settings, expected_bytes=1000)
    assert part.stat().st_size <= 1000


def test_fewer_bytes_than_expected_without_a_length(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY, chunked=True, cut=1000), Answer(BODY))
    fetch(url, part, settings=settings, expected_bytes=len(BODY))
    assert part.read_bytes() == BODY


def test_linked_size_must_agree(hub: FakeHub, part: Path, settings: DownloadSettings) -> None:
    url = hub.serve(PATH, Answer(BODY, headers={"X-Linked-ETag": '"a"', "X-Linked-Size": "5"}))
    with pytest.raises(HashMismatchError):
        fetch(url, part, settings=settings)


def test_advertised_hash_other_than_recorded_is_refused_before_the_body(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(OTHER, headers={"X-Linked-ETag": f'"{sha256(OTHER)}"'}))
    with pytest.raises(HashMismatchError, match=sha256(OTHER)):
        fetch(url, part, settings=settings, expected_sha256=sha256(BODY))
    assert not part.exists()


def test_etag_is_a_hash_only_where_that_is_known(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY, etag=f'"{sha256(BODY)}"'))
    assert fetch(url, part, settings=settings).advertised_sha256 is None
    part.unlink()
    fetched = fetch(url, part, settings=settings, etag_is_hash=True)
    assert fetched.advertised_sha256 == sha256(BODY)


def test_a_stranger_does_not_speak_for_the_hub(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    with running_hub() as elsewhere:
        linked = {"X-Linked-ETag": f'"{sha256(BODY)}"'}
        target = elsewhere.serve("/blob", Answer(BODY, headers=linked))
        url = hub.serve(PATH, Answer(status=302, headers={"Location": target}))
        assert fetch(url, part, settings=settings).advertised_sha256 is None


@pytest.mark.parametrize("absolute", [False, True])
def test_redirects_are_followed(
    hub: FakeHub, part: Path, settings: DownloadSettings, absolute: bool
) -> None:
    target = hub.serve("/blobs/1", Answer(BODY, etag='"blob"'))
    location = target if absolute else "/blobs/1"
    linked = {"X-Linked-ETag": f'"{sha256(BODY)}"', "X-Linked-Size": str(len(BODY))}
    url = hub.serve(PATH, Answer(status=302, headers={"Location": location, **linked}))
    fetched = fetch(url, part, settings=settings, expected_bytes=len(BODY))
    assert part.read_bytes() == BODY
    assert fetched.advertised_sha256 == sha256(BODY)


def test_cut_behind_a_redirect_is_resumed(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    hub.serve("/blobs/1", Answer(BODY, cut=7000, etag='"blob"'), Answer(BODY, etag='"blob"'))
    url = hub.serve(PATH, Answer(status=302, headers={"Location": "/blobs/1"}))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == BODY
    assert hub.requests[-1].headers["Range"] == "bytes=7000-"


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "http://[x", "http://"],
)
def test_redirect_to_anything_but_http_is_refused(
    hub: FakeHub, part: Path, settings: DownloadSettings, location: str
) -> None:
    url = hub.serve(PATH, Answer(status=302, headers={"Location": location}))
    with pytest.raises(DownloadError, match="refused"):
        fetch(url, part, settings=settings)
    assert not part.exists()


def test_redirect_from_https_to_http_is_refused() -> None:
    check_redirect("https://a.example/x", "https://b.example/y")
    with pytest.raises(DownloadError, match="unprotected"):
        check_redirect("https://a.example/x", "http://a.example/x")


def test_redirect_loop_ends(hub: FakeHub, part: Path, settings: DownloadSettings) -> None:
    url = hub.serve(PATH, Answer(status=307, headers={"Location": PATH}))
    with pytest.raises(DownloadError, match="redirects"):
        fetch(url, part, settings=settings)
    assert len(hub.requests) == settings.redirects + 1


def test_token_goes_to_its_server_only(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    with running_hub() as elsewhere:
        target = elsewhere.serve("/blob", Answer(BODY))
        url = hub.serve(PATH, Answer(status=302, headers={"Location": target}))
        fetch(url, part, headers={"Authorization": "Bearer secret"}, settings=settings)
        assert hub.requests[0].headers["Authorization"] == "Bearer secret"
        assert "Authorization" not in elsewhere.requests[0].headers


@pytest.mark.parametrize(
    ("status", "words"), [(404, "no such file"), (401, "HF_TOKEN"), (403, "HF_TOKEN")]
)
def test_final_refusals_are_not_tried_again(
    hub: FakeHub, part: Path, settings: DownloadSettings, status: int, words: str
) -> None:
    url = hub.serve(PATH, Answer(status=status))
    with pytest.raises(DownloadError, match=words):
        fetch(url, part, settings=settings)
    assert len(hub.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_passing_refusals_are_tried_again(
    hub: FakeHub, part: Path, settings: DownloadSettings, waits: list[float], status: int
) -> None:
    busy = Answer(status=status)
    later = Answer(status=status, headers={"Retry-After": "7"})
    url = hub.serve(PATH, busy, busy, later, Answer(BODY))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == BODY
    assert waits == [1.0, 2.0, 7.0]


def test_a_server_cannot_make_us_wait_for_long(
    hub: FakeHub, part: Path, settings: DownloadSettings, waits: list[float]
) -> None:
    patient = Answer(status=503, headers={"Retry-After": "99999999"})
    with pytest.raises(DownloadError, match="gave up after 4 tries"):
        fetch(hub.serve(PATH, patient), part, settings=settings)
    assert max(waits) <= settings.longest_wait
    assert len(hub.requests) == 4


def test_nobody_answers(part: Path, settings: DownloadSettings) -> None:
    with running_hub() as gone:
        url = gone.url + PATH
    with pytest.raises(DownloadError, match="gave up after 2 tries"):
        fetch(url, part, settings=settings)


def test_no_room_on_disk(hub: FakeHub, part: Path, waits: list[float]) -> None:
    settings = DownloadSettings(wait=waits.append, free_disk=lambda folder: 1000)
    with pytest.raises(DiskSpaceError, match="QINGYU_HOME"):
        fetch(hub.serve(PATH, Answer(BODY)), part, settings=settings)
    assert not part.exists()
    assert len(hub.requests) == 1


def test_room_is_needed_for_the_rest_only(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY, cut=len(BODY) - 500), Answer(status=404))
    with pytest.raises(DownloadError):
        fetch(url, part, settings=settings)
    hub.serve(PATH, Answer(BODY))
    tight = DownloadSettings(free_disk=lambda folder: 500, spare_disk=0)
    fetch(url, part, settings=tight)
    assert part.read_bytes() == BODY


def test_interruption_leaves_a_part_to_resume(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.serve(PATH, Answer(BODY))

    def interrupt(stage: str, done: int, total: int | None) -> None:
        if done >= 60_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(url, part, settings=settings, progress=interrupt)
    kept = part.stat().st_size
    assert 60_000 <= kept < len(BODY)
    fetch(url, part, settings=settings)
    assert hub.requests[-1].headers["Range"] == f"bytes={kept}-"
    assert part.read_bytes() == BODY


def test_the_server_names_no_file(hub: FakeHub, part: Path, settings: DownloadSettings) -> None:
    naming = {"Content-Disposition": 'attachment; filename="../../evil.gguf"'}
    fetch(hub.serve(PATH, Answer(BODY, headers=naming)), part, settings=settings)
    assert sorted(path.name for path in part.parent.iterdir()) == [part.name, part.name + ".json"]


def test_compressed_answer_is_refused(hub: FakeHub, part: Path, settings: DownloadSettings) -> None:
    url = hub.serve(PATH, Answer(BODY, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(DownloadError, match="compressed"):
        fetch(url, part, settings=settings)
    assert hub.requests[0].headers["Accept-Encoding"] == "identity"


def test_address_without_user_and_query_in_messages(
    hub: FakeHub, part: Path, settings: DownloadSettings
) -> None:
    url = hub.url.replace("http://", "http://me:secret@") + "/x.gguf?signature=secret"
    with pytest.raises(DownloadError) as caught:
        fetch(url, part, settings=settings)
    assert "secret" not in str(caught.value)


def test_proxy_of_the_environment_is_used(
    hub: FakeHub, part: Path, settings: DownloadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    url = "http://hub.example.org" + PATH
    hub.serve(url, Answer(BODY))
    fetch(url, part, settings=settings)
    assert part.read_bytes() == BODY
    assert hub.requests[0].path == url
