"""What a service says about how it is tried: one example call, and checks that hold in any environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urljoin

if TYPE_CHECKING:
    # The service's image does not carry httpx; whoever runs the checks brings the client.
    import httpx

Check: TypeAlias = "Callable[[httpx.Client], None]"
"""Calls the service through a client whose `base_url` is set; raises `CheckFailed`."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One call that shows what the service does; printed as a curl line.

    Attributes:
        method: The HTTP method.
        path: The path below the service's address, "/moderate".
        body: What is sent as JSON, or None for a call without a body.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    body: dict[str, Any] | None = None


class CheckFailed(Exception):  # noqa: N818 - the name says what happened to a check, not to a program
    """A check does not hold; the message says what was expected and what was found."""


def expect(holds: bool, message: str) -> None:
    """Raises `CheckFailed(message)` unless `holds`."""
    if not holds:
        raise CheckFailed(message)


def json_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The answer's body, where the answer has this status; else raises `CheckFailed` with what it says."""
    request = f"{answer.request.method} {answer.request.url}"
    expect(
        answer.status_code == status, f"{request}: expected {status}, found {answer.status_code}: {answer.text[:300]}"
    )
    body: dict[str, Any] = answer.json()
    return body


def shows_its_documentation(client: httpx.Client) -> None:
    """The documentation page opens, below whatever prefix, with everything that it loads."""
    page = client.get("docs")
    expect(page.is_success, f"GET docs: expected 200, found {page.status_code}")
    assets = _assets(page.text)
    expect(any(asset.endswith(".js") for asset in assets), f"the page loads no script, so it shows nothing: {assets}")
    for asset in [*assets, "openapi.json"]:
        address = urljoin(str(page.url), asset)
        expect(address.startswith(str(client.base_url)), f"the page loads {asset} from elsewhere: {address}")
        found = client.get(address)
        expect(found.is_success and len(found.content) > 0, f"GET {address}: {found.status_code}")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = {"script": "src", "link": "href"}.get(tag)
        self.found += [value for name, value in attrs if name == wanted and value]


def _assets(html: str) -> list[str]:
    links = _Links()
    links.feed(html)
    return links.found
