"""What surrounds every route: ids, limits, timings, problems, and nothing of what a user sent in the logs."""

import asyncio
import re

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from services.common import problems
from services.common.errors import ClientGone, ContentTooLarge, ModelUnavailable, RequestTimeout
from services.common.http import HttpConventions
from services.common.logging import service_logger
from services.common.metrics import ServiceMetrics
from services.common.request_body import read_body
from services.common.tracing import continue_trace

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CANARY = "canary-text-of-a-user"


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(
        HttpConventions,
        logger=service_logger("http", "INFO"),
        metrics=ServiceMetrics("http", "test"),
        max_body_bytes=100,
    )

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, int]:
        with request.state.exchange.timed("work"):
            body = await request.body()
        return {"bytes": len(body)}

    @app.get("/broken/{name}")
    async def broken(name: str) -> None:
        raise RuntimeError(f"a library quotes {name}")

    @app.get("/absent")
    async def absent() -> None:
        raise ModelUnavailable("No model.", retry_after_seconds=7)

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, headers={"X-Pot": "tea"})

    return TestClient(app)


def test_an_answer_names_its_request(client):
    assert client.post("/echo", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"


@pytest.mark.parametrize("offered", ["", "a sentence of words", "x" * 65, "<script>", "-x", "a\tb"])
def test_an_id_that_could_carry_text_is_replaced(client, offered):
    found = client.post("/echo", headers={"X-Request-Id": offered}).headers["x-request-id"]

    assert re.fullmatch(r"[0-9A-Z]{26}", found)


def test_a_trace_is_continued_with_a_span_of_our_own(client):
    found = client.post("/echo", headers={"traceparent": TRACE}).headers["traceparent"]

    assert found.split("-")[1] == TRACE.split("-")[1]
    assert found.split("-")[2] != TRACE.split("-")[2]
    assert found.endswith("-01")


@pytest.mark.parametrize("wrong", ["", "00-0-0-01", "ff" + TRACE[2:], TRACE.replace("0af7", "zzzz"), CANARY])
def test_a_malformed_trace_begins_a_new_one(client, wrong):
    found = client.post("/echo", headers={"traceparent": wrong}).headers["traceparent"]

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", found)


@given(st.text(max_size=100))
def test_no_trace_header_breaks_a_request(text):
    assert continue_trace({"traceparent": text})["traceparent"].startswith("00-")


def test_timings_are_in_the_header(client):
    timings = client.post("/echo").headers["server-timing"]

    assert re.fullmatch(r"work;dur=\d+\.\d\d, total;dur=\d+\.\d\d", timings)


def test_a_body_declared_too_large_is_refused_with_a_problem(client):
    answer = client.post("/echo", content=b"x" * 101)

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "100 bytes at most" in answer.json()["detail"]


def test_a_body_that_is_larger_than_it_says_is_refused_as_well(client):
    answer = client.post("/echo", content=(b"x" * 10 for _ in range(11)))

    assert answer.status_code == 413


def test_a_body_of_the_limit_is_read(client):
    assert client.post("/echo", content=b"x" * 100).json() == {"bytes": 100}


def test_an_unforeseen_error_is_a_problem_without_its_message(client, printed):
    answer = client.get(f"/broken/{CANARY}")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    text = printed()
    assert "RuntimeError" in text.text
    assert "test_http.py" in text.text
    assert CANARY not in answer.text + text.text
    assert text.metric("Errors") == 1


def test_a_missing_model_says_when_to_try_again(client, printed):
    answer = client.get("/absent")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json()["type"] == "urn:problem-type:model-unavailable"
    assert answer.json()["detail"] == "No model."
    lines = printed()
    assert lines.metric("ModelUnavailable") == 1
    assert lines.log[-1]["reason"] == "No model."


def test_an_http_error_is_a_problem_and_keeps_its_headers(client):
    answer = client.get("/teapot")

    assert (answer.status_code, answer.headers["x-pot"]) == (418, "tea")
    assert answer.json()["type"] == "about:blank"


def test_an_unknown_path_is_not_logged(client, printed):
    answer = client.get(f"/{CANARY}?q={CANARY}")

    text = printed().text
    assert answer.status_code == 404
    assert CANARY not in answer.text + text
    assert '"route":"unmatched"' in text


def test_an_unknown_method_is_not_logged(client, printed):
    answer = client.request("CANARY", "/echo")

    assert answer.status_code == 405
    assert "CANARY" not in printed().text


def test_the_first_request_of_a_process_is_its_cold_start(client, printed):
    client.post("/echo")
    first = printed()
    client.post("/echo")
    second = printed()

    assert (first.metric("ColdStart"), first.log[0]["cold_start"]) == (1, True)
    assert (second.metric("ColdStart"), second.log[0]["cold_start"]) == (0, False)


def test_metrics_have_the_dimensions_that_alarms_ask_for(client, printed):
    client.post("/echo")

    line = next(line for line in printed()._all() if "_aws" in line)
    described = line["_aws"]["CloudWatchMetrics"][0]
    assert described["Namespace"] == "Quintet"
    assert [sorted(names) for names in described["Dimensions"]] == [["environment", "service"]]
    assert (line["service"], line["environment"]) == ("http", "test")
    assert {"Requests", "Latency", "Errors", "ColdStart"} == {metric["Name"] for metric in described["Metrics"]}


def test_a_log_line_carries_the_ids_of_its_request(client, printed):
    answer = client.post("/echo", headers={"traceparent": TRACE, "X-Request-Id": "abc-1"})

    (line,) = printed().log
    assert line["request_id"] == "abc-1"
    assert line["traceparent"] == answer.headers["traceparent"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/echo", 200)


@pytest.mark.parametrize(("log_from_ms", "told"), [(0.0, 2), (60_000.0, 1)])
def test_only_slow_requests_and_failures_are_told_where_a_service_wants_it_so(capsys, log_from_ms, told):
    client = TestClient(app_with(log_from_ms=log_from_ms), raise_server_exceptions=False)

    client.get("/fine")
    client.get("/broken")

    lines = [line for line in capsys.readouterr().out.splitlines() if '"message":"Request"' in line]
    assert len(lines) == told
    assert '"status":500' in lines[-1]


def test_a_probe_is_not_told_whatever_it_is_answered(capsys):
    client = TestClient(app_with(probes=("/fine",)), raise_server_exceptions=False)

    client.get("/fine")
    client.get("/broken")

    lines = [line for line in capsys.readouterr().out.splitlines() if '"message":"Request"' in line]
    assert ['"route":"/broken"' in line for line in lines] == [True]


def test_clients_of_a_service_that_ends_are_told_to_go_elsewhere():
    ending: list[bool] = []
    client = TestClient(app_with(closing=lambda: bool(ending)))

    before = client.get("/fine").headers
    ending.append(True)

    assert "connection" not in before
    assert client.get("/fine").headers["connection"] == "close"


def app_with(**named) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(
        HttpConventions,
        logger=service_logger("http", "INFO"),
        metrics=ServiceMetrics("http", "test"),
        max_body_bytes=None,
        **named,
    )

    @app.get("/fine")
    async def fine() -> None:
        return

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError

    return app


def messages(*found: dict):
    waiting = list(found)

    async def receive():
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return receive


def piece(body: bytes, *, more: bool = True) -> dict:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_put_together():
    receive = messages(piece(b"a"), piece(b"b"), piece(b"", more=False))

    assert await read_body(Headers(), receive, max_bytes=2, seconds=1) == b"ab"


@pytest.mark.parametrize("length", ["3", "99999999999999999999"])
async def test_a_body_that_says_it_is_too_long_is_not_read(length):
    with pytest.raises(ContentTooLarge, match="2 bytes at most"):
        await read_body(Headers({"content-length": length}), messages(), max_bytes=2)


@pytest.mark.parametrize("headers", [{}, {"content-length": "2"}, {"content-length": "-1"}, {"content-length": "²"}])
async def test_a_body_that_is_too_long_is_read_no_further(headers):
    with pytest.raises(ContentTooLarge):
        await read_body(Headers(headers), messages(piece(b"aa"), piece(b"a")), max_bytes=2)


async def test_a_body_that_does_not_come_is_not_waited_for():
    with pytest.raises(RequestTimeout, match=r"within 0\.05 s"):
        await read_body(Headers(), messages(piece(b"a")), max_bytes=2, seconds=0.05)


async def test_a_client_that_leaves_in_the_middle_has_sent_no_body():
    with pytest.raises(ClientGone):
        await read_body(Headers(), messages(piece(b"a"), {"type": "http.disconnect"}), max_bytes=2, seconds=1)
