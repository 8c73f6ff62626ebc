"""Requests of our own, through the address that clients use, at an even pace: seen is what clients see."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from quintet.rollout.counters import Counters
from services.common.smoke import Example

VARIANT_HEADER = "x-variant"
CALLER_HEADER = "x-api-key"
"""Which version answers is chosen by who calls: each request comes as somebody else."""

_AT_ONCE = 16
_TIMEOUT_SECONDS = 30.0
_SERVER_ERROR = 500
_CLIENT_ERROR = 400


@dataclass
class Tally:
    """What came of the requests.

    Attributes:
        sent: How many there were.
        failed: Those answered with a 5xx, or not at all.
        refused: Those answered with a 4xx: too many, or not allowed.
        skipped: Those that were not sent, as too many were under way.
        variants: Requests and failures by the version that answered.
        failure: The last failure, in words.
    """

    sent: int = 0
    failed: int = 0
    refused: int = 0
    skipped: int = 0
    variants: dict[str, Counters] = field(default_factory=dict)
    failure: str = ""


class Prober:
    """Sends requests while its context is open; its methods may be called from any thread."""

    def __init__(self, url: str, samples: Iterable[Example], per_second: float) -> None:
        """Prepare it.

        Args:
            url: The service's address.
            samples: What is asked, over and over; at least one.
            per_second: How many requests.
        """
        self._url, self._per_second = url, per_second
        self._samples: Iterator[Example] = itertools.cycle(samples)
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._next = 0.0
        self.tally = Tally()

    @contextmanager
    def running(self) -> Iterator[Prober]:
        """Sends from now on until the end of the block, and waits for the answers."""
        self._next = time.monotonic()
        limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
        with httpx.Client(base_url=self._url, timeout=_TIMEOUT_SECONDS, limits=limits) as client:
            threads = [threading.Thread(target=self._work, args=(client,), daemon=True) for _ in range(_AT_ONCE)]
            for thread in threads:
                thread.start()
            try:
                yield self
            finally:
                self._stop.set()
                for thread in threads:
                    thread.join()

    def seen(self) -> Mapping[str, Counters]:
        """Requests and failures by variant up to now."""
        with self._lock:
            return dict(self.tally.variants)

    def _work(self, client: httpx.Client) -> None:
        while not self._stop.is_set():
            sample, wait = self._turn()
            if not self._stop.wait(wait):
                self._ask(client, sample)

    def _turn(self) -> tuple[Example, float]:
        """The next sample and how long to wait for its moment; moments that nobody was free for are left out."""
        with self._lock:
            now, pause = time.monotonic(), 1 / self._per_second
            missed = max(0, int((now - self._next) / pause))
            self.tally.skipped += missed
            mine = self._next + missed * pause
            self._next = mine + pause
            return next(self._samples), max(0.0, mine - now)

    def _ask(self, client: httpx.Client, sample: Example) -> None:
        headers = {CALLER_HEADER: f"probe-{uuid.uuid4()}"}
        try:
            answer = client.request(sample.method, sample.path.lstrip("/"), json=sample.body, headers=headers)
        except httpx.HTTPError as error:
            self._count("", failure=f"{type(error).__name__}: {error}".rstrip(": "))
            return
        failed = answer.status_code >= _SERVER_ERROR
        self._count(
            answer.headers.get(VARIANT_HEADER, ""),
            refused=_CLIENT_ERROR <= answer.status_code < _SERVER_ERROR,
            failure=f"HTTP {answer.status_code}" if failed else "",
        )

    def _count(self, variant: str, *, failure: str = "", refused: bool = False) -> None:
        one = Counters(requests=1, errors=int(bool(failure)))
        with self._lock:
            self.tally.sent += 1
            self.tally.failed += one.errors
            self.tally.refused += refused
            self.tally.failure = failure or self.tally.failure
            if variant and not refused:
                self.tally.variants[variant] = self.tally.variants.get(variant, Counters()) + one
