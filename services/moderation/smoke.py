"""How moderation is tried, in the sandbox and on AWS alike."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from services.common.smoke import Check, Example, expect

if TYPE_CHECKING:
    import httpx

TOXIC = "You are a stupid idiot and everybody hates you."
FRIENDLY = "Thank you for your help yesterday, it was very kind of you."
LABELS = {"toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"}

EXAMPLE = Example(method="POST", path="/moderate", body={"text": FRIENDLY})


def lives(client: httpx.Client) -> None:
    """The process answers."""
    _json(client.get("health"), 200)


def is_ready(client: httpx.Client) -> None:
    """The model is loaded and is the one that was published."""
    answer = _json(client.get("ready"), 200)
    expect(bool(answer.get("model_version")), f"/ready names no model_version: {answer}")


def flags_toxic_text(client: httpx.Client) -> None:
    """An insult is toxic, with scores for six labels and an id of the decision."""
    answer = client.post("moderate", json={"text": TOXIC})
    body = _json(answer, 200)
    expect(body.get("is_toxic") is True, f"an insult was not flagged: {body}")
    expect("toxic" in body.get("flagged_categories", []), f"an insult has no category toxic: {body}")
    expect(set(body.get("scores", {})) == LABELS, f"expected scores for {sorted(LABELS)}, found {body.get('scores')}")
    expect("x-decision-id" in answer.headers, "the answer has no X-Decision-Id")


def leaves_friendly_text(client: httpx.Client) -> None:
    """Thanks are not toxic."""
    body = _json(client.post("moderate", json={"text": FRIENDLY}), 200)
    expect(body.get("is_toxic") is False, f"friendly text was flagged: {body}")
    expect(body.get("flagged_categories") == [], f"friendly text has categories: {body}")


def keeps_the_order_of_a_batch(client: httpx.Client) -> None:
    """A batch answers in the order of its texts."""
    texts = [FRIENDLY, TOXIC, FRIENDLY, TOXIC, TOXIC]
    body = _json(client.post("moderate/batch", json={"texts": texts}), 200)
    found = [result.get("is_toxic") for result in body.get("results", [])]
    expect(found == [text == TOXIC for text in texts], f"the answers are not those of the texts in order: {found}")


def explains_a_wrong_request(client: httpx.Client) -> None:
    """An empty text is refused with a problem that says where and why, and does not quote the request."""
    answer = client.post("moderate", json={"text": "", "secret-of-the-caller": 1})
    body = _json(answer, 422)
    kind = answer.headers.get("content-type", "")
    expect(kind.startswith("application/problem+json"), f"expected application/problem+json, found {kind}")
    pointers = [fault.get("pointer") for fault in body.get("errors", [])]
    expect("#/text" in pointers, f"no error points to #/text: {body}")
    expect("secret-of-the-caller" not in answer.text, "the problem quotes the request")


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


CHECKS: tuple[Check, ...] = (
    lives,
    is_ready,
    flags_toxic_text,
    leaves_friendly_text,
    keeps_the_order_of_a_batch,
    explains_a_wrong_request,
    shows_its_documentation,
)


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


def _json(answer: httpx.Response, status: int) -> dict[str, Any]:
    request = f"{answer.request.method} {answer.request.url}"
    expect(
        answer.status_code == status, f"{request}: expected {status}, found {answer.status_code}: {answer.text[:300]}"
    )
    body: dict[str, Any] = answer.json()
    return body
