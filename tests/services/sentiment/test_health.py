"""When the service lives, when it can answer and when it should be asked; what happens to a model that fails."""

import shutil
import threading
import time

import pytest

from services.common import artifacts
from services.common.errors import ModelUnavailable
from services.sentiment import model_keeper, wiring
from services.sentiment.backends.choice import Choice
from services.sentiment.backends.mock import MockBackend
from services.sentiment.model_keeper import FAILURES_BEFORE_RELOAD
from tests.services.common.test_artifacts import damage
from tests.services.conftest import use_aws
from tests.services.sentiment.conftest import serving, wait_for
from tests.services.tiny_model import write_sentiment_model


def statuses(sentiment) -> dict[str, int]:
    return {path: sentiment.client.get(path).status_code for path in ("/livez", "/healthz", "/readyz")}


class Breakable(MockBackend):
    """A backend that fails, or hangs, while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.gate = threading.Event()
        self.gate.set()

    def infer(self, batch, *, alone=False):
        self.gate.wait(30)
        if self.broken:
            raise ModelUnavailable("The model failed to run: BrokenForTest.")
        return super().infer(batch, alone=alone)


@pytest.fixture
def backends(monkeypatch, cached_model):
    """Those that were made, in order; a fast watch and short waits."""
    made: list[Breakable] = []

    def choose(name, model, *, threads):
        made.append(Breakable())
        return Choice(made[-1])

    monkeypatch.setattr(wiring, "choose_backend", choose)
    monkeypatch.setattr(model_keeper, "FIRST_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(model_keeper, "_POLL_SECONDS", 0.02)
    yield made
    for backend in made:
        backend.gate.set()


def test_it_is_ready_when_the_model_is_verified_and_warm(sentiment):
    assert statuses(sentiment) == {"/livez": 200, "/healthz": 200, "/readyz": 200}
    assert sentiment.client.get("/readyz").json() == {"status": "ready", "model_version": "tiny-1"}
    health = sentiment.client.get("/healthz").json()
    assert (health["backend"], health["draining"], health["queued_texts"]) == ("onnx", False, 0)


def test_without_its_model_it_lives_and_is_not_ready_and_says_why():
    with serving(ready=False) as sentiment:
        wait_for(lambda: "manifest.json cannot be read" in sentiment.client.get("/readyz").text, seconds=30)
        found = statuses(sentiment)
        answer = sentiment.predict("good")

    assert found == {"/livez": 200, "/healthz": 503, "/readyz": 503}
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["type"] == "urn:problem-type:model-unavailable"


def test_a_corrupt_model_keeps_the_pod_unready_and_a_sound_one_makes_it_ready(aws, monkeypatch, tmp_path, printed):
    monkeypatch.setattr(model_keeper, "FIRST_RETRY_SECONDS", 0.2)
    use_aws(monkeypatch, aws.url)
    prefix = f"sentiment/{tmp_path.name}/"
    folder = write_sentiment_model(tmp_path / "published")
    content = {path.name: path.read_bytes() for path in folder.iterdir()}

    def publish(name: str, body: bytes) -> None:
        aws.client("s3").put_object(Bucket="models", Key=f"{prefix}{name}", Body=body)

    for name, body in content.items():
        publish(name, body)
    publish("model.onnx", content["model.onnx"][::-1])
    with serving(ready=False, MODEL_PREFIX=prefix) as sentiment:
        wait_for(lambda: "model.onnx is not what was published" in sentiment.client.get("/readyz").text, seconds=30)
        unready = statuses(sentiment)
        publish("model.onnx", content["model.onnx"])
        wait_for(sentiment.is_ready, seconds=30)
        answer = sentiment.predict("good")

    assert unready == {"/livez": 200, "/healthz": 503, "/readyz": 503}
    assert answer.json()["label"] == "positive"
    lines = printed().log
    assert any("not what was published" in line.get("reason", "") for line in lines)
    (audit,) = [line for line in lines if line["service"] == "sentiment-audit"]
    assert (audit["model_version"], audit["backend"]) == ("tiny-1", "onnx")
    assert len(audit["model_files"]["model.onnx"]) == 64


def test_a_damaged_copy_on_the_disk_is_fetched_again(aws, monkeypatch, tmp_path):
    use_aws(monkeypatch, aws.url)
    prefix = f"sentiment/{tmp_path.name}/"
    folder = write_sentiment_model(tmp_path / "published")
    for path in folder.iterdir():
        aws.client("s3").put_object(Bucket="models", Key=f"{prefix}{path.name}", Body=path.read_bytes())
    shutil.copytree(folder, artifacts.folder_of(prefix))
    damage(artifacts.folder_of(prefix) / "model.onnx")

    with serving(MODEL_PREFIX=prefix) as sentiment:
        assert sentiment.predict("bad").json()["label"] == "negative"


def test_a_model_of_other_labels_is_not_served(cached_model):
    write_sentiment_model(cached_model, labels=("bad", "good"), words={})
    with serving(ready=False) as sentiment:
        wait_for(lambda: "found bad, good" in sentiment.client.get("/readyz").text)

        assert sentiment.predict("good").status_code == 503


def test_a_model_without_numbers_is_not_served(cached_model):
    write_sentiment_model(cached_model, poison=float("nan"))
    with serving(ready=False) as sentiment:
        wait_for(lambda: "finite" in sentiment.client.get("/readyz").text)

        assert sentiment.predict("good").status_code == 503


def test_a_backend_that_fails_once_answers_503_and_the_next_request_is_tried(backends):
    with serving() as sentiment:
        backends[0].broken = True
        failed = sentiment.predict("good")
        backends[0].broken = False
        answer = sentiment.predict("good")
        counted = sentiment.metric("sentiment_backend_failures_total")

    assert (failed.status_code, answer.status_code) == (503, 200)
    assert int(failed.headers["retry-after"]) >= 1
    assert counted == 1


def test_a_backend_that_goes_on_failing_is_unhealthy_and_is_loaded_anew(backends, printed):
    with serving() as sentiment:
        backends[0].broken = True
        for number in range(FAILURES_BEFORE_RELOAD):
            sentiment.predict(f"good {number}")
        wait_for(lambda: len(backends) == 2)
        wait_for(sentiment.is_ready)
        answer = sentiment.predict("good")

    lines = printed().log
    assert answer.status_code == 200
    assert any(line["message"] == "The model is loaded anew" for line in lines)
    audits = [line for line in lines if line["service"] == "sentiment-audit"]
    assert [audit["before"] for audit in audits] == ["", "tiny-1 on mock"]


def test_while_every_inference_fails_the_pod_is_not_ready(backends, monkeypatch):
    with serving() as sentiment:
        backends[0].broken = True
        monkeypatch.setattr(wiring, "choose_backend", lambda *_, **__: 1 / 0)
        for number in range(FAILURES_BEFORE_RELOAD):
            sentiment.predict(f"good {number}")
        broken = statuses(sentiment)
        gauge = sentiment.metric("sentiment_ready")
        backends[0].broken = False
        sentiment.predict("good")
        wait_for(sentiment.is_ready)

    assert broken == {"/livez": 200, "/healthz": 503, "/readyz": 503}
    assert gauge == 0


def test_an_inference_that_never_ends_shows_in_livez(backends, monkeypatch):
    monkeypatch.setattr(model_keeper, "STUCK_SECONDS", 0.3)
    with serving(REQUEST_TIMEOUT_MS="200") as sentiment:
        backends[0].gate.clear()
        started = time.monotonic()
        answer = sentiment.predict("good")
        took = time.monotonic() - started
        wait_for(lambda: sentiment.client.get("/livez").status_code == 503)
        stuck = statuses(sentiment)
        backends[0].gate.set()
        wait_for(lambda: sentiment.client.get("/livez").status_code == 200)

    assert (answer.status_code, answer.json()["type"]) == (504, "urn:problem-type:deadline-exceeded")
    assert took < 2
    assert stuck == {"/livez": 503, "/healthz": 503, "/readyz": 503}


def test_a_full_queue_is_refused_at_once(backends):
    with serving(MAX_QUEUE_TOKENS="20", REQUEST_TIMEOUT_MS="3000") as sentiment:
        backends[0].gate.clear()
        answers = []
        threads = [
            threading.Thread(target=lambda text=f"good day number {n}": answers.append(sentiment.predict(text)))
            for n in range(12)
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: any(answer.status_code == 503 for answer in answers))
        refused = next(answer for answer in answers if answer.status_code == 503)
        backends[0].gate.set()
        for thread in threads:
            thread.join()
        counted = sentiment.metric('sentiment_refused_total{reason="queue_full"}')

    assert refused.json()["type"] == "urn:problem-type:overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    assert {answer.status_code for answer in answers} == {200, 503}
    assert counted == sum(answer.status_code == 503 for answer in answers)


def test_too_many_requests_of_one_caller_at_once_are_refused(backends):
    with serving(CONCURRENCY_PER_KEY="2") as sentiment:
        backends[0].gate.clear()
        answers = []
        threads = [
            threading.Thread(target=lambda n=n: answers.append(sentiment.predict(f"good {n}"))) for n in range(5)
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answers) == 3)
        other = threading.Thread(
            target=lambda: answers.append(sentiment.predict("good", headers={"X-Real-Ip": "192.0.2.9"}))
        )
        other.start()
        backends[0].gate.set()
        for thread in [*threads, other]:
            thread.join()
        counted = sentiment.metric('sentiment_refused_total{reason="concurrency"}')

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 429, 429, 429]
    assert counted == 3


def test_a_draining_pod_is_not_ready_and_still_answers(sentiment):
    sentiment.services.health.drain()

    answer = sentiment.predict("good")

    assert statuses(sentiment) == {"/livez": 200, "/healthz": 200, "/readyz": 503}
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert sentiment.client.get("/healthz").json()["draining"] is True
