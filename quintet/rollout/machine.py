"""The order of a rollout: candidate beside what is live, look, judge, forward or back; from any point after a kill.

It changes settings and runs the program, and nothing else: the program alone changes what is deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from quintet.errors import Exit, QuintetError
from quintet.rollout.journal import Entry, Journal, Phase
from quintet.rollout.judge import Decision, Verdict
from quintet.rollout.observation import Observation
from quintet.rollout.target import Target, Version

Tell = Callable[[str], None]


class Deployer(Protocol):
    """Changes settings of a stack and runs its program."""

    def target(self, service: str) -> Target:
        """What the program said of a service the last time it ran.

        Raises:
            QuintetError: Nothing.
        """
        ...

    def settings(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of settings, None for those without."""
        ...

    def set(self, changes: Mapping[str, Any]) -> None:
        """Gives settings a value; None takes it away. Touches no other."""
        ...

    def up(self) -> None:
        """Runs the program and waits until all it declares is ready.

        Raises:
            QuintetError: Something is not; the message says what.
        """
        ...


class Observe(Protocol):
    """Looks at both versions until they can be judged."""

    def __call__(self, target: Target) -> Observation:
        """Observes.

        Raises:
            QuintetError: The candidate does not get ready, or nothing can be observed.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a rollout ended.

    Attributes:
        service: Whose.
        promoted: Whether the candidate is live now.
        reason: Why it is not; empty when it is.
        live: What was live before.
        candidate: What was tried; None where it never came so far.
        observation: What was seen; None where it never came so far.
        held: Whether a setting keeps what is live so, as the program's own version is the refused one.
    """

    service: str
    promoted: bool
    reason: str
    live: Version
    candidate: Version | None
    observation: Observation | None
    held: bool

    @property
    def verdict(self) -> Verdict | None:
        """The judgement, where there was one."""
        return self.observation.verdict if self.observation else None


@dataclass(kw_only=True)
class Rollout:
    """One service's rollout.

    Attributes:
        service: Whose.
        deployer: The stack.
        journal: How far it came, on disk before each step.
        tell: Told what is done.
    """

    service: str
    deployer: Deployer
    journal: Journal
    tell: Tell = field(default=lambda _: None)

    def run(self, weight: int, config: Mapping[str, Any], observe: Observe) -> Outcome:
        """Rolls a candidate out.

        Args:
            weight: Its share of requests, in percent.
            config: Settings of its own.
            observe: Looks at both versions.

        Raises:
            QuintetError: There is nothing to roll out, or the way back failed, too; `quintet rollback` tries it again.
            KeyboardInterrupt: Interrupted a second time, on the way back.
        """
        entry, observation = self._begin(config), None
        try:
            target = self._candidate(entry, weight, config)
            entry = self._note(entry.model_copy(update={"candidate": target.candidate}))
            observation = observe(target) if target.candidate != entry.live else None
        except (QuintetError, KeyboardInterrupt) as error:
            return self._roll_back(entry, self._why(error), None)
        if observation is None:
            raise self._nothing_to_roll_out(entry)
        if observation.verdict.decision is not Decision.PROMOTE:
            return self._roll_back(entry, observation.verdict.reason, observation)
        return self._promote(entry, observation)

    def back(self) -> Outcome | None:
        """Ends a rollout that was interrupted, or takes back the last one; None where there is nothing to take back.

        Raises:
            QuintetError: The service is not rolled out gradually, or the way back failed.
        """
        target, entry = self.deployer.target(self.service), self.journal.read(self.service)
        if entry and (entry.under_way or (entry.phase is Phase.PROMOTED and target.live == entry.candidate)):
            return self._roll_back(entry, "asked for", None)
        if self._weight(target):  # begun elsewhere, or the journal is lost: what is live is known all the same
            found = Entry(phase=Phase.BEGUN, live=target.live, before={}, candidate=target.candidate)
            return self._roll_back(found, "asked for", None)
        return None

    def release(self) -> bool:
        """Lets go of what a rollback holds, so that the program's own version is live; whether anything was held.

        Raises:
            QuintetError: The deployment failed, or a rollout is under way.
        """
        target, entry = self.deployer.target(self.service), self.journal.read(self.service)
        if (entry and entry.under_way) or self._weight(target):
            raise QuintetError(
                f"A rollout of {self.service} is under way.",
                advice=f"`quintet rollback {self.service}` ends it first.",
                exit_code=Exit.USAGE,
            )
        if self.deployer.settings([target.stable_setting])[target.stable_setting] is None:
            return False
        self.tell(f"Deploying the program's own version of {self.service}")
        self._clear(target)
        self.deployer.up()
        self.journal.forget(self.service)
        return True

    def _begin(self, config: Mapping[str, Any]) -> Entry:
        """Notes what is live and how the settings were; takes up where a killed rollout has left them."""
        target, last = self.deployer.target(self.service), self.journal.read(self.service)
        own = {target.stable_setting, target.weight_setting}
        if clash := sorted(own & config.keys()):
            raise QuintetError(f"{', '.join(clash)}: the rollout itself sets that.", exit_code=Exit.USAGE)
        live = target.live
        if last and last.under_way:
            self.tell(f"An earlier rollout of {self.service} was interrupted: beginning anew from what was live.")
            self.deployer.set(last.before)
            live = last.live
        before = self.deployer.settings(config)
        return self._note(Entry(phase=Phase.BEGUN, live=live, before=before))

    def _candidate(self, entry: Entry, weight: int, config: Mapping[str, Any]) -> Target:
        target = self.deployer.target(self.service)
        self.tell(f"Live: {entry.live}")
        self.tell(f"Deploying the candidate beside it, with {weight} % of the requests")
        shift = {target.stable_setting: entry.live.model_dump(), target.weight_setting: weight}
        self.deployer.set({**config, **shift})
        self.deployer.up()
        found = self.deployer.target(self.service)
        self.tell(f"Candidate: {found.candidate}")
        return found

    def _promote(self, entry: Entry, observation: Observation) -> Outcome:
        self.tell("The candidate is as good: promoting it")
        entry = self._note(entry.model_copy(update={"phase": Phase.PROMOTING}))
        try:
            self._clear(self.deployer.target(self.service))
            self.deployer.up()
        except (QuintetError, KeyboardInterrupt) as error:
            return self._roll_back(entry, f"the candidate could not be promoted: {self._why(error)}", observation)
        self._note(entry.model_copy(update={"phase": Phase.PROMOTED}))
        return self._outcome(entry, "", observation, held=False)

    def _why(self, error: QuintetError | KeyboardInterrupt) -> str:
        if isinstance(error, QuintetError):
            return error.message
        self.tell("Interrupted. Ctrl-C again leaves everything as it is now.")
        return "interrupted"

    def _roll_back(self, entry: Entry, reason: str, observation: Observation | None) -> Outcome:
        """What was live stays so, alone; its setting is kept where the program by itself would bring the candidate."""
        self.tell(f"Rolling back to {entry.live}: {reason}")
        target = self.deployer.target(self.service)
        self.deployer.set({**entry.before, target.stable_setting: entry.live.model_dump(), target.weight_setting: 0})
        try:
            self.deployer.up()
        except QuintetError as error:
            raise self._stuck(entry, reason, error) from error
        target = self.deployer.target(self.service)
        held = target.candidate != entry.live
        if not held:
            self._clear(target)
        self._note(entry.model_copy(update={"phase": Phase.ROLLED_BACK, "held": held}))
        return self._outcome(entry, reason, observation, held=held)

    def _outcome(self, entry: Entry, reason: str, observation: Observation | None, *, held: bool) -> Outcome:
        return Outcome(
            service=self.service,
            promoted=not reason,
            reason=reason,
            live=entry.live,
            candidate=entry.candidate,
            observation=observation,
            held=held,
        )

    def _nothing_to_roll_out(self, entry: Entry) -> QuintetError:
        self._roll_back(entry, "it is what is live already", None)
        self.journal.forget(self.service)
        return QuintetError(
            f"There is nothing to roll out: {entry.live} is live already.",
            advice="A candidate has another image or another model: change the service's code, or name a model with "
            "--config. `quintet up` deploys any other setting.",
            exit_code=Exit.USAGE,
        )

    def _stuck(self, entry: Entry, reason: str, error: QuintetError) -> QuintetError:
        return QuintetError(
            f"The candidate is to be rolled back ({reason}), and that failed: {error.message}",
            advice=f"{error.advice} `quintet rollback {self.service}` tries it again: {entry.live}.".strip(),
            exit_code=error.exit_code,
        )

    def _clear(self, target: Target) -> None:
        self.deployer.set({target.stable_setting: None, target.weight_setting: None})

    def _weight(self, target: Target) -> int:
        return int(self.deployer.settings([target.weight_setting])[target.weight_setting] or 0)

    def _note(self, entry: Entry) -> Entry:
        self.journal.write(self.service, entry)
        return entry
