"""A model is loaded once; a load that failed is tried again, but not by every request."""

import threading

import pytest

from services.common.errors import ModelUnavailable
from services.common.logging import service_logger
from services.common.model_loader import ModelLoader


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Fails as often as it is told to, then gives a model."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "the model"


def loader(source, clock=None) -> ModelLoader[str]:
    return ModelLoader(source, logger=service_logger("loader", "INFO"), clock=clock or Clock())


def test_a_model_is_loaded_once():
    source = Source()
    model = loader(source)

    assert [model.get(timeout_seconds=5) for _ in range(3)] == ["the model"] * 3
    assert source.calls == 1


def test_requests_that_come_while_it_loads_share_one_load():
    source, gate = Source(), threading.Event()
    model = loader(lambda: gate.wait(5) and source())
    found = []
    waiting = [threading.Thread(target=lambda: found.append(model.get(timeout_seconds=5))) for _ in range(5)]
    for thread in waiting:
        thread.start()
    gate.set()
    for thread in waiting:
        thread.join()

    assert found == ["the model"] * 5
    assert source.calls == 1


def test_a_load_that_takes_too_long_is_told_and_goes_on():
    gate = threading.Event()
    model = loader(lambda: gate.wait(5) and "the model")

    with pytest.raises(ModelUnavailable, match="still being loaded") as raised:
        model.get(timeout_seconds=0.05)
    gate.set()

    assert raised.value.retry_after_seconds == 1
    assert model.get(timeout_seconds=5) == "the model"


def test_a_failed_load_says_why_and_when_to_try_again():
    model = loader(Source(ModelUnavailable("model.onnx is missing.")))

    with pytest.raises(ModelUnavailable, match=r"model\.onnx is missing") as raised:
        model.get(timeout_seconds=5)

    assert raised.value.retry_after_seconds == 1


def test_a_failed_load_is_not_repeated_by_every_request():
    source, clock = Source(ModelUnavailable("gone"), ModelUnavailable("gone")), Clock()
    model = loader(source, clock)
    for _ in range(10):
        with pytest.raises(ModelUnavailable):
            model.get(timeout_seconds=5)

    assert source.calls == 1


def test_a_later_request_loads_again_and_is_answered():
    source, clock = Source(ModelUnavailable("gone")), Clock()
    model = loader(source, clock)
    with pytest.raises(ModelUnavailable):
        model.get(timeout_seconds=5)
    clock.now = 1.0

    assert model.get(timeout_seconds=5) == "the model"


def test_the_wait_between_loads_doubles_up_to_a_limit():
    clock = Clock()
    model = loader(Source(*[ModelUnavailable("gone")] * 8), clock)
    waits = []
    for _ in range(7):
        with pytest.raises(ModelUnavailable) as raised:
            model.get(timeout_seconds=5)
        waits.append(raised.value.retry_after_seconds)
        clock.now += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_an_unforeseen_error_is_no_endless_loading(printed):
    model = loader(Source(ZeroDivisionError("canary")))

    with pytest.raises(ModelUnavailable, match="could not be loaded: ZeroDivisionError"):
        model.get(timeout_seconds=5)

    text = printed().text
    assert "test_model_loader.py" in text
    assert "canary" not in text
