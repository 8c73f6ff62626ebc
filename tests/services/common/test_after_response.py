"""Work left behind by a request is done after its answer, and what becomes of it never reaches the caller."""

import threading
import time

import pytest

from services.common.after_response import after_response
from services.common.lambda_extension import ExtensionFailed, ExtensionsApi
from services.common.logging import service_logger
from tests.ports import free_port
from tests.services.extensions_api import LambdaApis


class Place:
    """An AfterResponse with its failures counted."""

    def __init__(self, *, runtime_api=None, capacity=64) -> None:
        self.failures = 0
        self.logger = service_logger("after", "INFO")
        self.after = after_response(
            runtime_api=runtime_api, logger=self.logger, on_failure=self.count, capacity=capacity
        )

    def count(self) -> None:
        self.failures += 1


@pytest.fixture
def apis():
    apis = LambdaApis()
    yield apis
    apis.close()


def test_outside_lambda_work_is_done_beside_the_request():
    place, done = Place(), threading.Event()

    place.after.submit(done.set)

    assert done.wait(5)


def test_outside_lambda_closing_does_what_is_pending():
    place, done = Place(), []
    place.after.submit(lambda: time.sleep(0.1))
    for number in range(10):
        place.after.submit(lambda number=number: done.append(number))

    place.after.close(timeout_seconds=5)

    assert done == list(range(10))


def test_closing_does_not_wait_longer_than_it_is_told():
    place, gate = Place(), threading.Event()
    place.after.submit(lambda: gate.wait(10))
    started = time.monotonic()

    place.after.close(timeout_seconds=0.1)
    waited = time.monotonic() - started
    gate.set()

    assert waited < 2


def test_work_that_fails_is_counted_and_told_and_the_next_is_done(printed):
    place, done = Place(), threading.Event()

    place.after.submit(lambda: 1 / 0)
    place.after.submit(done.set)

    assert done.wait(5)
    assert place.failures == 1
    assert [line["message"] for line in printed().log] == ["Work after the answer failed"]


def test_a_full_queue_refuses_work_and_counts_it(printed):
    place, gate, started = Place(capacity=1), threading.Event(), threading.Event()
    place.after.submit(lambda: (started.set(), gate.wait(10)))
    assert started.wait(5)

    place.after.submit(lambda: None)
    place.after.submit(lambda: None)
    gate.set()
    place.after.close(timeout_seconds=5)

    assert place.failures == 1
    assert "too much is pending" in printed().text


def test_log_lines_of_work_carry_the_ids_of_its_request(printed):
    place = Place()
    place.logger.thread_safe_append_keys(request_id="the-request")
    place.after.submit(lambda: place.logger.info("working"))
    place.logger.thread_safe_append_keys(request_id="another")
    place.after.close(timeout_seconds=5)

    assert [line["request_id"] for line in printed().log] == ["the-request"]


def test_in_lambda_it_registers_for_invocations_only(apis):
    Place(runtime_api=apis.address)

    assert apis.registered == [{"name": "after-response", "events": ["INVOKE"]}]


def test_in_lambda_work_waits_for_the_answer_and_the_invocation_waits_for_the_work(apis):
    place, gate, begun = Place(runtime_api=apis.address), threading.Event(), threading.Event()
    assert apis._asked["extension"].wait(5)
    invocation = apis.begin({})
    place.after.submit(lambda: (begun.set(), gate.wait(10)))

    begun_before_the_answer = begun.wait(0.1)
    place.after.answered()
    begun_after_it = begun.wait(5)
    asked_before_the_end = apis._asked["extension"].wait(0.1)
    gate.set()

    assert (begun_before_the_answer, begun_after_it, asked_before_the_end) == (False, True, False)
    assert apis._asked["extension"].wait(5)
    assert not invocation.ended.is_set(), "the runtime has not asked yet"


def test_in_lambda_failing_work_does_not_keep_the_invocation_open(apis):
    place = Place(runtime_api=apis.address)
    assert apis._asked["extension"].wait(5)
    apis.begin({})

    place.after.submit(lambda: 1 / 0)
    place.after.answered()

    assert apis._asked["extension"].wait(5)
    assert place.failures == 1


def test_in_lambda_every_invocation_is_served(apis):
    place, done = Place(runtime_api=apis.address), []
    for number in range(5):
        assert apis._asked["extension"].wait(5)
        apis.begin({})
        place.after.submit(lambda number=number: done.append(number))
        place.after.answered()
        assert apis._asked["extension"].wait(5)

    assert done == list(range(5))


def test_where_lambda_refuses_the_extension_work_is_done_before_the_answer(printed):
    apis = LambdaApis(refuse_extensions=True)
    place, done = Place(runtime_api=apis.address), []

    place.after.submit(lambda: done.append(1))
    before = list(done)
    place.after.answered()
    apis.close()

    assert (before, done) == ([], [1])
    assert "ExtensionFailed: register: status 403" in printed().text


def test_where_the_extensions_api_is_lost_work_is_done_before_the_answer(printed):
    apis = LambdaApis()
    place, done = Place(runtime_api=apis.address), []
    assert apis._asked["extension"].wait(5)
    place.after._api._identifier = "forgotten"
    apis.begin({})
    place.after.answered()
    while place.after._registered:
        time.sleep(0.01)

    place.after.submit(lambda: done.append(1))
    place.after.answered()
    apis.close()

    assert done == [1]
    assert "ExtensionFailed: event/next: status 403" in printed().text


def test_an_extensions_api_that_is_not_there_is_told():
    with pytest.raises(ExtensionFailed, match="register: ConnectionRefusedError"):
        ExtensionsApi(f"127.0.0.1:{free_port()}").register("name")
