"""What citizens write, read back in a real browser as everybody: nothing of it runs."""

from __future__ import annotations

import json
import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from adapters.sample import ACCOUNTS
from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

    from tests.api.conftest import Desk

CHROMIUM = shutil.which("chromium")
NAUGHTY = Path(__file__).resolve().parents[3] / "shared" / "data" / "naughty" / "blns.json"
OWN = [
    "<script>alert('一')</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "</pre></textarea><script>alert(1)</script>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<a href=javascript:alert(1)>点击</a>",
    "{{7*7}}${7*7}<%=7*7%>",
    "]]><script>alert(1)</script>",
    "<style>@import'//evil.example'</style>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
]
PATIENCE = 10_000  # milliseconds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; `make test` installs it as root"),
    # playwright closes its own loop late
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser that reaches nothing but this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield found
        found.close()


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """The application behind a real port."""
    server = uvicorn.Server(uvicorn.Config(desk.app, port=0, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Watched:
    """A page, everything it complained of, and every word that ran."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.seen: list[str] = []
        page.on("dialog", self._answer)
        page.on("console", self._hear)
        page.on("request", self._follow)

    def _answer(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _hear(self, said: ConsoleMessage) -> None:
        if "Content Security Policy" in said.text:
            self.seen.append(said.text)

    def _follow(self, asked: Request) -> None:
        if not asked.url.startswith(("http://127.0.0.1", "data:")):
            self.seen.append(f"outside {asked.url}")

    def open(self, address: str) -> str:
        """Go there; what stands on the page."""
        self.page.goto(address, wait_until="load", timeout=PATIENCE)
        return self.page.content()


def hostile() -> list[str]:
    """Our own strings, and those of the collection where it is there."""
    known = json.loads(NAUGHTY.read_text()) if NAUGHTY.exists() else []
    plain = (text for text in known if "<" in text or "javascript" in text.lower())
    return [*OWN, *("".join(c for c in text if c.isprintable()) for text in plain)]


def _filled(desk: Desk) -> list[str]:
    """Items whose every free field holds hostile text."""
    strings = hostile()
    numbers = []
    for first in range(0, len(strings), 60):
        words = "\n".join(strings[first : first + 60])[:4000]
        data: dict[str, Any] = {
            "narrative": words,
            "place": words[:200],
            "evidence_offered": words[:200],
            "contact": {"name": OWN[0], "phone": "13800001234"},
        }
        number = desk.submit(**data)["number"]
        desk.move("intake", number, "register")
        revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
        noted = desk.send(
            "intake", f"/items/{number}/notes", {"text": words[:2000]}, If_Match=f'"{revision}"'
        )
        assert noted.status_code in {200, 201}, noted.text
        desk.move("unit_head", number, "accept", ACCEPTANCE)
        numbers.append(number)
    return numbers


def test_what_citizens_write_runs_for_nobody(desk: Desk, browser: Browser) -> None:
    """Item, journal, letters, messages and lists, opened by every sample account: no dialog, no
    report of the content policy, no request to another host.
    """
    numbers = _filled(desk)
    assert len(numbers) >= 1
    seen: list[str] = []
    opened = 0
    with served(desk) as address:
        for account in ACCOUNTS:
            token = desk.headers(account)["Authorization"]
            context = browser.new_context(extra_http_headers={"Authorization": token})
            page = Watched(context.new_page())
            for path in (
                "/items",
                "/inbox",
                f"/items/{numbers[0]}",
                *(
                    f"/items/{number}{rest}"
                    for number in numbers
                    for rest in ("/events", "/documents")
                ),
            ):
                content = page.open(f"{address}/api/v1{path}")
                opened += "narrative" in content or "items" in content
            seen += [f"{account}: {each}" for each in page.seen]
            context.close()
    assert seen == []
    assert opened > len(ACCOUNTS)


def test_pages_take_hostile_words_as_words(desk: Desk, browser: Browser) -> None:
    """The receipt page, problem pages and addresses made of hostile text run nothing either; the
    documentation works under its policy.
    """
    with served(desk) as address:
        context = browser.new_context(locale="zh-CN")
        page = Watched(context.new_page())
        for text in hostile()[:60]:
            page.page.goto(f"{address}/receipts")
            page.page.fill("textarea", text)
            page.page.click("button")
            page.page.wait_for_load_state()
            assert page.page.input_value("textarea").strip() == text.strip()
        for text in OWN:
            page.page.goto(f"{address}/problems/{text.replace('/', '%2F').replace('#', '')}")
            page.page.goto(f"{address}/api/v1/items?q={text}")
        page.open(f"{address}/docs")
        page.page.wait_for_selector(".opblock", timeout=PATIENCE)
        context.close()
        assert page.seen == []


def test_the_watch_sees_what_would_run(browser: Browser) -> None:
    """A page that runs a citizen's words is noticed: the watch itself can go red."""
    page = Watched(browser.new_page())
    page.page.set_content("<img src=x onerror=alert(1)>")
    page.page.wait_for_timeout(300)
    assert any("dialog" in each for each in page.seen)
