"""Requests of our own, through the address that clients use, at an even pace: seen is what clients see."""

from __future__ import annotations

import itertools
import operator
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from quintet.rollout.counters import Counters
from quintet.rollout.judge import Seen
from quintet.rollout.observe import CANDIDATE, STABLE
from services.common.smoke import Example

VARIANT_HEADER = "x-variant"
CALLER_HEADER = "x-api-key"
"""Which version answers is chosen by who calls: each request comes as somebody else."""

_AT_ONCE = 16
_TIMEOUT_SECONDS = 30.0
_SERVER_ERROR = 500
_COMPARE_EVERY = 5
"""Each such request is put to both versions."""


@dataclass
class Tally:
    """What came of the requests.

    Attributes:
        sent: How many there were.
        failed: Those answered with a 5xx, or not at all.
        refused: Those answered with a 4xx: too many, or not allowed.
        skipped: Those that were not sent, as too many were under way.
        variants: Requests and failures by the version that answered.
        compared: Texts that both versions were asked about.
        differing: Those that they gave different labels.
        failure: The last failure, in words.
    """

    sent: int = 0
    failed: int = 0
    refused: int = 0
    skipped: int = 0
    variants: dict[str, Counters] = field(default_factory=dict)
    compared: int = 0
    differing: int = 0
    failure: str = ""


@dataclass(frozen=True)
class Answer:
    """Who answered, and with which labels."""

    variant: str
    labels: tuple[str, ...]


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
        self._numbers = itertools.count()
        self._callers: dict[str, str] = {}
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

    def seen(self) -> Seen:
        """What came of the requests up to now."""
        with self._lock:
            stable, candidate = (self.tally.variants.get(name, Counters()) for name in (STABLE, CANDIDATE))
            return Seen(
                stable=stable, candidate=candidate, compared=self.tally.compared, differing=self.tally.differing
            )

    def _work(self, client: httpx.Client) -> None:
        while not self._stop.is_set():
            number, sample, wait = self._turn()
            if self._stop.wait(wait):
                return
            first = self._ask(client, sample, f"probe-{uuid.uuid4()}")
            if first and number % _COMPARE_EVERY == 0:
                self._compare(client, sample, first)

    def _compare(self, client: httpx.Client, sample: Example, first: Answer) -> None:
        """Asks the other version the same, as a caller that it is known to answer."""
        caller = self._callers.get(CANDIDATE if first.variant == STABLE else STABLE)
        second = self._ask(client, sample, caller) if caller else None
        if second and len(first.labels) == len(second.labels) and first.variant != second.variant:
            with self._lock:
                self.tally.compared += len(first.labels)
                self.tally.differing += sum(map(operator.ne, first.labels, second.labels))

    def _turn(self) -> tuple[int, Example, float]:
        """The next sample, its number, how long to wait for its moment; those that nobody was free for are left out."""
        with self._lock:
            now, pause = time.monotonic(), 1 / self._per_second
            missed = max(0, int((now - self._next) / pause))
            self.tally.skipped += missed
            mine = self._next + missed * pause
            self._next = mine + pause
            return next(self._numbers), next(self._samples), max(0.0, mine - now)

    def _ask(self, client: httpx.Client, sample: Example, caller: str) -> Answer | None:
        """One request; None where it was not answered with a 2xx."""
        headers = {CALLER_HEADER: caller}
        try:
            answer = client.request(sample.method, sample.path.lstrip("/"), json=sample.body, headers=headers)
        except httpx.HTTPError as error:
            self._count("", failure=f"{type(error).__name__}: {error}".rstrip(": "))
            return None
        variant = answer.headers.get(VARIANT_HEADER, "")
        failed, refused = answer.status_code >= _SERVER_ERROR, answer.is_client_error
        self._count(variant, refused=refused, failure=f"HTTP {answer.status_code}" if failed else "")
        if failed or refused:
            return None
        self._callers[variant] = caller
        return Answer(variant, _labels(answer))

    def _count(self, variant: str, *, failure: str = "", refused: bool = False) -> None:
        one = Counters(requests=1, errors=int(bool(failure)))
        with self._lock:
            self.tally.sent += 1
            self.tally.failed += one.errors
            self.tally.refused += refused
            self.tally.failure = failure or self.tally.failure
            if variant and not refused:
                self.tally.variants[variant] = self.tally.variants.get(variant, Counters()) + one


def _labels(answer: httpx.Response) -> tuple[str, ...]:
    """The labels of one answer, or of a batch's; none where it has no such thing."""
    try:
        body = answer.json()
    except ValueError:
        return ()
    results = body.get("results", [body]) if isinstance(body, dict) else []
    return tuple(str(result["label"]) for result in results if isinstance(result, dict) and "label" in result)
