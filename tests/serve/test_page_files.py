"""The files of the page as they are sent: what is allowed, how they are kept, what they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files

import httpx
import pytest

from qingyu.serve import page
from qingyu.serve.service import Service
from qingyu.serve.settings import ServeSettings
from serve.serving import Server, serving

FOLDER = files("qingyu.serve.page")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


class Metas(HTMLParser):
    """The <meta name content> of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and values.get("name"):
            self.found[values["name"] or ""] = values.get("content") or ""


def test_the_page_holds_its_token_and_may_load_nothing_from_elsewhere(server: Server) -> None:
    answer = httpx.get(server.url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    metas = Metas(answer.text).found
    assert metas["qingyu-token"] == server.service.page_token
    assert json.loads(metas["qingyu-settings"]) == {"model": "fake"}
    assert "{{" not in answer.text


def test_what_is_put_into_the_page_stays_text() -> None:
    service = Service(settings=ServeSettings(), page_token='"><script>alert(1)</script>')
    text = bytes(page.page(service).body).decode()
    assert "<script>alert" not in text
    assert Metas(text).found["qingyu-token"] == service.page_token
    assert json.loads(Metas(text).found["qingyu-settings"]) == {"model": None}  # still loading


def test_the_pages_scripts_may_ask_the_server(server: Server) -> None:
    browser = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    token = {"Qingyu-Page-Token": server.service.page_token}
    assert httpx.get(server.url + "/v1/models", headers={**browser, **token}).status_code == 200
    assert httpx.get(server.url + "/v1/models", headers=browser).status_code == 401


@pytest.mark.parametrize("name", page.ASSETS)
def test_a_file_is_sent_once_and_then_only_asked_about(server: Server, name: str) -> None:
    answer = httpx.get(f"{server.url}/page/{name}")
    assert answer.status_code == 200
    assert answer.content == (FOLDER / name).read_bytes()
    kind = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kind[name.rpartition(".")[2]])
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = answer.headers["etag"]
    again = httpx.get(f"{server.url}/page/{name}", headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["__init__.py", "index.html", "../service.py", "%2e%2e%2fservice.py", "x.js", ""]
)
def test_other_files_are_not_there(server: Server, name: str) -> None:
    answer = httpx.get(f"{server.url}/page/{name}")
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_every_file_of_the_folder_is_listed() -> None:
    found = {path.name for path in FOLDER.iterdir() if path.name.endswith((".js", ".css", ".svg"))}
    assert found == set(page.ASSETS)


def test_no_script_makes_markup_from_text() -> None:
    risky = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc"
        r"|createContextualFragment|setHTML|\.cssText"
    )
    for name in page.ASSETS:
        text = (FOLDER / name).read_text()
        assert not risky.search(text), name
        # The only addresses are names of formats and what comments cite.
        code = re.sub(r"(?m)^\s*(//|/\*|\*).*$|/\*\*.*?\*/", "", text)
        addresses = set(re.findall(r"https?://[\w.]+", code))
        assert addresses <= {"http://www.w3.org"}, name


def test_files_stay_small() -> None:
    for name in page.ASSETS:
        text = (FOLDER / name).read_text()
        assert text.count("\n") <= 500, name
    assert sum(len((FOLDER / name).read_bytes()) for name in page.ASSETS) < 200_000
