"""A warm `POST /moderate` through the emulated API: client, HTTP API, function, answer."""

from collections.abc import Iterator

import httpx

from benchmarks.live import sandbox
from benchmarks.measurement import Measurement, median_seconds

TEXT = "The delivery was late again, but the people at the desk were friendly and sorted it out within ten minutes."


def measure() -> Iterator[Measurement]:
    """Median of 300 calls, one after another, over one connection."""
    with sandbox() as mine:
        mine.up()
        with httpx.Client(base_url=mine.url("moderation")) as client:

            def call() -> None:
                client.post("/moderate", json={"text": TEXT}).raise_for_status()

            value = median_seconds(call, runs=300, warm_up=30) * 1000
        yield Measurement(claim="POST /moderate, warm, through the emulated API, p50", value=value, unit="ms", goal=15)
