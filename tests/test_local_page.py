"""The page of the local server in a real Chromium: what it shows is so, what it does happens, nothing foreign acts."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from browser import open_tab, start_browser
from qstash import QStash

from qstash_jobs.local import LocalServer, StandIn, User, start_server

HOOK = "https://example.com/hook"
RUN = "qj-r-4f1c9a2b7d3e8055"
ROWS = "table.messages tbody tr"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with start_browser() as running:
        yield running


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    with open_tab(browser) as opened:
        yield opened


@pytest.fixture
def client(qstash: StandIn) -> Iterator[QStash]:
    sdk = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield sdk
    sdk.http._client.close()


def look(tab: Any, server: StandIn | LocalServer, place: str = "") -> None:
    """Open the page, and wait until it has an answer."""
    tab.goto(f"{server.url}/{place}")
    tab.wait_for_selector('#pulse[data-state="live"]')


def states(tab: Any) -> list[str]:
    return [text.strip() for text in tab.locator(f"{ROWS} .state").all_inner_texts()]


def wait_for_states(tab: Any, *wanted: str) -> None:
    tab.wait_for_function(
        "wanted => [...document.querySelectorAll('tbody .state')].map(n => n.textContent).join() === wanted",
        arg=",".join(wanted),
    )


def test_messages_show_as_they_move_without_the_page_being_loaded_again(
    qstash: StandIn, client: QStash, tab: Any
) -> None:
    look(tab, qstash)
    tab.get_by_role("heading", name="No messages yet").wait_for()
    qstash.add_fault("answer", status=503)
    client.message.publish(url=HOOK, delay="1h")
    wait_for_states(tab, "waiting")
    assert "due in" in tab.locator(f"{ROWS} .when").inner_text()
    qstash.advance(3600)
    wait_for_states(tab, "retrying")
    assert tab.locator(f"{ROWS} .answer").inner_text() == "503, 1 of 3 retries"
    client.message.publish(url=HOOK, delay="1d")
    client.message.cancel(qstash.messages()[1].message_id)
    qstash.finish()
    wait_for_states(tab, "cancelled", "delivered")
    counts = "all 2 waiting 0 active 0 retrying 0 delivered 1 failed 0 cancelled 1"
    assert " ".join(tab.locator(".tabs").inner_text().split()) == counts


def test_a_delivery_that_takes_its_time_is_shown_as_active(browser: Any) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as slow,
        start_server(deliver=True, real_time=True) as server,
        open_tab(browser) as tab,
    ):
        look(tab, server)
        publish(server, f"http://127.0.0.1:{slow.getsockname()[1]}/")
        line, _ = slow.accept()
        wait_for_states(tab, "active")
        line.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        line.close()
        wait_for_states(tab, "delivered")


def publish(server: StandIn | LocalServer, url: str, **headers: str) -> str:
    """Publish as a client without manners could; return the message's id."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    call = Request(
        f"{server.url}/v2/publish/{url}",
        data=b"{}",
        headers={"Authorization": f"Bearer {server.token}", **given},
    )
    with urlopen(call, timeout=10) as answer:
        return str(json.load(answer)["messageId"])


def test_filters_by_url_label_state_and_run_narrow_the_list_and_stay_in_the_address(
    qstash: StandIn, client: QStash, tab: Any
) -> None:
    qstash.add_fault("answer", url="https://b.example", status=500, times="always")
    client.message.publish(url="https://a.example/one", label=f"{RUN},red")
    client.message.publish(url="https://a.example/two", label="blue")
    client.message.publish(url="https://b.example/Three", label=f"{RUN},blue", retries=0)
    look(tab, qstash)
    wait_for_states(tab, "failed", "delivered", "delivered")
    tab.get_by_label("URL").fill("/three")
    wait_for_states(tab, "failed")
    tab.get_by_label("URL").fill("")
    tab.get_by_label("Label").fill("BLUE")
    wait_for_states(tab, "failed", "delivered")
    tab.locator(".tab", has_text="delivered").click()
    wait_for_states(tab, "delivered")
    assert tab.locator(f"{ROWS} a").inner_text() == "https://a.example/two"
    tab.reload()
    wait_for_states(tab, "delivered")
    assert tab.get_by_label("Label").input_value() == "BLUE"
    tab.get_by_role("button", name="Clear").click()
    wait_for_states(tab, "failed", "delivered", "delivered")
    tab.get_by_label("Run").select_option(RUN)
    wait_for_states(tab, "failed", "delivered")
    tab.locator(".tab", has_text="waiting").click()
    tab.get_by_role("heading", name="Nothing fits").wait_for()
    tab.go_back()
    wait_for_states(tab, "failed", "delivered")
    tab.get_by_role("button", name="red", exact=True).click()
    wait_for_states(tab, "delivered")


def test_one_message_shows_its_attempts_its_headers_its_body_and_the_answers(
    qstash: StandIn, client: QStash, tab: Any
) -> None:
    qstash.add_fault("answer", status=503, text='{"why":"out of paper"}', times=1)
    client.message.publish(
        url=HOOK,
        body='{"order":10.50,"id":12345678901234567890,"none":{}}',
        content_type="application/json",
        headers={"X-Tenant": "acme"},
        callback="https://example.com/done",
        label="orders",
    )
    qstash.deliveries()
    look(tab, qstash)
    tab.locator(f"{ROWS}", has_text="/hook").click()
    side = tab.get_by_role("complementary", name="One message")
    side.get_by_text("will be tried again").wait_for()
    side.get_by_text("answer 503").click()
    shown = side.inner_text()
    assert '{\n  "why": "out of paper"\n}' in shown
    # every digit as it was published
    assert '{\n  "order": 10.50,\n  "id": 12345678901234567890,\n  "none": {}\n}' in shown
    for line in ("X-Tenant\nacme", "Labels\norders", "Callback\nhttps://example.com/done", "Retries\n0 of 3"):
        assert line in re.sub(r"\s*\n\s*", "\n", shown) or line.replace("0 of", "1 of") in shown
    qstash.finish()
    side.get_by_text("answer 200").wait_for()
    assert side.locator(".events b").all_inner_texts() == [
        "accepted",
        "delivery begins",
        "attempt failed",
        "will be tried again",
        "delivery begins",
        "delivered",
    ]
    # what was opened stays open while the page goes on
    assert side.locator("details[open] summary").inner_text() == "answer 503"


def test_a_waiting_message_is_cancelled_from_the_page(qstash: StandIn, client: QStash, tab: Any) -> None:
    client.message.publish(url=HOOK, delay="1h")
    look(tab, qstash)
    tab.locator(f"{ROWS} a").click()
    tab.get_by_role("button", name="Cancel the message").click()
    wait_for_states(tab, "cancelled")
    assert [one.state for one in qstash.messages()] == ["CANCELLED"]


def test_what_is_redacted_is_not_on_the_page(qstash: StandIn, client: QStash, tab: Any) -> None:
    client.message.publish(
        url=HOOK, body="my secret", headers={"X-Key": "my secret"}, redact={"body": True, "header": ["X-Key"]}
    )
    look(tab, qstash, f"#/messages/{qstash.messages()[0].message_id}")
    tab.get_by_text("REDACTED:").first.wait_for()
    assert tab.get_by_text("REDACTED:").count() == 2
    assert "my secret" not in tab.content()


def test_a_body_is_shown_as_far_as_a_person_reads_and_bytes_as_base64(
    qstash: StandIn, client: QStash, tab: Any
) -> None:
    client.message.publish(url=HOOK, body="é" * 1_000_000)
    client.message.publish(url=HOOK, body=b"\xff\xfe")
    long, binary = qstash.messages()
    look(tab, qstash, f"#/messages/{long.message_id}")
    tab.get_by_text("The rest is not shown.").wait_for()
    assert tab.locator(".side pre").first.inner_text() == "é" * 65536
    tab.goto(f"{qstash.url}/#/messages/{binary.message_id}")
    tab.get_by_text("Not text; in base64:").wait_for()
    assert tab.locator(".side pre").first.inner_text() == "//4="


def test_dead_letters_are_delivered_again_one_by_one_or_all(
    qstash: StandIn, client: QStash, tab: Any
) -> None:
    qstash.add_fault("answer", status=500, text="no", times=3)
    for number in range(3):
        client.message.publish(url=f"{HOOK}/{number}", retries=0)
    qstash.deliveries()
    look(tab, qstash, "#/letters")
    tab.get_by_text("answered 500: no").first.wait_for()
    assert tab.locator("#letter-count").inner_text() == "3"
    tab.locator(".card", has_text="/hook/1").get_by_role("button", name="Deliver again").click()
    tab.wait_for_function("() => document.querySelectorAll('.card').length === 2")
    assert [one.url for one in qstash.deliveries() if one.status == 200] == [f"{HOOK}/1"]
    tab.locator(".card", has_text="/hook/2").get_by_role("button", name="Remove").click()
    tab.wait_for_function("() => document.querySelectorAll('.card').length === 1")
    tab.get_by_role("button", name="Deliver all again").click()
    tab.get_by_role("heading", name="No dead letters").wait_for()
    assert [one.url for one in qstash.deliveries() if one.status == 200] == [f"{HOOK}/1", f"{HOOK}/0"]


def test_schedules_show_their_next_time_and_are_paused(qstash: StandIn, client: QStash, tab: Any) -> None:
    client.schedule.create(destination=HOOK, cron="CRON_TZ=Europe/Zurich 0 3 * * *", schedule_id="nightly")
    look(tab, qstash, "#/schedules")
    card = tab.locator(".card")
    card.get_by_text("has not fired yet").wait_for()
    assert re.search(r"next .*0[12]:00:00, in \d+ (h|min|s)", card.inner_text())
    qstash.advance(2 * 86_400)
    card.get_by_text("success").wait_for()
    card.get_by_role("button", name="Pause").click()
    card.get_by_text("paused", exact=True).wait_for()
    assert client.schedule.get("nightly").paused
    card.get_by_role("button", name="Resume").click()
    card.get_by_text("next").wait_for()
    assert not client.schedule.get("nightly").paused


def test_queues_and_flow_control_keys_show_what_waits_and_are_paused(
    qstash: StandIn, client: QStash, tab: Any
) -> None:
    qstash.make_queue("orders.x", parallelism=2, paused=True)
    client.message.enqueue(queue="orders.x", url=HOOK)
    for _ in range(3):
        client.message.publish(url=HOOK, flow_control={"key": "shop", "rate": 1, "period": 60})
    look(tab, qstash, "#/queues")
    queue, key = tab.locator(".card", has_text="orders.x"), tab.locator(".card", has_text="shop")
    queue.get_by_text("paused · 1 not done · 2 at a time").wait_for()
    key.get_by_text("2 waiting · 0 under way · 1 of 1 in 60 s").wait_for()
    queue.get_by_role("button", name="Resume").click()
    queue.get_by_text("0 not done · 2 at a time").wait_for()
    key.get_by_role("button", name="Pause").click()
    key.get_by_text("paused · 2 waiting").wait_for()
    assert client.flow_control.get("shop").is_paused


def test_a_test_message_is_published_as_the_form_says(qstash: StandIn, client: QStash, tab: Any) -> None:
    look(tab, qstash, "#/publish")
    tab.get_by_label("Destination").fill("https://example.com/ü?a=1&b=2#part")
    tab.get_by_label("Method").select_option("PUT")
    tab.get_by_label("Body").fill("tea ☕")
    tab.get_by_label("Content-Type").fill("text/plain; charset=utf-8")
    tab.get_by_label("Label").fill("tried")
    tab.get_by_label("Delay").fill("10m")
    tab.get_by_label("Headers to forward").fill("X-One: 1\nX-Two:two words\nnonsense")
    tab.get_by_role("button", name="Publish").click()
    tab.get_by_role("complementary", name="One message").get_by_text("due in").wait_for()
    qstash.advance(600)
    [delivery] = qstash.deliveries()
    headers = dict(delivery.headers)
    assert (delivery.method, delivery.body.decode()) == ("PUT", "tea ☕")
    assert delivery.url == "https://example.com/%C3%BC?a=1&b=2%23part"
    assert (headers["X-One"], headers["X-Two"]) == ("1", "two words")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert qstash.messages()[0].labels == ("tried",)


def test_what_the_server_refuses_is_said_in_its_words(qstash: StandIn, browser: Any) -> None:
    with open_tab(browser, quiet=False) as tab:
        look(tab, qstash, "#/publish")
        tab.get_by_label("Destination").fill("ftp://example.com")
        tab.get_by_role("button", name="Publish").click()
        tab.get_by_text("add http:// or https://").wait_for()
        assert qstash.messages() == []


HOSTILE = (
    "<script>alert(1)</script>",
    "<img/src=x/onerror=alert(2)>",
    "\"'><svg/onload=alert(3)>",
    "javascript:alert(4)",
    "__proto__",
    "\u202etxt.exe\u200b",
    "{{7*7}}${7*7}",
    "x" * 5000,
)


def test_nothing_foreign_becomes_markup(qstash: StandIn, client: QStash, browser: Any) -> None:
    qstash.add_fault("answer", status=500, text="<img src=x onerror=alert(5)>", times="always")
    batch = [
        {
            "destination": f"https://example.com/{text}",
            "body": text,
            "queue": "q",
            "headers": {"Upstash-Label": text, "Upstash-Forward-X-Evil": text, "Upstash-Retries": "0"},
        }
        for text in HOSTILE
    ]
    call = Request(
        f"{qstash.url}/v2/batch",
        data=json.dumps(batch).encode(),
        headers={"Authorization": f"Bearer {qstash.token}"},
    )
    with urlopen(call, timeout=10) as answer:
        ids = [one["messageId"] for one in json.load(answer)]
    qstash.deliveries()
    with open_tab(browser) as tab:
        look(tab, qstash)
        tab.wait_for_selector(ROWS)
        assert tab.locator(ROWS).count() == len(HOSTILE)
        for place in (
            *(f"#/messages/{one}" for one in ids),
            "#/letters",
            "#/queues",
            "#/groups",
            "#/schedules",
        ):
            tab.goto(f"{qstash.url}/{place}")
            tab.wait_for_timeout(100)
            made = (
                "document.querySelectorAll('main script, main img, main svg, main b:not([class]) img').length"
            )
            assert tab.evaluate(made) == 0
            links = tab.evaluate("[...document.querySelectorAll('a')].map(a => a.protocol + a.host)")
            assert set(links) == {f"http:{qstash.url.removeprefix('http://')}"}
        tab.goto(f"{qstash.url}/#/messages/{ids[0]}")
        tab.locator(".side pre", has_text="<script>alert(1)</script>").first.wait_for()
        tab.goto(f"{qstash.url}/#/messages/{ids[5]}")
        tab.locator(".side pre", has_text="\\u202etxt.exe\\u200b").first.wait_for()
        assert "\u202e" not in tab.locator("body").inner_text()


def test_a_script_that_gets_in_is_not_run(qstash: StandIn, browser: Any) -> None:
    with open_tab(browser, quiet=False) as tab:
        look(tab, qstash)
        tries = """() => {
            const done = [];
            const script = document.createElement('script');
            try { script.text = 'window.ran = 1'; document.head.append(script); } catch (e) { done.push('script'); }
            try { document.body.innerHTML = '<b>x</b>'; } catch (e) { done.push('markup'); }
            try { setTimeout('window.ran = 2'); } catch (e) { done.push('text'); }
            return [done.join(), window.ran ?? 0];
        }"""
        assert tab.evaluate(tries) == ["script,markup,text", 0]
        assert tab.evaluate("fetch('http://127.0.0.1:1/').catch(() => 'refused')") == "refused"


def test_the_keyboard_is_enough(qstash: StandIn, client: QStash, tab: Any) -> None:
    client.message.publish(url=f"{HOOK}/a")
    client.message.publish(url=f"{HOOK}/b")
    look(tab, qstash)
    tab.wait_for_selector(ROWS)
    tab.keyboard.press("/")
    tab.keyboard.type("/hook/a")
    wait_for_states(tab, "delivered")
    tab.keyboard.press("Tab")
    focused = "document.activeElement.textContent || document.activeElement.name"
    assert tab.evaluate(focused) == "label"
    for _ in range(3):
        tab.keyboard.press("Tab")
    assert tab.evaluate(focused) == f"{HOOK}/a"
    tab.keyboard.press("Enter")
    tab.get_by_role("heading", name="What happened").wait_for()
    tab.wait_for_timeout(1500)
    # the list was drawn anew meanwhile, and the place is kept
    assert tab.evaluate(focused) == f"{HOOK}/a"
    tab.keyboard.press("Escape")
    tab.get_by_role("heading", name="What happened").wait_for(state="hidden")
    tab.wait_for_function(f"() => ({focused}) === '{HOOK}/a'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_shows_every_view_whole(
    qstash: StandIn, client: QStash, browser: Any, scheme: str
) -> None:
    client.message.publish(url=f"{HOOK}/{'a' * 500}", label=f"{'l' * 200},{RUN}", body="b" * 500)
    client.schedule.create(destination=f"{HOOK}/{'s' * 300}", cron="0 3 * * *")
    qstash.make_queue("q" * 150)
    qstash.make_group("g" * 150, {"n" * 100: f"{HOOK}/{'g' * 300}"})
    [message] = qstash.messages()
    with open_tab(browser, width=360, height=740, scheme=scheme) as tab:
        look(tab, qstash)
        tab.wait_for_selector(ROWS)
        for place in (
            "messages",
            f"messages/{message.message_id}",
            "letters",
            "schedules",
            "queues",
            "groups",
            "publish",
        ):
            tab.goto(f"{qstash.url}/#/{place}")
            tab.wait_for_timeout(300)
            assert tab.evaluate("document.documentElement.scrollWidth") == 360
            boxes = "[...document.querySelectorAll('nav a')].map(a => a.getBoundingClientRect().toJSON())"
            assert all(box["left"] >= 0 and box["right"] <= 360 for box in tab.evaluate(boxes))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(qstash: StandIn, browser: Any, scheme: str) -> None:
    with open_tab(browser, scheme=scheme) as tab:
        look(tab, qstash)
        names = "waiting active retrying delivered failed cancelled soft ink accent on-accent ground paper raised tint"
        read = "names => names.map(n => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim())"
        colours = dict(zip(names.split(), tab.evaluate(read, names.split()), strict=True))
    # WCAG 2.2, 1.4.3: 4.5 to 1
    for front in names.split()[:8]:
        for ground in ("ground", "paper", "raised", "tint"):
            assert contrast(colours[front], colours[ground]) >= 4.5, (front, ground)
    assert contrast(colours["accent"], colours["on-accent"]) >= 4.5
    assert contrast(colours["paper"], colours["failed"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    lights = sorted((light(one), light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def light(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_ten_thousand_messages_are_no_more_work_than_a_hundred(qstash: StandIn, tab: Any) -> None:
    for start in range(0, 10_000, 500):
        batch(qstash, *(f"{HOOK}/{number}" for number in range(start, start + 500)))
    assert len(qstash.messages()) == 10_000
    look(tab, qstash)
    place = tab.locator(".pages span")
    wait_for_text(place, "1 to 100 of 10,000")
    assert tab.locator(ROWS).count() == 100
    tab.get_by_label("URL").fill("/hook/123")
    tab.wait_for_function("() => document.querySelectorAll('tbody tr').length === 11")
    assert place.is_hidden()


def wait_for_text(place: Any, text: str) -> None:
    place.filter(has_text=re.compile(f"^{re.escape(text)}$")).wait_for()


def batch(server: StandIn, *urls: str, **headers: str) -> None:
    """Publish to each of them."""
    names = {f"Upstash-{name}": value for name, value in headers.items()}
    call = Request(
        f"{server.url}/v2/batch",
        data=json.dumps([{"destination": url, "headers": names} for url in urls]).encode(),
        headers={"Authorization": f"Bearer {server.token}"},
    )
    urlopen(call, timeout=30).close()


def test_older_messages_are_a_page_away_with_the_keyboard_and_stay_where_they_are(
    qstash: StandIn, tab: Any
) -> None:
    batch(qstash, *(f"{HOOK}/{number}" for number in range(250)), Label="many")
    look(tab, qstash)
    place, rows = tab.locator(".pages span"), tab.locator(f"{ROWS} a")
    wait_for_text(place, "1 to 100 of 250")
    tab.get_by_role("button", name="Older").focus()
    for text, first in (("101 to 200 of 250", 149), ("201 to 250 of 250", 49)):
        tab.keyboard.press("Enter")
        wait_for_text(place, text)
        assert rows.first.inner_text() == f"{HOOK}/{first}"
    # at the end, the key does no more
    tab.keyboard.press("Enter")
    batch(qstash, f"{HOOK}/new", Label="many")
    wait_for_text(place, "202 to 251 of 251")
    assert rows.first.inner_text() == f"{HOOK}/49"
    tab.reload()
    wait_for_text(place, "202 to 251 of 251")
    for text in ("102 to 201 of 251", "2 to 101 of 251", "1 to 100 of 251"):
        tab.get_by_role("button", name="Newer").click()
        wait_for_text(place, text)
    assert rows.first.inner_text() == f"{HOOK}/new"
    assert "before" not in tab.url
    tab.get_by_role("button", name="Older").click()
    wait_for_text(place, "101 to 200 of 251")
    # what is looked for is looked for among all
    tab.get_by_label("URL").fill("/new")
    tab.wait_for_function("() => document.querySelectorAll('tbody tr').length === 1")


def test_older_dead_letters_are_a_page_away_and_all_are_delivered_again(qstash: StandIn, tab: Any) -> None:
    qstash.add_fault("answer", status=500, times=230)
    batch(qstash, *(f"{HOOK}/{number}" for number in range(230)), Retries="0")
    qstash.deliveries()
    look(tab, qstash, "#/letters")
    place, cards = tab.locator(".pages span"), tab.locator(".card a")
    wait_for_text(place, "1 to 100")
    assert tab.locator("#letter-count").inner_text() == "100+"
    for text, first in (("101 to 200", 129), ("201 to 230", 29)):
        tab.get_by_role("button", name="Older").click()
        wait_for_text(place, text)
        assert cards.first.inner_text() == f"{HOOK}/{first}"
    tab.get_by_role("button", name="Newer").click()
    wait_for_text(place, "101 to 200")
    tab.get_by_role("button", name="Deliver all again").click()
    tab.get_by_text("230 delivered again, as new messages").wait_for()
    tab.get_by_role("heading", name="No dead letters").wait_for()
    assert sum(one.status == 200 for one in qstash.deliveries()) == 230


def test_url_groups_show_their_endpoints_and_follow_them(qstash: StandIn, client: QStash, tab: Any) -> None:
    look(tab, qstash, "#/groups")
    tab.get_by_role("heading", name="No URL groups").wait_for()
    qstash.make_group("customers", {"mail": f"{HOOK}/mail", "<b>crm</b>": f"{HOOK}/crm"})
    client.url_group.upsert_endpoints("customers", [{"url": f"{HOOK}/plain"}])
    card = tab.locator(".card", has_text="customers")
    card.get_by_text("3 endpoints").wait_for()
    assert card.locator("dt").all_inner_texts() == ["mail", "<b>crm</b>", "without a name"]
    assert card.locator("dd").all_inner_texts() == [f"{HOOK}/mail", f"{HOOK}/crm", f"{HOOK}/plain"]
    client.url_group.remove_endpoints("customers", [{"name": "mail"}, {"name": "<b>crm</b>"}])
    card.get_by_text("1 endpoint", exact=True).wait_for()
    client.url_group.delete("customers")
    tab.get_by_role("heading", name="No URL groups").wait_for()


def test_a_server_that_ends_is_said_to_be_gone(browser: Any) -> None:
    with open_tab(browser, quiet=False) as tab:
        with start_server() as server:
            look(tab, server)
        tab.wait_for_selector('#pulse[data-state="no answer"]')


def test_users_with_tokens_of_their_own_are_asked_for_one(browser: Any) -> None:
    users = (User(token="alice", current_key="a", next_key="b"),)
    with start_server(users=users) as server, open_tab(browser, quiet=False) as tab:
        with urlopen(f"{server.url}/page/tokens", timeout=10) as answer:
            assert json.load(answer) == []
        tab.goto(server.url)
        tab.get_by_label("Token").fill("guess")
        tab.get_by_role("button", name="Look").click()
        tab.wait_for_selector('input[name="token"]:not([value])')
        tab.wait_for_function("() => document.querySelector('input[name=token]')?.value === ''")
        tab.get_by_label("Token").fill("alice")
        tab.keyboard.press("Enter")
        tab.get_by_role("heading", name="No messages yet").wait_for()
        assert tab.locator("#user-choice").is_hidden()


def test_the_token_behind_the_address_is_taken_and_not_left_there(browser: Any) -> None:
    users = (User(token="alice+1/2=", current_key="a", next_key="b"),)
    with start_server(users=users) as server, open_tab(browser) as tab:
        look(tab, server, "#token=alice%2B1%2F2%3D")
        assert tab.url == f"{server.url}/#/messages"
        tab.reload()
        tab.wait_for_selector('#pulse[data-state="live"]')


def test_each_development_user_has_a_page(qstash: StandIn, client: QStash, tab: Any) -> None:
    client.message.publish(url=HOOK)
    look(tab, qstash)
    tab.wait_for_selector(ROWS)
    tab.get_by_label("User").select_option(index=1)
    tab.get_by_role("heading", name="No messages yet").wait_for()


@contextmanager
def other_site(content: str) -> Iterator[str]:
    """A page that somebody else serves on this machine."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}/"
        site.shutdown()


def test_another_site_can_link_to_the_page_and_neither_frame_nor_use_it(
    qstash: StandIn, browser: Any
) -> None:
    content = f"<a href='{qstash.url}/'>there</a><iframe src='{qstash.url}/'></iframe>"
    with other_site(content) as site, open_tab(browser, quiet=False) as tab:
        tab.goto(site)
        # an error page of the browser's own stands in the frame
        tab.wait_for_timeout(500)
        assert "Local QStash" not in "".join(frame.content() for frame in tab.frames[1:])
        for method, mode in (("POST", "cors"), ("POST", "no-cors"), ("GET", "no-cors")):
            tab.evaluate(
                "([url, method, mode]) => fetch(url, {method, mode, body: method === 'POST' ? 'x' : undefined})"
                ".catch(() => null)",
                [f"{qstash.url}/v2/publish/{HOOK}?qstash_token={qstash.token}", method, mode],
            )
        assert qstash.messages() == []
        tab.get_by_text("there").click()
        tab.wait_for_selector('#pulse[data-state="live"]')


def test_under_a_name_that_a_stranger_could_own_there_is_nothing(browser: Any) -> None:
    with start_server() as server:
        port = server.url.rpartition(":")[2]
        for path in ("/", "/page/tokens", f"/v2/events?qstash_token={server.token}"):
            with pytest.raises(HTTPError) as refused:
                urlopen(Request(server.url + path, headers={"Host": f"evil.example:{port}"}), timeout=10)
            with refused.value as answer:
                assert answer.status == 403
        for name in ("qstash", "host.docker.internal", "qstash.local", "localhost", "127.0.0.1", "[::1]"):
            place = f"{server.url}/v2/events?qstash_token={server.token}"
            urlopen(Request(place, headers={"Host": f"{name}:{port}"}), timeout=10).close()
    users = (User(token="alice", current_key="a", next_key="b"),)
    with start_server(users=users) as server:
        place = f"{server.url}/v2/events?qstash_token=alice"
        urlopen(Request(place, headers={"Host": "qstash.example.com"}), timeout=10).close()


def test_every_file_of_the_page_comes_with_a_policy_that_lets_nothing_else_in() -> None:
    with start_server() as server:
        for path, kind in (
            ("/", "text/html; charset=utf-8"),
            ("/page/main.js", "text/javascript; charset=utf-8"),
            ("/page/page.css", "text/css; charset=utf-8"),
            ("/page/icon.svg", "image/svg+xml"),
            ("/page/tokens", "application/json"),
        ):
            with urlopen(server.url + path, timeout=10) as answer:
                assert answer.headers["Content-Type"] == kind
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'; script-src 'self';" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Frame-Options"] == "DENY"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                content = answer.read().decode()
                assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|example\.com|schemas)", content)
        for path in (
            "/page/../door.py",
            "/page/%2e%2e/door.py",
            "/page/__init__.py",
            "/page/",
            "/page/none.js",
        ):
            with pytest.raises(HTTPError) as refused:
                urlopen(server.url + path, timeout=10)
            with refused.value as answer:
                assert answer.status == 404
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(server.url + "/", method="POST", data=b""), timeout=10)
        with refused.value as answer:
            assert answer.status == 405
