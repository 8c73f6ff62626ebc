"""What every test may ask for."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent


def required(tool: str) -> bool:
    """Whether a missing tool is a failure: QUINTET_REQUIRE is `all` or a list of names with commas between them."""
    names = os.environ.get("QUINTET_REQUIRE", "").split(",")
    return "all" in names or tool in names


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """The path of an optional program; without it the test is skipped, or fails where QUINTET_REQUIRE names it."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path:
            return path
        if required(name):
            pytest.fail(f"{name} is required here (QUINTET_REQUIRE) and not installed")
        pytest.skip(f"{name} is not installed")

    return find


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return ROOT


# Without these, chromium looks for the internet at its start.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@pytest.fixture(scope="session")
def browser(tool: Callable[[str], str]) -> Iterator[Browser]:
    """A real browser: Debian's chromium, driven by Playwright."""
    chromium = tool("chromium")
    sandboxed = [] if os.geteuid() else ["--no-sandbox"]  # chromium refuses its own sandbox to root
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=[*QUIET, "--disable-gpu", *sandboxed])
        yield launched
        launched.close()
