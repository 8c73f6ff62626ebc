"""How moderation is tried, in the sandbox and on AWS alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.smoke import Check, Example, expect, json_of, shows_its_documentation

if TYPE_CHECKING:
    import httpx

TOXIC = "You are a stupid idiot and everybody hates you."
FRIENDLY = "Thank you for your help yesterday, it was very kind of you."
LABELS = {"toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"}

EXAMPLE = Example(method="POST", path="/moderate", body={"text": FRIENDLY})


def lives(client: httpx.Client) -> None:
    """The process answers."""
    json_of(client.get("health"), 200)


def is_ready(client: httpx.Client) -> None:
    """The model is loaded and is the one that was published."""
    answer = json_of(client.get("ready"), 200)
    expect(bool(answer.get("model_version")), f"/ready names no model_version: {answer}")


def flags_toxic_text(client: httpx.Client) -> None:
    """An insult is toxic, with scores for six labels and an id of the decision."""
    answer = client.post("moderate", json={"text": TOXIC})
    body = json_of(answer, 200)
    expect(body.get("is_toxic") is True, f"an insult was not flagged: {body}")
    expect("toxic" in body.get("flagged_categories", []), f"an insult has no category toxic: {body}")
    expect(set(body.get("scores", {})) == LABELS, f"expected scores for {sorted(LABELS)}, found {body.get('scores')}")
    expect("x-decision-id" in answer.headers, "the answer has no X-Decision-Id")


def leaves_friendly_text(client: httpx.Client) -> None:
    """Thanks are not toxic."""
    body = json_of(client.post("moderate", json={"text": FRIENDLY}), 200)
    expect(body.get("is_toxic") is False, f"friendly text was flagged: {body}")
    expect(body.get("flagged_categories") == [], f"friendly text has categories: {body}")


def keeps_the_order_of_a_batch(client: httpx.Client) -> None:
    """A batch answers in the order of its texts."""
    texts = [FRIENDLY, TOXIC, FRIENDLY, TOXIC, TOXIC]
    body = json_of(client.post("moderate/batch", json={"texts": texts}), 200)
    found = [result.get("is_toxic") for result in body.get("results", [])]
    expect(found == [text == TOXIC for text in texts], f"the answers are not those of the texts in order: {found}")


def explains_a_wrong_request(client: httpx.Client) -> None:
    """An empty text is refused with a problem that says where and why, and does not quote the request."""
    answer = client.post("moderate", json={"text": "", "secret-of-the-caller": 1})
    body = json_of(answer, 422)
    kind = answer.headers.get("content-type", "")
    expect(kind.startswith("application/problem+json"), f"expected application/problem+json, found {kind}")
    pointers = [fault.get("pointer") for fault in body.get("errors", [])]
    expect("#/text" in pointers, f"no error points to #/text: {body}")
    expect("secret-of-the-caller" not in answer.text, "the problem quotes the request")


CHECKS: tuple[Check, ...] = (
    lives,
    is_ready,
    flags_toxic_text,
    leaves_friendly_text,
    keeps_the_order_of_a_batch,
    explains_a_wrong_request,
    shows_its_documentation,
)
