"""The interactive reference in a real browser, without the internet, below the path prefix of the emulated API."""

import json

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.conftest import LiveCheckout

PHONE, DESK = (375, 740), (1280, 900)


def opened(browser: Browser, url: str, size: tuple[int, int], troubles: list[str]) -> Page:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
    page.goto(url)
    return page


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_the_reference_shows_every_route(live: LiveCheckout, browser: Browser, size: tuple[int, int]) -> None:
    troubles: list[str] = []

    page = opened(browser, f"{live.url('moderation')}docs", size, troubles)

    for route in ("/moderate", "/moderate/batch", "/health", "/ready"):
        expect(page.locator(f'[data-path="{route}"]').first).to_be_visible()
    assert troubles == []


def test_everything_comes_from_the_service_itself(live: LiveCheckout, browser: Browser) -> None:
    asked: list[str] = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{live.url('moderation')}docs")
    expect(page.locator('[data-path="/moderate"]').first).to_be_visible()

    elsewhere = [url for url in asked if not url.startswith((live.url("moderation"), "data:"))]
    assert elsewhere == []


def test_a_text_can_be_tried_from_the_page(live: LiveCheckout, browser: Browser) -> None:
    troubles: list[str] = []
    page = opened(browser, f"{live.url('moderation')}docs", DESK, troubles)
    operation = page.locator(".opblock", has=page.locator('[data-path="/moderate"]'))

    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("textarea").fill(json.dumps({"text": "You are a stupid idiot."}))
    operation.get_by_role("button", name="Execute").click()

    expect(operation.locator(".live-responses-table")).to_contain_text('"is_toxic": true')
    assert troubles == []
