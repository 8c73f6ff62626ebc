"""Sentiment with a model of DistilBERT's size: against onnxruntime alone, and beside other ways to serve it.

Makes `.venv-bench` at its first run (torch and the other servers: 5 GB), and the model in a temporary folder.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from benchmarks.measurement import Comparison, Measurement
from benchmarks.serving.contenders import PEERS_PYTHON, ROOT, infinity, litserve, plain_fastapi, quintet
from benchmarks.serving.load import Load, Target, load
from benchmarks.serving.servers import Server, memory_mb, running

CLIENTS = 64
SPAN_SECONDS = 10
TARGET_P95_MS = 1000
"""With 64 clients of which each waits for its answer, two cores need about half a second for one of each."""
STEPS = (1, CLIENTS, 8)
DOLLARS_AN_HOUR = 0.08925
"""c7i.large, 2 vCPU, on demand, Linux, us-east-1 (list price, November 2026)."""


def measure() -> Iterator[Measurement | Comparison]:
    """Every ratio in one run: what is compared is measured one right after the other."""
    if not PEERS_PYTHON.exists():
        subprocess.run([ROOT / "tools" / "bench-peers"], check=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        making = [PEERS_PYTHON, ROOT / "benchmarks" / "serving" / "make_model.py", folder]
        subprocess.run(making, check=True, capture_output=True)
        yield from _measure(folder)


def _measure(folder: Path) -> Iterator[Measurement | Comparison]:
    cores = len(os.sched_getaffinity(0))
    texts = folder / "texts.jsonl"
    before = _bare(folder, cores)
    ours = quintet(folder, _free_port(), threads=cores, target_p95_ms=TARGET_P95_MS)
    with running(ours, folder) as process:
        load(ours.target, texts, clients=CLIENTS, seconds=3, first=19_000)
        full = load(ours.target, texts, clients=CLIENTS, seconds=SPAN_SECONDS)
        memory = memory_mb(process)
        lone = load(ours.target, texts, clients=1, seconds=SPAN_SECONDS, first=8_000)
        hit = load(_always_the_same(ours.target), texts, clients=1, seconds=5)
        steps = [
            load(ours.target, texts, clients=clients, seconds=SPAN_SECONDS, first=10_000 + 3_000 * index)
            for index, clients in enumerate(STEPS)
        ]
    after = _bare(folder, cores)
    bare = mean([before["items_per_second"], after["items_per_second"]])
    bare_lone = mean([before["lone_p50_ms"], after["lone_p50_ms"]])
    yield Measurement(
        claim="sentiment, 64 clients, over onnxruntime alone",
        value=full.per_second / bare,
        unit="x",
        goal=0.85,
        at_least=True,
    )
    yield Measurement(
        claim="sentiment, one client, p50 over bare inference", value=lone.p50_ms / bare_lone, unit="x", goal=1.3
    )
    yield Measurement(claim="sentiment, answer from the cache, p50", value=hit.p50_ms, unit="ms", goal=2)
    for clients, step in zip(STEPS, steps, strict=True):
        yield Measurement(
            claim=f"sentiment, load step 1, 64, 8 clients: p95 at {clients}",
            value=step.p95_ms,
            unit="ms",
            goal=TARGET_P95_MS,
        )
    yield Measurement(claim="sentiment, 8 clients, p50", value=steps[-1].p50_ms, unit="ms", goal=100)
    rows = [
        _row("onnxruntime alone, int8, sorted batches", bare, cores, None, None),
        _row(ours.name, full.per_second, cores, full, memory),
    ]
    plain: Load | None = None
    for peer in _peers(folder):
        measured, used = _under_load(peer, folder, texts)
        plain = plain or measured
        rows.append(_row(peer.name, measured.per_second, cores, measured, used))
    assert plain is not None
    yield Measurement(
        claim="sentiment over FastAPI + transformers.pipeline",
        value=full.per_second / plain.per_second,
        unit="x",
        goal=3,
        at_least=True,
    )
    yield Comparison(
        title=(
            f"Serving DistilBERT (67 M parameters, random weights), texts of 8 to 128 tokens, {CLIENTS} clients; "
            f"dollars on c7i.large at ${DOLLARS_AN_HOUR} an hour"
        ),
        columns=("server", "req/s", "req/s a core", "p50 ms", "p95 ms", "p99 ms", "memory MiB", "$ a million"),
        rows=tuple(rows),
    )


def _peers(folder: Path) -> list[Server]:
    """The plain one first."""
    return [
        plain_fastapi(folder, _free_port()),
        litserve(folder, _free_port(), "torch"),
        litserve(folder, _free_port(), "int8"),
        infinity(folder, _free_port()),
    ]


def _under_load(server: Server, folder: Path, texts: Path) -> tuple[Load, float]:
    with running(server, folder) as process:
        load(server.target, texts, clients=CLIENTS, seconds=5, first=19_000)
        measured = load(server.target, texts, clients=CLIENTS, seconds=SPAN_SECONDS)
        return measured, memory_mb(process)


def _bare(folder: Path, threads: int) -> dict[str, float]:
    """In a process of its own, as a server is."""
    command = [sys.executable, "-m", "benchmarks.serving.bare", str(folder), str(threads), str(SPAN_SECONDS)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _always_the_same(target: Target) -> Target:
    return Target(url=target.url, path=target.path, body='{"text": "asked again and again"}')


def _row(name: str, per_second: float, cores: int, load_: Load | None, memory: float | None) -> tuple[str, ...]:
    latencies = (f"{load_.p50_ms:.0f}", f"{load_.p95_ms:.0f}", f"{load_.p99_ms:.0f}") if load_ else ("", "", "")
    dollars = DOLLARS_AN_HOUR / (per_second * 3600) * 1e6
    return (
        name,
        f"{per_second:.0f}",
        f"{per_second / cores:.0f}",
        *latencies,
        f"{memory:.0f}" if memory else "",
        f"{dollars:.2f}",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
