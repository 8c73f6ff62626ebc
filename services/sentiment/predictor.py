"""Texts to predictions: cleaned, looked up, joined with identical ones under way, batched, in order."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from services.common.errors import DeadlineExceeded, ModelUnavailable, ServiceError
from services.sentiment.backends.base import Backend, Encoded
from services.sentiment.batching import Batching, BatchLimits
from services.sentiment.cache import Cache, Probabilities, key_of
from services.sentiment.flights import Call, Flight
from services.sentiment.observer import Observer, Unobserved
from services.sentiment.prediction import Prediction
from services.sentiment.preprocess import clean
from services.sentiment.waiting import Job

__all__ = ["BatchLimits", "Cache", "Prediction", "Predictor", "Queue"]

MAX_CHARACTERS_AT_ONCE = 10_000
"""Texts that are longer together are cleaned and encoded in a thread: about 2 ms, in which the event loop would stand
still."""


@dataclass(frozen=True)
class Queue:
    """What waits for an inference now."""

    texts: int
    tokens: int


class Predictor:
    """A loaded model that answers. All methods are for the event loop's thread."""

    def __init__(
        self,
        backend: Backend,
        model_version: str,
        *,
        limits: BatchLimits,
        cache: Cache | None = None,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts nothing yet.

        Args:
            backend: What runs the model.
            model_version: Part of the name of every cached answer.
            limits: How much may be done and wait.
            cache: Shared with whatever else answers; the predictor neither starts nor closes it.
            observer: Told what happens.
            clock: Seconds that only grow; of the deadlines.
        """
        self.model_version = model_version
        self._backend = backend
        self._cache = cache
        self._observer: Observer = observer or Unobserved()
        self._clock = clock
        self._batching = Batching(backend, limits, self._observer, clock=clock)
        # What runs the model is part of the name: other precision or no model at all gives other scores.
        self._namespace = f"{model_version} on {backend.name}"
        self._flights: dict[bytes, Flight] = {}
        self._calls = 0
        self._state = "The model is not started; try again."
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="prepare")

    async def start(self) -> None:
        """Begins to take work."""
        self._batching.start()
        self._state = ""

    async def predict(self, text: str, *, deadline: float | None = None) -> Prediction:
        """The prediction for one text; see `predict_many`."""
        (prediction,) = await self.predict_many([text], deadline=deadline)
        return prediction

    async def predict_many(self, texts: Sequence[str], *, deadline: float | None = None) -> list[Prediction]:
        """One prediction a text, in order.

        Args:
            texts: Any Unicode text.
            deadline: When the caller waits no more, in seconds of the clock; None is never.

        Raises:
            Overloaded: Too much waits already; says when to try again.
            DeadlineExceeded: The answers would have come too late; what had not begun was dropped.
            ModelUnavailable: The model failed, or the predictor is not running.
        """
        if self._state:
            raise ModelUnavailable(self._state, retry_after_seconds=1)
        if not texts:
            return []
        self._calls += 1
        try:
            answers = await self._answers(texts, math.inf if deadline is None else deadline)
        finally:
            self._calls -= 1
        return [self._prediction(answer) for answer in answers]

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - cut off, not cancelled
        """Answers what was asked, for `timeout` seconds at most, and ends."""
        end = time.monotonic() + timeout
        while self._calls and time.monotonic() < end:  # noqa: ASYNC110 - once; an event would cost every request
            await asyncio.sleep(0.01)
        self._state = "The model is stopped; try again."
        await self._batching.stop(max(0.0, end - time.monotonic()))
        self._fail([*self._flights.values()], ModelUnavailable(self._state, retry_after_seconds=1))
        self._preparing.shutdown(wait=False)

    def snapshot(self) -> Queue:
        """What waits now."""
        return Queue(self._batching.texts, self._batching.tokens)

    @property
    def failures(self) -> int:
        """Inferences that failed since the last one that did not."""
        return self._batching.failures

    @property
    def running_seconds(self) -> float:
        """For how long the longest of the current inferences runs; 0 where there is none."""
        return self._batching.running_seconds

    def _prediction(self, answer: Probabilities) -> Prediction:
        prediction = Prediction.of(self._backend.labels, answer)
        self._observer.prediction(prediction.label)
        return prediction

    async def _answers(self, texts: Sequence[str], deadline: float) -> list[Probabilities]:
        loop = asyncio.get_running_loop()
        if sum(map(len, texts)) > MAX_CHARACTERS_AT_ONCE:
            named = await loop.run_in_executor(self._preparing, self._named, texts)
        else:
            named = self._named(texts)
        call = Call(len(texts), loop)
        if deadline <= self._clock():
            self._expire(call)
        else:
            self._begin(self._join(call, named, deadline))
        return await self._wait(call, deadline, loop)

    def _named(self, texts: Sequence[str]) -> list[tuple[bytes, str]]:
        cleaned = map(clean, texts)
        return [(key_of(self._namespace, text), text) for text in cleaned]

    def _join(self, call: Call, named: Sequence[tuple[bytes, str]], deadline: float) -> list[Flight]:
        """Answers from memory, joins what is under way, and returns what nobody has asked for yet."""
        new: list[Flight] = []
        for index, (key, text) in enumerate(named):
            if (answer := self._remembered(key)) is not None:
                call.answer(index, answer)
                continue
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight(key, text)
                new.append(flight)
            else:
                self._observer.coalesced()
            flight.join(call, index, deadline)
        return new

    def _remembered(self, key: bytes) -> Probabilities | None:
        if self._cache is None:
            return None
        answer = self._cache.memory.get(key)
        self._observer.cache("memory", "miss" if answer is None else "hit")
        return answer

    async def _wait(self, call: Call, deadline: float, loop: asyncio.AbstractEventLoop) -> list[Probabilities]:
        if call.done.done():
            call.done.result()
            return call.answers
        timer = None if deadline == math.inf else loop.call_later(deadline - self._clock(), self._expire, call)
        try:
            await call.done
        except asyncio.CancelledError:
            self._observer.dropped("disconnected")
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._leave(call)
        return call.answers

    def _expire(self, call: Call) -> None:
        if not call.done.done():
            self._observer.dropped("expired")
            call.fail(DeadlineExceeded("No answer within the request's time; send less or wait longer."))

    def _leave(self, call: Call) -> None:
        """Drops what nobody waits for any more, unless its inference has begun: that answer is worth keeping."""
        for flight in call.flights:
            if self._flights.get(flight.key) is not flight:
                continue
            flight.leave(call)
            if not flight.callers and (flight.job is None or self._batching.discard(flight.job)):
                del self._flights[flight.key]

    def _begin(self, new: list[Flight]) -> None:
        """Asks Redis where there is one, else the model."""
        cache = self._cache
        if not new:
            return
        if cache is not None and cache.is_shared:
            cache.look_up([flight.key for flight in new], partial(self._looked_up, new))
        else:
            self._encode(new)

    def _looked_up(self, flights: list[Flight], answers: list[Probabilities | None], known: bool) -> None:
        absent: list[Flight] = []
        for flight, answer in zip(flights, answers, strict=True):
            usable = answer is not None and len(answer) == len(self._backend.labels)
            self._observer.cache("redis", "hit" if usable else "miss" if known else "error")
            if answer is not None and usable:
                if self._cache is not None:
                    self._cache.memory.put(flight.key, answer)
                self._land(flight, answer)
            else:
                absent.append(flight)
        self._encode(absent)

    def _encode(self, flights: list[Flight]) -> None:
        wanted = [flight for flight in flights if flight.callers]
        texts = [flight.text for flight in wanted]
        if sum(map(len, texts)) > MAX_CHARACTERS_AT_ONCE:
            loop = asyncio.get_running_loop()
            encoding = loop.run_in_executor(self._preparing, self._encoded, texts)
            encoding.add_done_callback(lambda done: self._submit(wanted, done.result()))
        else:
            self._submit(wanted, self._encoded(texts))

    def _encoded(self, texts: Sequence[str]) -> list[Encoded] | ServiceError:
        try:
            return self._backend.encode(texts)
        except Exception as error:  # noqa: BLE001 - else the callers would wait for ever
            return ModelUnavailable(f"The text could not be encoded: {type(error).__name__}.", retry_after_seconds=1)

    def _submit(self, flights: list[Flight], encoded: list[Encoded] | ServiceError) -> None:
        if isinstance(encoded, ServiceError):
            self._fail(flights, encoded)
            return
        # Those whose callers left while a thread encoded are no longer wanted.
        wanted = [(flight, ids) for flight, ids in zip(flights, encoded, strict=True) if flight.callers]
        for flight, ids in wanted:
            flight.job = Job(ids, partial(self._deliver, flight), flight.deadline)
        try:
            self._batching.submit([flight.job for flight, _ in wanted if flight.job is not None])
        except ServiceError as error:
            self._observer.dropped("queue_full")
            self._fail([flight for flight, _ in wanted], error)

    def _deliver(self, flight: Flight, result: list[float] | ServiceError) -> None:
        if isinstance(result, DeadlineExceeded) and flight.callers and flight.deadline > self._clock():
            # Somebody with more time joined while it was being dropped.
            self._encode([flight])
            return
        if isinstance(result, ServiceError):
            self._fail([flight], result)
            return
        answer = tuple(result)
        if self._cache is not None:
            self._cache.put(flight.key, answer)
        self._land(flight, answer)

    def _land(self, flight: Flight, answer: Probabilities) -> None:
        self._forget(flight)
        flight.land(answer)

    def _fail(self, flights: Sequence[Flight], error: ServiceError) -> None:
        for flight in flights:
            self._forget(flight)
            flight.crash(error)

    def _forget(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
