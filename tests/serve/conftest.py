"""A browser for the tests of the page; each module of them has the server it talks to."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Not for the whole session: while it lives, this thread has an event loop that runs.
    from serve.browser import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def tab(browser: Any, server: Any) -> Iterator[Any]:
    from serve.browser import opened

    with opened(browser, server) as tab:
        yield tab
