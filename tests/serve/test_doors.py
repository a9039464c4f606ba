"""Who may come in: every route of the table, by Host, Origin and token."""

import base64
import http.client
from collections.abc import Iterator

import pytest

from qingyu.errors import InvalidRequestError
from qingyu.serve.app import OPERATIONS, routes
from qingyu.serve.settings import ServeSettings, host_name
from tests.serve.serving import Server, serving

TOKEN = "a-token-of-many-letters"
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def open_server() -> Iterator[Server]:
    with serving({"Hi": "Hello"}) as server:
        yield server


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    settings = ServeSettings(
        token=TOKEN, allow_hosts=("Home.Example",), allow_origins=("https://chat.example",)
    )
    with serving({"Hi": "Hello"}, settings=settings) as server:
        yield server


def ask(
    server: Server, path: str, *, method: str = "GET", host: str | None = "", **headers: str
) -> Answer:
    """One request with exactly these headers. host: "" the right one, None none at all."""
    address = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if host is not None:
            connection.putheader("Host", host or address)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return (
            answer.status,
            {key.lower(): value for key, value in answer.getheaders()},
            answer.read(),
        )
    finally:
        connection.close()


def every_route() -> list[tuple[str, str]]:
    found = []
    for route in routes():
        path = route.path.replace("{name}", "main.js").replace("{model:path}", "fake")
        for method in sorted((route.methods or set()) - {"HEAD"}):
            found.append((method, path))
    return found


ROUTES = every_route()
GUARDED = [route for route in ROUTES if route[1] != "/health"]


def test_the_table_is_what_is_described() -> None:
    described = {(one.method.upper(), one.path) for one in OPERATIONS}
    there = {
        (method, route.path.replace(":path", ""))
        for route in routes()
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described <= there
    assert {path for _, path in there - described} == {"/", "/page/{name}", "/openapi.json"}


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil",
        "localhost.",
        "[::2]",
        "a@localhost",
        "127.0.0.1:x",
    ],
)
def test_no_route_answers_another_host(
    open_server: Server, method: str, path: str, host: str
) -> None:
    status, _, body = ask(open_server, path, method=method, host=host)
    assert (status, b"host_not_allowed" in body) == (403, True)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_no_route_answers_without_a_host(open_server: Server, method: str, path: str) -> None:
    for host in (None, " "):
        status, _, _ = ask(open_server, path, method=method, host=host)
        assert status == 400


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_no_route_answers_another_origin(
    open_server: Server, method: str, path: str, origin: str
) -> None:
    status, headers, body = ask(open_server, path, method=method, Origin=origin)
    assert (status, b"origin_not_allowed" in body) == (403, True)
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Token {TOKEN}",
        "Basic !!!",
    ],
)
def test_no_route_answers_without_the_token(
    guarded: Server, method: str, path: str, authorization: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    status, answered, _ = ask(guarded, path, method=method, **headers)
    assert status == 401
    assert "www-authenticate" in answered


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_the_token_opens_every_route(guarded: Server, method: str, path: str) -> None:
    status, _, _ = ask(guarded, path, method=method, Authorization=f"Bearer {TOKEN}")
    # Without a body those that want one say so: they were reached.
    assert status == (415 if method == "POST" else 200)


def test_health_is_open_and_says_little(guarded: Server) -> None:
    status, _, body = ask(guarded, "/health", host="anything.example")
    assert status == 200
    assert TOKEN.encode() not in body
    assert guarded.service.page_token.encode() not in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8317", "127.0.0.1", "[::1]", "[::1]:99"])
def test_names_of_this_machine_are_right(open_server: Server, host: str) -> None:
    assert ask(open_server, "/v1/models", host=host)[0] == 200


def test_a_listed_name_is_right(guarded: Server) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(guarded, "/v1/models", host="home.example:443", **headers)[0] == 200


def test_two_hosts_are_none(open_server: Server) -> None:
    # The HTTP layer itself refuses two Host headers.
    address = open_server.url.removeprefix("http://")
    assert ask(open_server, "/v1/models", Host=address)[0] == 400


def test_a_browser_needs_the_page_token_even_here(open_server: Server) -> None:
    own = open_server.url
    token = open_server.service.page_token
    assert ask(open_server, "/v1/models")[0] == 200
    assert ask(open_server, "/v1/models", Origin=own)[0] == 401
    assert ask(open_server, "/v1/models", Sec_Fetch_Site="cross-site")[0] == 401
    assert ask(open_server, "/v1/models", Origin=own, Qingyu_Page_Token=token)[0] == 200
    assert ask(open_server, "/v1/models", Origin=own, Qingyu_Page_Token="x" + token)[0] == 401
    # What a proxy asked the browser for comes along, and is no business of ours.
    both = {"Qingyu_Page_Token": token, "Authorization": "Basic YW5uOnNlY3JldA=="}
    assert ask(open_server, "/v1/models", Origin=own, **both)[0] == 200
    # The page itself and its files come without.
    assert ask(open_server, "/", Sec_Fetch_Site="none")[0] == 200
    assert ask(open_server, "/page/main.js", Sec_Fetch_Site="same-origin")[0] == 200


def test_with_a_token_the_page_asks_for_it(guarded: Server) -> None:
    status, headers, body = ask(guarded, "/")
    assert status == 401
    assert headers["www-authenticate"].startswith("Basic")
    assert guarded.service.page_token.encode() not in body
    password = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    status, headers, body = ask(guarded, "/", Authorization=f"Basic {password}")
    assert status == 200
    assert guarded.service.page_token.encode() in body
    assert headers["cache-control"] == "no-store"
    own = {"Qingyu_Page_Token": guarded.service.page_token}
    assert ask(guarded, "/v1/models", **own)[0] == 200
    assert ask(guarded, "/", **own)[0] == 401  # or it would open the way to the next one
    # Not for the API: a browser would send it along by itself.
    assert ask(guarded, "/v1/models", Authorization=f"Basic {password}")[0] == 401


def test_preflight_and_answers_for_a_listed_origin(guarded: Server) -> None:
    origin = {"Origin": "https://chat.example"}
    status, headers, _ = ask(guarded, "/v1/models", method="OPTIONS", **origin)
    assert (status, headers["access-control-allow-origin"]) == (204, "https://chat.example")
    assert "access-control-allow-credentials" not in headers
    assert ask(guarded, "/v1/models", **origin)[0] == 401
    status, headers, _ = ask(guarded, "/v1/models", **origin, Authorization=f"Bearer {TOKEN}")
    assert (status, headers["access-control-allow-origin"]) == (200, "https://chat.example")
    assert headers["vary"] == "Origin"


def test_every_answer_has_the_headers_that_protect(open_server: Server) -> None:
    for path, host in (
        ("/v1/models", ""),
        ("/nothing", ""),
        ("/", "evil.example"),
        ("/health", ""),
    ):
        _, headers, _ = ask(open_server, path, host=host)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["qingyu-seal"] == "off"
        assert headers["x-request-id"]


def test_unknown_paths_and_methods_are_error_objects(open_server: Server) -> None:
    status, _, body = ask(open_server, "/v1/nothing")
    assert (status, b'"code": "not_found"' in body) == (404, True)
    status, headers, body = ask(open_server, "/v1/chat/completions")
    assert (status, headers["allow"], b"method_not_allowed" in body) == (405, "POST", True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": "0.0.0.0"}, "--expose"),
        ({"host": "192.168.1.5", "token": TOKEN}, "--expose"),
        ({"host": "::", "expose": True}, "needs a token"),
        ({"expose": True, "token": TOKEN}, "does nothing"),
        ({"token": "short"}, "at least 16"),
        ({"token": "b" * 20 + "\x7f"}, "at least 16"),
        ({"port": 70000}, "0 to 65535"),
        ({"host": "[::1]"}, "is no address"),
        ({"host": "a b"}, "is no address"),
        ({"allow_hosts": ("https://home.example",)}, "without a scheme"),
        ({"allow_hosts": ("home.example:80",)}, "without a scheme"),
        ({"allow_origins": ("*",)}, "no wildcard"),
        ({"allow_origins": ("https://a.example/",)}, "without a path"),
    ],
)
def test_unsafe_settings_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        ServeSettings(**options)  # type: ignore[arg-type]


def test_safe_settings() -> None:
    assert ServeSettings(host="::1").loopback
    assert ServeSettings(host="localhost").loopback
    assert not ServeSettings(host="0.0.0.0", expose=True, token=TOKEN).loopback


def test_the_token_is_not_in_what_is_printed() -> None:
    assert TOKEN not in repr(ServeSettings(token=TOKEN))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("LocalHost:8317", "localhost"),
        ("[0:0::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", ""),
        ("a:b", ""),
        ("a@b", ""),
        ("a.", ""),
        ("[::1", ""),
        ("a:123456", ""),
    ],
)
def test_a_host_has_one_spelling(text: str, name: str) -> None:
    assert host_name(text, port=True) == name


def test_a_preflight_may_ask_for_the_headers_of_openai_s_client(guarded: Server) -> None:
    origin = {"Origin": "https://chat.example"}
    wanted = "authorization,content-type,x-stainless-os"
    _, headers, _ = ask(
        guarded, "/v1/models", method="OPTIONS", **origin, Access_Control_Request_Headers=wanted
    )
    assert headers["access-control-allow-headers"] == wanted
    _, headers, _ = ask(
        guarded, "/v1/models", method="OPTIONS", **origin, Access_Control_Request_Headers="a: b"
    )
    assert headers["access-control-allow-headers"] == "authorization, content-type"
