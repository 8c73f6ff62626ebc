"""The two borders of a rollout: a stack that a program deploys, and eyes that see two versions.

`FakeStack` stands for `quintet.rollout.machine.Deployer`: its program declares the version that code and settings make,
keeps what the stable setting names live, and puts its own beside that while it has a weight. `FakeEyes` stands for
`quintet.rollout.observe.Observer`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quintet.errors import Exit, QuintetError
from quintet.rollout.counters import Counters
from quintet.rollout.judge import Check, Decision, Result, Verdict
from quintet.rollout.observation import Observation
from quintet.rollout.target import Target, Version, target
from tests.quintet.rollout.traffic import traffic

STABLE, WEIGHT = "sentimentStable", "sentimentCanaryWeight"


def version(model: str, code: str = "a") -> Version:
    return Version(image=f"registry/sentiment@sha256:{code * 64}", model=f"sentiment/{model}/")


@dataclass
class FakeStack:
    """A stack with one service.

    Attributes:
        values: Its settings.
        code: What the program's code makes of the image.
        never_ready: Models whose pods do not become ready.
        broken: Deployments that fail, by their number from 1, with what they do before they do so.
        ups: What each deployment began with.
        live: The version that answers; with it the share of each.
    """

    values: dict[str, Any] = field(default_factory=dict)
    code: str = "a"
    never_ready: set[str] = field(default_factory=set)
    broken: dict[int, Callable[[], None]] = field(default_factory=dict)
    ups: list[dict[str, Any]] = field(default_factory=list)
    shares: dict[Version, int] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def target(self, service: str) -> Target:
        return target(self.outputs, service)

    def settings(self, keys: Iterable[str]) -> dict[str, Any]:
        return {key: self.values.get(key) for key in keys}

    def set(self, changes: Mapping[str, Any]) -> None:
        merged = {**self.values, **changes}
        self.values = {key: value for key, value in merged.items() if value is not None}

    def up(self) -> None:
        self.ups.append(dict(self.values))
        own = version(self.values.get("sentimentModel", "1"), self.code)
        kept = self.values.get(STABLE)
        live = Version.model_validate(kept) if kept else own
        weight = int(self.values.get(WEIGHT, 0))
        if (trouble := self.broken.get(len(self.ups))) is not None:
            trouble()
        deployed = {live, own} if weight else {live}
        if stuck := [each.model for each in deployed if each.model in self.never_ready]:
            raise QuintetError(f"Deployment sentiment-canary: {stuck[0]} did not become ready")
        self.shares = {live: 100 - weight, own: weight} if weight else {live: 100}
        entry = {
            "kind": "kubernetes",
            "namespace": "quintet-test-sentiment",
            "stable": "sentiment",
            "canary": "sentiment-canary",
            "live": live.model_dump(),
            "candidate": own.model_dump(),
            "stableSetting": STABLE,
            "weightSetting": WEIGHT,
            "metrics": "sentiment",
            "cluster": "",
        }
        self.outputs = json.loads(json.dumps({"rollouts": {"sentiment": entry}}))


def interrupted() -> None:
    raise KeyboardInterrupt


def killed() -> None:
    raise Killed


def failing() -> None:
    raise QuintetError("the cluster did not answer", exit_code=Exit.FAILED)


class Killed(BaseException):
    """The command is gone from one moment to the next: nothing of it runs any more."""


def seen(decision: Decision) -> Callable[[Target], Observation]:
    """An observation that ends so."""
    result = {Decision.PROMOTE: Result.PASSED, Decision.ROLL_BACK: Result.FAILED}.get(decision, Result.NOT_ENOUGH)
    check = Check(
        name="error rate", result=result, stable="0 %", candidate="50 %", effect="+50 points", bar="+0.1 points",
        p_value=0.5 if result is Result.PASSED else 1e-9, adjusted=0.5 if result is Result.PASSED else 1e-9,
    )  # fmt: skip
    verdict = Verdict(decision, (check,), 0.01)
    counters = Counters(requests=500)

    def observe(_: Target) -> Observation:
        return Observation(stable=counters, candidate=counters, verdict=verdict, seconds=60.0, early=False)

    return observe


@dataclass
class FakeEyes:
    """Two versions under simulated traffic, and the clock by which it comes.

    Attributes:
        random: What the traffic is drawn from.
        stable: How the live version is; see `traffic`.
        candidate: How the candidate is.
        rates: Requests a second to either.
        ready_after: When the candidate can answer, in seconds.
    """

    random: np.random.Generator
    stable: dict[str, Any] = field(default_factory=dict)
    candidate: dict[str, Any] = field(default_factory=dict)
    rates: tuple[float, float] = (45.0, 5.0)
    ready_after: float = 0.0
    now: float = 0.0
    slept: float = 0.0
    sums: list[Counters] = field(default_factory=lambda: [Counters(), Counters()])

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds

    def ready(self) -> Mapping[str, int]:
        return {"stable": 2, "canary": int(self.now >= self.ready_after)}

    def read(self) -> Mapping[str, Counters]:
        for index, qualities in enumerate((self.stable, self.candidate)):
            came = int(self.random.poisson(self.rates[index] * self.slept))
            self.sums[index] = self.sums[index] + traffic(self.random, came, **qualities)
        self.slept = 0.0
        return {"stable": self.sums[0], "canary": self.sums[1]}
