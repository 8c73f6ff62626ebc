"""Each smoke check holds for the service, below any prefix, and fails for one that does not do what it checks."""

import hashlib
import inspect
import itertools
import json
from importlib.metadata import entry_points

import httpx
import pytest
from fastapi.testclient import TestClient

from services.common.smoke import CheckFailed
from services.sentiment import smoke
from services.sentiment.contracts import PredictBatchRequest, PredictRequest
from services.sentiment.samples import samples
from tests.services.sentiment.conftest import serving

PREFIX = "/_aws/execute-api/ab12"


class Front(httpx.BaseTransport):
    """Takes a prefix off the path, as API Gateway does, and keeps the metrics inside, as nginx does."""

    def __init__(self, app: TestClient, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        if not path.startswith(self.prefix + "/") or path == f"{self.prefix}/metrics":
            return httpx.Response(404, request=request)
        found = self.app.request(
            request.method, path.removeprefix(self.prefix), content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(found.status_code, headers=dict(found.headers), content=found.content, request=request)


def client_of(app: TestClient, prefix: str = "") -> httpx.Client:
    return httpx.Client(base_url=f"http://example.test{prefix}", transport=Front(app, prefix))


@pytest.fixture(params=["", PREFIX])
def client(cached_model, request):
    with serving(BACKEND="mock") as sentiment:
        yield client_of(sentiment.client, request.param)


def answering(status: int, *, json=None, text="", headers=None) -> httpx.Client:
    def answer(_: httpx.Request) -> httpx.Response:
        if json is None:
            return httpx.Response(status, text=text, headers=headers)
        return httpx.Response(status, json=json, headers=headers)

    return httpx.Client(base_url="http://example.test", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("check", smoke.CHECKS, ids=lambda check: check.__name__)
def test_every_check_holds(client, check):
    check(client)


@pytest.mark.parametrize("check", smoke.CHECKS, ids=lambda check: check.__name__)
def test_no_check_holds_for_a_service_that_is_down(check):
    with pytest.raises(CheckFailed, match="503"):
        check(answering(503, text="unavailable"))


@pytest.mark.parametrize("check", smoke.CHECKS, ids=lambda check: check.__name__)
def test_no_check_holds_for_an_empty_answer(check):
    with pytest.raises(CheckFailed):
        check(answering(422 if check is smoke.explains_a_wrong_request else 200, json={}))


def test_a_service_that_asks_who_calls_is_told_where_a_key_is_set(cached_model, monkeypatch):
    keys = {"smoke": hashlib.sha256(b"the-key").hexdigest()}
    with serving(BACKEND="mock", AUTHORIZATION="api_key", API_KEYS=json.dumps(keys)) as sentiment:
        client = client_of(sentiment.client)
        with pytest.raises(CheckFailed, match="set QUINTET_SENTIMENT_API_KEY"):
            smoke.likes_praise(client)
        monkeypatch.setenv("QUINTET_SENTIMENT_API_KEY", "the-key")

        for check in smoke.CHECKS:
            check(client)


def test_every_check_says_in_one_line_what_holds():
    lines = [inspect.getdoc(check) for check in smoke.CHECKS]

    assert all(line and "\n" not in line for line in lines)


def test_the_example_is_answered(client):
    answer = client.request(smoke.EXAMPLE.method, smoke.EXAMPLE.path, json=smoke.EXAMPLE.body)

    assert answer.json()["label"] == "positive"


def test_the_command_finds_the_checks():
    found = {point.name: point.load() for point in entry_points(group="quintet.smoke")}

    assert found["sentiment"] is smoke
    assert found["sentiment"].samples is samples


def test_samples_are_valid_varied_and_the_same_for_one_seed():
    first, again, other = (list(itertools.islice(samples(seed), 400)) for seed in (1, 1, 2))

    assert first == again != other
    for each in first:
        model = PredictRequest if each.path == "/predict" else PredictBatchRequest
        model.model_validate(each.body)
    texts = {json.dumps(each.body) for each in first}
    assert len(texts) > 200
    assert {each.path for each in first} == {"/predict", "/predict/batch"}


def test_samples_are_of_every_label(client):
    found = set()
    for each in itertools.islice(samples(), 60):
        body = client.request(each.method, each.path, json=each.body).json()
        found |= {result["label"] for result in body.get("results", [body])}

    assert found == {"negative", "neutral", "positive"}
