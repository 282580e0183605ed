"""The picture of the page in the documentation: drawn from a real page, and small."""

import os
import struct
from pathlib import Path

import pytest
from browser import open_tab, start_browser
from doc_blocks import DOCS
from qstash import QStash

from qstash_jobs.local import StandIn

DRAW = "TEST_DRAWS"
"""Set to `docs`, the picture in the documentation is written anew."""

RUN = "qj-r-4f1c9a2b7d3e8055"
SHOP = "https://shop.example.com"
SIZE = (1160, 720)
MOST_BYTES = 150_000


def fill(qstash: StandIn) -> str:
    """Let a day of a shop happen; return the message to look at."""
    client = QStash(qstash.token, base_url=qstash.url)
    for number in range(1040, 1044):
        client.message.publish_json(
            url=f"{SHOP}/orders/{number}", body={"order": number}, label=f"{RUN},orders"
        )
    client.message.publish(url=f"{SHOP}/newsletter?edition=spring", delay="45m", label="newsletter")
    qstash.add_fault("answer", url=f"{SHOP}/stock", status=500, text="out of reach", times="always")
    client.message.publish(url=f"{SHOP}/stock", retries=0, label="stock")
    qstash.advance(200)
    qstash.add_fault("answer", url=f"{SHOP}/invoices", status=503, text='{"error": "out of paper"}', times=1)
    invoice = client.message.publish_json(
        url=f"{SHOP}/invoices",
        body={"invoice": 7, "lines": [{"item": "tea", "price": 10.50}]},
        headers={"X-Tenant": "acme"},
        label=f"{RUN},invoices",
    )
    qstash.advance(20)
    client.message.publish(url=f"{SHOP}/reminders", delay="2h", label="reminders")
    qstash.add_fault("answer", url=f"{SHOP}/mails", status=0, text="connection refused", times=1)
    client.message.publish(url=f"{SHOP}/mails", label=RUN)
    qstash.deliveries()
    client.http._client.close()
    return str(invoice.message_id)  # type: ignore[union-attr]


def read_size(picture: Path) -> tuple[int, ...]:
    """Read width and height of a PNG."""
    head = picture.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", head[16:])


def test_the_picture_is_that_of_the_page(qstash: StandIn, tmp_path: Path) -> None:
    invoice = fill(qstash)
    picture = DOCS / "local-server.png" if os.environ.get(DRAW) == "docs" else tmp_path / "page.png"
    with (
        start_browser() as browser,
        open_tab(browser, width=SIZE[0], height=SIZE[1]) as tab,
    ):
        tab.goto(f"{qstash.url}/#/messages/{invoice}")
        tab.get_by_text("will be tried again").wait_for()
        tab.get_by_text("answer 503").click()
        tab.screenshot(path=str(picture))
    assert read_size(picture) == SIZE


@pytest.mark.parametrize("picture", sorted(DOCS.glob("*.png")), ids=lambda path: path.name)
def test_pictures_in_the_documentation_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < MOST_BYTES
    assert f"({picture.name})" in "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
