"""What every test may ask for."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent


def required(tool: str) -> bool:
    """Whether a missing tool is a failure: QUINTET_REQUIRE is `all` or a list of names with commas between them."""
    names = os.environ.get("QUINTET_REQUIRE", "").split(",")
    return "all" in names or tool in names


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests have measured (`record_property("measured", ...)`), also those of other processes."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    called = [report for report in reports if getattr(report, "when", "") == "call"]
    if measured := [value for report in called for name, value in report.user_properties if name == "measured"]:
        terminalreporter.section("measured")
        for value in measured:
            terminalreporter.write_line(str(value))


BUILT = ("pulumi", "kube-apiserver")
"""What `make tools` brings; one on PATH may be too old."""


def _built(name: str) -> str | None:
    script = ROOT / "tools" / "build-tools"
    found = subprocess.run([script, "--path", name], capture_output=True, text=True, check=False)
    return None if found.returncode else f"{found.stdout.strip()}/{name}"


@pytest.fixture(scope="session")
def tool() -> Callable[..., str]:
    """The path of an optional program; without it the test is skipped, or fails where QUINTET_REQUIRE names it.

    `package` is what Debian calls what brings it, where that is not the program's name.
    """

    def find(name: str, *, package: str = "") -> str:
        path = _built(name) if name in BUILT else shutil.which(name)
        if path:
            return path
        missing = f"not installed (Debian: {package})" if package else "not installed"
        if name in BUILT:
            missing = "not here: make tools"
        if required(name):
            pytest.fail(f"{name} is required here (QUINTET_REQUIRE) and {missing}")
        pytest.skip(f"{name} is {missing}")

    return find


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return ROOT


# Without these, chromium looks for the internet at its start.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


# Not of the session: Playwright's event loop runs as long as it does, and beside it no asynchronous test can run.
@pytest.fixture(scope="module")
def browser(tool: Callable[[str], str]) -> Iterator[Browser]:
    """A real browser: Debian's chromium, driven by Playwright."""
    chromium = tool("chromium")
    sandboxed = [] if os.geteuid() else ["--no-sandbox"]  # chromium refuses its own sandbox to root
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=[*QUIET, "--disable-gpu", *sandboxed])
        yield launched
        launched.close()
