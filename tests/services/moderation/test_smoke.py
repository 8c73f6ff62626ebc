"""Each smoke check holds for the service, below any prefix, and fails for one that does not do what it checks."""

import inspect
from importlib.metadata import entry_points

import httpx
import pytest
from fastapi.testclient import TestClient

from services.common.smoke import CheckFailed
from services.moderation import smoke

PREFIX = "/_aws/execute-api/ab12"


class Gateway(httpx.BaseTransport):
    """Takes a prefix off the path, as API Gateway and its emulator do, and hands the request to the app."""

    def __init__(self, app: TestClient, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        if not path.startswith(self.prefix + "/"):
            return httpx.Response(404, request=request)
        found = self.app.request(
            request.method, path.removeprefix(self.prefix), content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(found.status_code, headers=dict(found.headers), content=found.content, request=request)


@pytest.fixture(params=["", PREFIX])
def client(moderation, request) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://example.test{request.param}", transport=Gateway(moderation.client, request.param)
    )


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


@pytest.mark.parametrize(
    "check", [check for check in smoke.CHECKS if check is not smoke.lives], ids=lambda c: c.__name__
)
def test_no_check_but_the_first_holds_for_an_empty_answer(check):
    with pytest.raises(CheckFailed):
        check(answering(422 if check is smoke.explains_a_wrong_request else 200, json={}))


def test_a_page_that_loads_from_another_host_is_found():
    page = '<script src="https://cdn.example.com/swagger-ui.js"></script>'

    with pytest.raises(CheckFailed, match="loads https://cdn"):
        smoke.shows_its_documentation(answering(200, text=page))


def test_a_page_that_leaves_its_prefix_is_found(moderation):
    client = httpx.Client(
        base_url=f"http://example.test{PREFIX}",
        transport=httpx.MockTransport(lambda _: httpx.Response(200, text='<script src="/docs/swagger.js"></script>')),
    )

    with pytest.raises(CheckFailed, match="from elsewhere"):
        smoke.shows_its_documentation(client)


def test_every_check_says_in_one_line_what_holds():
    lines = [inspect.getdoc(check) for check in smoke.CHECKS]

    assert all(line and "\n" not in line for line in lines)


def test_the_example_is_answered(client):
    answer = client.request(smoke.EXAMPLE.method, smoke.EXAMPLE.path, json=smoke.EXAMPLE.body)

    assert answer.json()["is_toxic"] is False


def test_the_command_finds_the_checks():
    found = {point.name: point.load() for point in entry_points(group="quintet.smoke")}

    assert found["moderation"] is smoke
