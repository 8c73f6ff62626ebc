"""What Prometheus reads: the names that rules and dashboards rely on, and no series that callers can make."""

import secrets
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.common.http import Exchange
from services.sentiment.metrics import Metrics
from tests.services.sentiment.conftest import serving

NAMES = {
    "sentiment_requests_total": ["route", "method", "status"],
    "sentiment_request_duration_seconds_bucket": ["route", "le"],
    "sentiment_queue_texts": [],
    "sentiment_queue_tokens": [],
    "sentiment_queue_wait_seconds_bucket": ["le"],
    "sentiment_batch_texts_bucket": ["le"],
    "sentiment_batch_tokens_bucket": ["le"],
    "sentiment_inference_seconds_bucket": ["le"],
    "sentiment_tokens_total": ["kind"],
    "sentiment_cache_requests_total": ["store", "result"],
    "sentiment_coalesced_total": [],
    "sentiment_predictions_total": ["label"],
    "sentiment_refused_total": ["reason"],
    "sentiment_backend_failures_total": [],
    "sentiment_model_info": ["model_version", "backend"],
    "sentiment_ready": [],
    "process_cpu_seconds_total": [],
    "process_resident_memory_bytes": [],
}


def series(exposition: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def test_every_metric_has_its_name_and_its_labels(cached_model):
    with serving(CACHE_ENTRIES="100") as sentiment:
        for text in ("good", "good", "bad", "table good"):
            sentiment.predict(text)
        found = series(sentiment.client.get("/metrics").text)

    assert {name: sorted(found[name][0]) for name in NAMES} == {name: sorted(labels) for name, labels in NAMES.items()}


def test_what_happened_is_counted(cached_model):
    with serving(CACHE_ENTRIES="100") as sentiment:
        for text in ("good", "good", "bad"):
            sentiment.predict(text)
        sentiment.predict("")
        counted = {
            "requests": sentiment.metric('sentiment_requests_total{method="POST",route="/predict",status="200"}'),
            "invalid": sentiment.metric('sentiment_requests_total{method="POST",route="/predict",status="422"}'),
            "positive": sentiment.metric('sentiment_predictions_total{label="positive"}'),
            "negative": sentiment.metric('sentiment_predictions_total{label="negative"}'),
            "hits": sentiment.metric('sentiment_cache_requests_total{result="hit",store="memory"}'),
            "batches": sentiment.metric("sentiment_batch_texts_count"),
            "model": sentiment.metric('sentiment_model_info{backend="onnx",model_version="tiny-1"}'),
            "ready": sentiment.metric("sentiment_ready"),
            "durations": sentiment.metric('sentiment_request_duration_seconds_count{route="/predict"}'),
        }

    assert counted == {
        "requests": 3, "invalid": 1, "positive": 2, "negative": 1, "hits": 1, "batches": 2, "model": 1, "ready": 1,
        "durations": 4,
    }  # fmt: skip


def test_no_request_makes_a_series_of_its_own(sentiment):
    client = sentiment.client

    def ask() -> None:
        for method in ("GET", "POST", "DELETE", secrets.token_hex(4).upper()):
            client.request(method, f"/{secrets.token_hex(8)}", headers={"X-Request-Id": secrets.token_hex(8)})
            client.request(method, f"/predict/{secrets.token_hex(8)}?q={secrets.token_hex(8)}")
            client.request(method, f"/docs/{secrets.token_hex(8)}")
        sentiment.predict(secrets.token_hex(20), headers={"X-Api-Key": secrets.token_hex(8)})

    ask()
    client.get("/metrics")
    before = client.get("/metrics").text
    for _ in range(20):
        ask()
    after = client.get("/metrics").text

    names = [line.rsplit(" ", 1)[0] for line in after.splitlines()]
    assert names == [line.rsplit(" ", 1)[0] for line in before.splitlines()]
    assert 'sentiment_requests_total{method="other",route="other",status="404"}' in names


@pytest.mark.parametrize("label", ["negative", "neutral", "positive"])
def test_a_series_is_there_before_its_first_event(label):
    exposition = Metrics().exposition().decode()

    assert f'sentiment_predictions_total{{label="{label}"}} 0.0' in exposition
    assert 'sentiment_refused_total{reason="queue_full"} 0.0' in exposition


def test_a_change_of_the_model_leaves_one_that_answers():
    metrics = Metrics()
    metrics.model_loaded(model_version="1", backend="onnx")
    metrics.model_loaded(model_version="2", backend="onnx")

    found = series(metrics.exposition().decode())["sentiment_model_info"]

    assert found == [{"model_version": "2", "backend": "onnx"}]


def test_counting_a_request_takes_little_time():
    metrics = Metrics()
    exchange = Exchange("id", {}, status=200)
    for _ in range(1000):
        metrics.request(exchange, method="POST", route="/predict", latency_ms=1.0)

    assert 'route="/predict",status="200"} 1000.0' in metrics.exposition().decode()


def test_the_names_are_those_of_the_documentation(repository: Path):
    documented = (repository / "docs/sentiment.md").read_text()

    for name in NAMES:
        if name.startswith("sentiment_"):
            assert f"`{name.removesuffix('_bucket')}`" in documented, name
