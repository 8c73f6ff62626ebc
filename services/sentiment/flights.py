"""Who waits for which text: identical texts share one inference, and each caller only what it asked for."""

from __future__ import annotations

import asyncio
import math

from services.common.errors import ServiceError
from services.sentiment.cache import Probabilities
from services.sentiment.waiting import Job


class Call:
    """One caller's texts: its answers, in order, when the last of them is there."""

    __slots__ = ("_answers", "_missing", "done", "flights")

    def __init__(self, texts: int, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self.flights: list[Flight] = []
        self._answers: list[Probabilities | None] = [None] * texts
        self._missing = texts

    @property
    def answers(self) -> list[Probabilities]:
        """What was asked for; complete once `done` is."""
        return [answer for answer in self._answers if answer is not None]

    def answer(self, index: int, answer: Probabilities) -> None:
        """Gives the answer to one text."""
        self._answers[index] = answer
        self._missing -= 1
        if not self._missing and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: ServiceError) -> None:
        """Says why there will be no answers."""
        if not self.done.done():
            self.done.set_exception(error)


class Flight:
    """One text under way, and the callers that wait for it; it goes on while there is one."""

    __slots__ = ("callers", "deadline", "job", "key", "text")

    def __init__(self, key: bytes, text: str) -> None:
        self.key = key
        self.text = text
        self.job: Job | None = None
        self.callers: list[tuple[Call, int]] = []
        self.deadline = -math.inf

    def join(self, call: Call, index: int, deadline: float) -> None:
        """Lets a caller wait, too; the text is of use until the last of them gives up."""
        self.callers.append((call, index))
        call.flights.append(self)
        self.deadline = max(self.deadline, deadline)
        if self.job is not None:
            self.job.deadline = self.deadline

    def leave(self, call: Call) -> None:
        """Lets a caller go."""
        self.callers = [(other, index) for other, index in self.callers if other is not call]

    def land(self, answer: Probabilities) -> None:
        """Tells all callers."""
        for call, index in self.callers:
            call.answer(index, answer)

    def crash(self, error: ServiceError) -> None:
        """Tells all callers why there is no answer."""
        for call, _ in self.callers:
            call.fail(error)
