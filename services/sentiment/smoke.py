"""How sentiment is tried, in the sandbox and on AWS alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from services.common.smoke import Check, CheckFailed, Example, expect, json_of, shows_its_documentation
from services.sentiment.samples import samples

if TYPE_CHECKING:
    import httpx

__all__ = ["CHECKS", "EXAMPLE", "samples"]

GOOD = "The staff were wonderful and the room was lovely. Thank you!"
BAD = "This is terrible, I hate it. The box was broken and the driver was rude."
LABELS = {"negative", "neutral", "positive"}
HEALTH = {"status", "model_version", "backend", "draining", "queued_texts"}
KEY_VARIABLE = "QUINTET_SENTIMENT_API_KEY"
TOKEN_VARIABLE = "QUINTET_SENTIMENT_TOKEN"  # noqa: S105 - the name of a variable
"""Where the service wants to know who calls, whoever runs the checks sets one of these."""

EXAMPLE = Example(method="POST", path="/predict", body={"text": GOOD})


def is_healthy(client: httpx.Client) -> None:
    """The service answers, and says which model does."""
    body = json_of(client.get("healthz"), 200)
    expect(body.keys() >= HEALTH, f"/healthz lacks {sorted(HEALTH - body.keys())}: {body}")


def is_ready(client: httpx.Client) -> None:
    """The model is verified and warm."""
    body = json_of(client.get("readyz"), 200)
    expect(bool(body.get("model_version")), f"/readyz names no model_version: {body}")


def lives(client: httpx.Client) -> None:
    """The process answers and its inference moves."""
    body = json_of(client.get("livez"), 200)
    expect(body.get("status") == "ok", f"/livez does not say ok: {body}")


def names_its_model(client: httpx.Client) -> None:
    """It says which model answers, what runs it and why nothing else does."""
    body = json_of(client.get("model/info"), 200)
    expect(set(body.get("labels", [])) == LABELS, f"expected the labels {sorted(LABELS)}: {body}")
    expect(bool(body.get("backend")), f"/model/info names no backend: {body}")


def likes_praise(client: httpx.Client) -> None:
    """Praise is positive, with a score for each label that add up to one."""
    answer = _predict(client, {"text": GOOD})
    body = json_of(answer, 200)
    expect(body.get("label") == "positive", f"praise is not positive: {body}")
    scores = body.get("scores", {})
    expect(set(scores) == LABELS, f"expected scores for {sorted(LABELS)}, found {scores}")
    expect(abs(sum(scores.values()) - 1) < 0.001, f"the scores do not add up to 1: {scores}")  # noqa: PLR2004 - rounding
    expect("x-request-id" in answer.headers, "the answer has no X-Request-Id")


def dislikes_complaints(client: httpx.Client) -> None:
    """A complaint is negative."""
    body = json_of(_predict(client, {"text": BAD}), 200)
    expect(body.get("label") == "negative", f"a complaint is not negative: {body}")


def keeps_the_order_of_a_batch(client: httpx.Client) -> None:
    """A batch answers in the order of its texts."""
    texts = [GOOD, BAD, BAD, GOOD, BAD]
    body = json_of(_predict(client, {"texts": texts}, path="predict/batch"), 200)
    found = [result.get("label") for result in body.get("results", [])]
    wanted = ["positive" if text == GOOD else "negative" for text in texts]
    expect(found == wanted, f"the answers are not those of the texts in order: {found}")


def explains_a_wrong_request(client: httpx.Client) -> None:
    """An empty text is refused with a problem that says where and why, and does not quote the request."""
    answer = _predict(client, {"text": "", "secret-of-the-caller": 1})
    body = json_of(answer, 422)
    kind = answer.headers.get("content-type", "")
    expect(kind.startswith("application/problem+json"), f"expected application/problem+json, found {kind}")
    pointers = [fault.get("pointer") for fault in body.get("errors", [])]
    expect("#/text" in pointers, f"no error points to #/text: {body}")
    expect("secret-of-the-caller" not in answer.text, "the problem quotes the request")


def keeps_its_metrics_inside(client: httpx.Client) -> None:
    """The world outside does not see the metrics."""
    answer = client.get("metrics")
    expect(answer.status_code == 404, f"GET metrics: expected 404, found {answer.status_code}")  # noqa: PLR2004 - HTTP's own


CHECKS: tuple[Check, ...] = (
    is_healthy,
    is_ready,
    lives,
    names_its_model,
    likes_praise,
    dislikes_complaints,
    keeps_the_order_of_a_batch,
    explains_a_wrong_request,
    keeps_its_metrics_inside,
    shows_its_documentation,
)


def _predict(client: httpx.Client, body: dict[str, Any], path: str = "predict") -> httpx.Response:
    answer = client.post(path, json=body, headers=_credentials())
    if answer.status_code == 401:  # noqa: PLR2004 - HTTP's own
        wanted = answer.headers.get("www-authenticate", "")
        raise CheckFailed(f"the service asks who calls ({wanted}): set {KEY_VARIABLE} or {TOKEN_VARIABLE} to say it")
    return answer


def _credentials() -> dict[str, str]:
    key, token = os.environ.get(KEY_VARIABLE), os.environ.get(TOKEN_VARIABLE)
    return ({"X-Api-Key": key} if key else {}) | ({"Authorization": f"Bearer {token}"} if token else {})
