"""A bounded stream of requests beside a test, of which every single answer is kept."""

import asyncio
import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp


@dataclass
class Traffic:
    """So many clients, each with its next request as soon as it has its answer, until the block ends.

    No two texts are alike, so that no cache answers in the service's place.

    Attributes:
        url: The service, with a slash at its end.
        clients: At a time.
        outcomes: How many requests ended how: a status, or the name of an error.
    """

    url: str
    clients: int = 8
    outcomes: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __enter__(self) -> "Traffic":
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "a request is still without an answer"

    @property
    def lost(self) -> dict[str, int]:
        """Every outcome that is not an answer of the service."""
        return {outcome: count for outcome, count in self.outcomes.items() if outcome != "200"}

    def flows(self, requests: int = 20, within_seconds: float = 30) -> None:
        """Returns once so many more requests were answered; fails when they are not."""
        wanted, deadline = self.outcomes["200"] + requests, time.monotonic() + within_seconds
        while self.outcomes["200"] < wanted:
            assert time.monotonic() < deadline, f"the requests are not answered: {dict(self.outcomes)}"
            time.sleep(0.05)

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(self.url, timeout=timeout) as session:
            await asyncio.gather(*(self._client(session) for _ in range(self.clients)))

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while not self._stop.is_set():
            text = f"Delivery number {next(self._numbers)} came late, but the driver was very kind."
            try:
                async with session.post("predict", json={"text": text}) as answer:
                    await answer.read()
                    self.outcomes[str(answer.status)] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                self.outcomes[type(error).__name__] += 1
