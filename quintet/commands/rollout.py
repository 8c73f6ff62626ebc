"""`quintet rollout` and `quintet rollback`: what they work on, and what they print."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from quintet import console
from quintet.checkout import Checkout
from quintet.commands.start import Start, busy
from quintet.errors import Exit, QuintetError
from quintet.files import locked
from quintet.interrupts import interruptible
from quintet.project import Project, ProjectError
from quintet.rollout import report
from quintet.rollout.config import parsed
from quintet.rollout.counters import Counters
from quintet.rollout.deployed import StackDeployer
from quintet.rollout.journal import Journal
from quintet.rollout.judge import Limits
from quintet.rollout.kubectl import KubectlPods
from quintet.rollout.machine import Deployer, Outcome, Rollout
from quintet.rollout.observation import Observation, Schedule, Watch
from quintet.rollout.observe import PodObserver
from quintet.rollout.probe import Prober
from quintet.rollout.sandbox import SandboxDeployer, SandboxPods, running
from quintet.rollout.target import Target
from quintet.sandbox.summary import STACK
from quintet.smoke import deployed
from quintet.smoke.services import load, require_known

_SEEDS = 2**32
_SANDBOX_PROBE = 50.0
"""Requests a second where nobody else calls."""


@dataclass(kw_only=True)
class RolloutCommand:
    """One run of either command.

    Attributes:
        checkout: Where.
        service: What is rolled out.
        stack: Of which stack.
        yes: Do not ask.
        machine: Print one JSON document and nothing else on standard output.
        limits: How sure to be.
        schedule: When to look.
        probe: Requests of our own a second; None for what the stack suggests.
    """

    checkout: Checkout
    service: str
    stack: str
    yes: bool
    machine: bool
    limits: Limits = field(default_factory=Limits)
    schedule: Schedule = field(default_factory=Schedule)
    probe: float | None = None

    def run(self, weight: int, config: Sequence[str]) -> Exit:
        """Rolls out, and prints how it ended.

        Raises:
            QuintetError: There is nothing to roll out, or the way back failed.
            KeyboardInterrupt: Interrupted twice; everything stays as it is then.
        """
        with self._prepared() as rollout:
            settings = parsed(self._project(), self.stack, config)
            target = rollout.deployer.target(self.service)
            pods = self._pods(target)
            self._confirm(f"Roll out {self.service} on the stack {self.stack}, with {weight} % of its requests?")
            prober = self._prober()
            with prober.running() if prober else nullcontext():
                outcome = rollout.run(weight, settings, lambda found: self._observe(found, pods, prober))
        return self._tell(outcome, prober)

    def back(self) -> Exit:
        """Rolls back what was interrupted or promoted last, and prints what is live.

        Raises:
            QuintetError: The service is not rolled out gradually, or the way back failed.
        """
        with self._prepared(start=True) as rollout:
            self._confirm(f"Roll back {self.service} on the stack {self.stack}?")
            outcome = rollout.back()
        if outcome is None:
            self._say_done(f"There is no rollout of {self.service} to take back.")
            return Exit.OK
        self._tell(outcome, None)
        return Exit.OK

    def release(self) -> Exit:
        """Deploys the program's own version where a rollback holds another.

        Raises:
            QuintetError: A rollout is under way, or the deployment failed.
        """
        with self._prepared(start=True) as rollout:
            self._confirm(f"Deploy the program's own version of {self.service} on the stack {self.stack}, unjudged?")
            released = rollout.release()
        what = "is what the program says" if released else "was held by no rollback"
        self._say_done(f"{self.service} {what}.")
        return Exit.OK

    @contextmanager
    def _prepared(self, *, start: bool = False) -> Iterator[Rollout]:
        require_known([self.service])
        self.checkout.prepare()
        with locked(self.checkout.command_lock, busy=busy()), interruptible():
            try:
                yield Rollout(
                    service=self.service,
                    deployer=self._deployer(start=start),
                    journal=Journal(self.checkout, self.stack),
                    tell=self._progress,
                )
            except KeyboardInterrupt:
                console.note(f"Left as it is. `quintet rollback {self.service}` brings back what was live.")
                raise

    def _project(self) -> Project:
        try:
            return Project.load(self.checkout.root)
        except ProjectError as error:
            raise QuintetError(str(error), exit_code=Exit.USAGE) from error

    def _deployer(self, *, start: bool) -> Deployer:
        project = self._project()
        if self.stack != STACK:
            return StackDeployer.find(project, self.stack)
        if not start:
            running(self.checkout)
        client = Start(checkout=self.checkout, tell=self._progress).client()
        return SandboxDeployer(
            checkout=self.checkout, project=project, client=client, service=self.service, silent=self.machine
        )

    def _pods(self, target: Target) -> SandboxPods | KubectlPods:
        if target.kind != "kubernetes":
            raise QuintetError(f"A rollout of the kind {target.kind} is not known here.")
        if self.stack != STACK:
            return KubectlPods.of(self.service, target)
        return SandboxPods(running(self.checkout), self.service)

    def _prober(self) -> Prober | None:
        per_second = self.probe if self.probe is not None else _SANDBOX_PROBE if self.stack == STACK else 0.0
        if not per_second:
            return None
        if self.stack == STACK:
            urls = {name: item["url"] for name, item in running(self.checkout).status()["services"].items()}
        else:
            urls = deployed.endpoints(self.checkout.root, self.stack)
        if self.service not in urls:
            raise QuintetError(
                f"The stack {self.stack} has no address of {self.service} to send requests to.",
                advice=f"`quintet up {self.service}` deploys it; --probe 0 does without requests of our own.",
            )
        # Other samples than those of earlier rollouts, whose answers what is live knows by heart.
        return Prober(urls[self.service], load(self.service).samples(secrets.randbelow(_SEEDS)), per_second)

    def _observe(self, target: Target, pods: SandboxPods | KubectlPods, prober: Prober | None) -> Observation:
        window = f"{self.schedule.window_seconds:.0f} s, until each has answered {self.limits.minimum_samples} requests"
        self._progress(f"Observing both for {window}")
        observer = PodObserver(pods, target.metrics)
        watch = Watch(
            observer=observer, limits=self.limits, schedule=self.schedule, clients=prober, progress=self._counted
        )
        return watch.run()

    def _counted(self, seconds: float, stable: Counters, candidate: Counters) -> None:
        """One line that changes, on a terminal; nothing elsewhere."""
        if sys.stderr.isatty():
            told = f"  {seconds:5.0f} s  live: {stable.requests} requests, candidate: {candidate.requests}"
            sys.stderr.write(f"\r\x1b[2K{told}")
            sys.stderr.flush()

    def _confirm(self, question: str) -> None:
        if self.stack == STACK or self.yes:
            return
        if self.machine or not sys.stdin.isatty():
            raise QuintetError(f"{question} Say so with --yes.", exit_code=Exit.USAGE)
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise QuintetError("Nothing was changed.")

    def _tell(self, outcome: Outcome, prober: Prober | None) -> Exit:
        tally = prober.tally if prober else None
        if self.machine:
            console.as_json(report.document(outcome, self.stack, tally))
        else:
            report.show(outcome, tally)
        return Exit.OK if outcome.promoted else Exit.ROLLED_BACK

    def _say_done(self, text: str) -> None:
        if self.machine:
            console.as_json({"service": self.service, "stack": self.stack, "message": text})
        else:
            console.say(text)

    def _progress(self, text: str) -> None:
        end_of_line = "\r\x1b[2K" if sys.stderr.isatty() else ""
        if self.machine:
            console.note(f"{end_of_line}{text}")
        else:
            sys.stderr.write(end_of_line)
            console.say(text)
