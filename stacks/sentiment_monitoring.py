"""What is alarming about sentiment, and what its dashboard shows: plain data, for Prometheus and Grafana.

Every series is expected to carry what the declared ServiceMonitor gives it: `namespace`, `pod`, `job` (the Service's
name, `sentiment` or `sentiment-canary`) and `variant` (`stable` or `canary`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stacks.sentiment_queries import WINDOW, Watched

__all__ = ["Watched", "dashboard", "queries", "rules"]


def rules(watched: Watched) -> dict[str, Any]:
    """Alerting rules, as a rule file of Prometheus and the `spec` of a PrometheusRule have them."""
    alerts = [*_about_answers(watched), *_about_pods(watched), *_about_parts(watched)]
    return {"groups": [{"name": "sentiment", "interval": "30s", "rules": alerts}]}


def _alert(name: str, expression: str, *, minutes: int, severity: str, summary: str, todo: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": f"{minutes}m",
        "labels": {"severity": severity, "service": "sentiment"},
        "annotations": {"summary": summary, "description": todo},
    }


def _about_answers(watched: Watched) -> list[dict[str, Any]]:
    slow = watched.quantile(0.95, "sentiment_request_duration_seconds", route="/predict")
    full = watched.rate("sentiment_refused_total", reason="queue_full")
    return [
        _alert(
            "SentimentSlow",
            f"{slow} > {watched.target_p95_ms / 1000:g}",
            minutes=10,
            severity="warning",
            summary=f"One answer in twenty takes longer than {watched.target_p95_ms} ms",
            todo="Look at the queue and at the CPU of the pods; raise sentimentMaxReplicas if they are at their limit.",
        ),
        _alert(
            "SentimentErrors",
            f"{watched.error_share} > 0.05",
            minutes=5,
            severity="critical",
            summary="More than one request in twenty fails",
            todo="Read the pods' logs. During a rollout compare the variants; `quintet rollback sentiment` ends it.",
        ),
        _alert(
            "SentimentQueueFull",
            f"{full} > 0",
            minutes=5,
            severity="warning",
            summary="Requests are refused because the queue is full",
            todo="There are too few pods for the load: raise sentimentMaxReplicas, or lower who may send how much.",
        ),
    ]


def _about_pods(watched: Watched) -> list[dict[str, Any]]:
    ready = watched.series("sentiment_ready")
    return [
        _alert(
            "SentimentDown",
            f"(sum({ready}) or vector(0)) < 1",
            minutes=1,
            severity="critical",
            summary="No pod takes requests",
            todo="Read the log of a pod: it says which model it could not load, and why.",
        ),
        _alert(
            "SentimentUnwell",
            f"sum by (pod) ({ready}) < 1",
            minutes=10,
            severity="warning",
            summary="The pod {{ $labels.pod }} takes no requests",
            todo="Read its log and its events; it may lack the model, or the right to read it.",
        ),
        _alert(
            "SentimentUnseen",
            f"{watched.series('up')} < 1 or absent({watched.series('up')})",
            minutes=5,
            severity="warning",
            summary="Prometheus does not reach {{ $labels.pod }}",
            todo="See whether it runs and its NetworkPolicy admits Prometheus; until then no other alert works.",
        ),
        _alert(
            "SentimentCpu",
            f"{watched.cpu_share} > 0.9",
            minutes=15,
            severity="warning",
            summary="The pod {{ $labels.pod }} uses more than 90 % of its CPU",
            todo="The autoscaler should have added pods: see whether it is at its maximum and metrics-server answers.",
        ),
        _alert(
            "SentimentMemory",
            f"{watched.memory_share} > 0.9",
            minutes=5,
            severity="critical",
            summary="The pod {{ $labels.pod }} is about to be killed for its memory",
            todo="Raise sentimentMemory; if it grows from day to day, something leaks.",
        ),
    ]


def _about_parts(watched: Watched) -> list[dict[str, Any]]:
    failures = f"sum by (pod) (increase({watched.series('sentiment_backend_failures_total')}[{WINDOW}]))"
    return [
        _alert(
            "SentimentCacheErrors",
            f"{watched.cache_error_share} > 0.1",
            minutes=10,
            severity="warning",
            summary="The shared cache does not answer one look-up in ten",
            todo="Requests are served without it, and limits hold for each pod alone. See the cache's own metrics.",
        ),
        _alert(
            "SentimentBackendFailures",
            f"{failures} > 0",
            minutes=2,
            severity="critical",
            summary="Inferences fail in the pod {{ $labels.pod }}",
            todo="Read its log for the first one; roll back if the model is new.",
        ),
    ]


_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 24


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """One picture of the dashboard.

    Attributes:
        title: What is seen.
        unit: Grafana's name of the unit.
        queries: Expressions by what their lines are called.
    """

    title: str
    unit: str
    queries: Mapping[str, str]


def dashboard(watched: Watched) -> dict[str, Any]:
    """A dashboard of Grafana, as its JSON."""
    panels = [*_health(watched), *_work(watched), *_resources(watched)]
    return {
        "uid": f"quintet-{watched.namespace}"[:40],
        "title": f"Sentiment ({watched.namespace})",
        "tags": ["quintet", "sentiment"],
        "schemaVersion": 39,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_declared(number, panel) for number, panel in enumerate(panels)],
    }


def queries(board: Mapping[str, Any]) -> list[str]:
    """Every expression of a dashboard."""
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def _declared(number: int, panel: _Panel) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    per_row = _COLUMNS // _WIDTH
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": source,
        "gridPos": {"x": number % per_row * _WIDTH, "y": number // per_row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": source, "expr": expression, "legendFormat": legend}
            for at, (legend, expression) in enumerate(panel.queries.items())
        ],
    }


def _health(watched: Watched) -> Sequence[_Panel]:
    durations = {
        f"p{percent}": watched.quantile(percent / 100, "sentiment_request_duration_seconds", **watched.predictions)
        for percent in (50, 95, 99)
    }
    by_variant = watched.quantile(0.95, "sentiment_request_duration_seconds", "variant", **watched.predictions)
    return (
        _Panel(
            title="Requests a second",
            unit="reqps",
            queries={"{{status}} {{route}}": watched.rate("sentiment_requests_total", "status", "route")},
        ),
        _Panel(title="Time to an answer", unit="s", queries=durations),
        _Panel(title="Share of failures", unit="percentunit", queries={"5xx": watched.error_share}),
        _Panel(title="p95 by variant", unit="s", queries={"{{variant}}": by_variant}),
        _Panel(
            title="Refused",
            unit="reqps",
            queries={"{{reason}}": watched.rate("sentiment_refused_total", "reason")},
        ),
        _Panel(
            title="Pods that take requests",
            unit="short",
            queries={"{{variant}}": f"sum by (variant) ({watched.series('sentiment_ready')})"},
        ),
    )


def _work(watched: Watched) -> Sequence[_Panel]:
    padding = watched.rate("sentiment_tokens_total", kind="padding")
    hits = watched.rate("sentiment_cache_requests_total", "store", result="hit")
    lookups = watched.rate("sentiment_cache_requests_total", "store")
    waiting = {name: f"sum({watched.series(f'sentiment_queue_{name}')})" for name in ("texts", "tokens")}
    return (
        _Panel(
            title="Labels",
            unit="percentunit",
            queries={
                "{{label}} {{variant}}": f"{watched.rate('sentiment_predictions_total', 'label', 'variant')} / "
                f"on (variant) group_left clamp_min({watched.rate('sentiment_predictions_total', 'variant')}, 1e-9)"
            },
        ),
        _Panel(title="Waiting", unit="short", queries=waiting),
        _Panel(
            title="Wait and inference, p95",
            unit="s",
            queries={
                "wait": watched.quantile(0.95, "sentiment_queue_wait_seconds"),
                "inference": watched.quantile(0.95, "sentiment_inference_seconds"),
            },
        ),
        _Panel(
            title="Texts and tokens of a batch, median",
            unit="short",
            queries={
                "texts": watched.quantile(0.5, "sentiment_batch_texts"),
                "tokens": watched.quantile(0.5, "sentiment_batch_tokens"),
            },
        ),
        _Panel(
            title="Padding of all tokens",
            unit="percentunit",
            queries={"padding": watched.share(padding, watched.rate("sentiment_tokens_total"))},
        ),
        _Panel(
            title="Answered by the cache",
            unit="percentunit",
            queries={
                "{{store}}": f"{hits} / clamp_min({lookups}, 1e-9)",
                "shared inference": watched.rate("sentiment_coalesced_total"),
            },
        ),
    )


def _resources(watched: Watched) -> Sequence[_Panel]:
    info = f"sum by (model_version, backend, variant) ({watched.series('sentiment_model_info')})"
    failures = watched.rate("sentiment_backend_failures_total")
    return (
        _Panel(title="CPU of its limit", unit="percentunit", queries={"{{pod}}": watched.cpu_share}),
        _Panel(title="Memory of its limit", unit="percentunit", queries={"{{pod}}": watched.memory_share}),
        _Panel(
            title="Models and failures",
            unit="short",
            queries={"{{model_version}} {{backend}} {{variant}}": info, "failed inferences a second": failures},
        ),
    )
