"""Take the pictures of the assistant's page that are in the docs: a house, a flat, the page on
a telephone.

    python scripts/assist_pictures.py            # docs/images/assist*.png

Needs Chromium (`make browser`); the households are simulated, no model is loaded.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT / "src", ROOT / "tests"):
    sys.path.insert(0, str(folder))

from serve.assisting import assisting  # noqa: E402
from serve.browser import launched  # noqa: E402

PICTURES = (
    (
        "assist",
        "lakeside_house",
        {"viewport": {"width": 1360, "height": 900}, "locale": "en-GB"},
        ("Turn on the corner lamp", "Close the velvet curtain", "Unlock the main entrance"),
    ),
    (
        "assist-flat-zh",
        "attic_flat",
        {"viewport": {"width": 1360, "height": 860}, "locale": "zh-CN", "color_scheme": "dark"},
        ("打开圆顶灯", "把挂壁空调调到四十度", "解锁入户锁"),
    ),
    (
        "assist-phone",
        "attic_flat",
        {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True,
         "device_scale_factor": 2},
        ("Turn on the dome light",),
    ),
)  # fmt: skip


def main() -> None:
    with launched() as browser:
        for name, world, options, sentences in PICTURES:
            with (
                tempfile.TemporaryDirectory() as folder,
                assisting(Path(folder), world) as house,
                browser.new_context(reduced_motion="reduce", **options) as context,
            ):
                page = context.new_page()
                page.goto(house.server.url + "/assist")
                page.locator(".device").first.wait_for()
                for number, sentence in enumerate(sentences, 1):
                    page.locator("#message").fill(sentence)
                    page.locator("#message").press("Enter")
                    page.locator(".reply").nth(number - 1).wait_for()
                page.locator(".why summary").last.click()
                page.evaluate("document.querySelector('#scroller').scrollTop = 1e6")
                page.screenshot(path=ROOT / "docs" / "images" / f"{name}.png")


if __name__ == "__main__":
    main()
