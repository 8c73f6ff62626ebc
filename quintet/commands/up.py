"""`quintet up`: every service live on this machine, tried once, and told how to call it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from quintet import console
from quintet.checkout import Checkout
from quintet.commands.env import prepared
from quintet.commands.progress import Progress, summary
from quintet.commands.start import Start, busy
from quintet.errors import Exit, QuintetError
from quintet.files import locked
from quintet.interrupts import Interrupts, interruptible
from quintet.rollout.reminder import reminders
from quintet.sandbox.client import Client
from quintet.sandbox.denials import Denial, DenialLog
from quintet.sandbox.engines import Engine, refuse_another
from quintet.sandbox.events import Event, as_error
from quintet.sandbox.logs import ending
from quintet.sandbox.real.workspace import find_cli
from quintet.sandbox.summary import STACK
from quintet.smoke import report
from quintet.smoke.curl import curl
from quintet.smoke.runner import Result, run, select
from quintet.smoke.services import known, load, require_known

_LOG_LINES = 12


@dataclass(kw_only=True)
class Up:
    """One run of the command.

    Attributes:
        checkout: Where.
        services: Those to have besides what is up; none for all that the stack's configuration turns on.
        fresh: Forget everything first.
        port: Where the emulated AWS should answer, or None for the port of the last time.
        engine: By which engine.
        machine: Print one JSON document and nothing else.
    """

    checkout: Checkout
    services: Sequence[str]
    fresh: bool
    port: int | None
    engine: Engine
    machine: bool
    made: Counter[str] = field(default_factory=Counter)

    def run(self) -> Exit:
        """Deploys, tries the services and prints what runs.

        Raises:
            QuintetError: Something did not come up; the message says what.
            KeyboardInterrupt: The user ended it; nothing runs any more.
        """
        require_known(self.services)
        self.checkout.prepare()
        with locked(self.checkout.command_lock, busy=busy()), interruptible() as interrupts:
            try:
                return self._run()
            except KeyboardInterrupt:
                self._undo(interrupts)
                raise

    def _run(self) -> Exit:
        began = time.perf_counter()
        if not self.fresh:
            refuse_another(self.checkout, self.engine)
        cli = find_cli(self.checkout) if self.engine is Engine.PULUMI else None
        refused = DenialLog(self.checkout.denials)
        client = Start(checkout=self.checkout, fresh=self.fresh, port=self.port, tell=self._tell).client()
        programs = str(prepared(self.checkout, cli).programs) if cli else ""
        mark = refused.mark()
        done = self._deployed(client, programs, refused, mark)
        results = self._try(done["status"])
        client.settle()  # a function may write after its answer has gone out
        denials = refused.since(mark)
        failure = _refused(denials, results) if denials else _failed(results)
        if self.machine and failure:
            raise failure
        self._print(done, results, time.perf_counter() - began)
        for line in reminders(self.checkout, STACK):
            self._tell(line)
        if failure:
            self._explain(results)
            raise failure
        return Exit.OK

    def _deployed(self, client: Client, programs: str, refused: DenialLog, mark: int) -> Event:
        """Deploys; where that fails, what IAM refused meanwhile is told with it, as it may be why."""
        try:
            return self._deploy(client, programs)
        except QuintetError as error:
            if not (denials := refused.since(mark)):
                raise
            cause = _refused(denials, [])
            message = f"{error.message}\n{cause.message}"
            raise QuintetError(
                message, advice=cause.advice, exit_code=error.exit_code, details=cause.details
            ) from error

    def _deploy(self, client: Client, programs: str) -> Event:
        request = {"services": list(self.services), "engine": self.engine, "programs": programs}
        with Progress(silent=self.machine) as progress:
            for event in client.up(request):
                if event["event"] == "error":
                    raise as_error(event)
                if event["event"] == "done":
                    return event
                if event["event"] == "resource" and event["done"]:
                    self.made[event["operation"]] += 1
                progress.show(event)
        raise client.gone()

    def _try(self, status: Event) -> list[Result]:
        endpoints = {name: service["url"] for name, service in status["services"].items()}
        if not endpoints:
            return []
        with Progress(silent=self.machine) as progress:
            progress.show({"event": "phase", "text": "Trying every service"})
            return list(run(select((), endpoints), endpoints))

    def _print(self, done: Event, results: list[Result], seconds: float) -> None:
        status = done["status"]
        urls = {name: service["url"] for name, service in status["services"].items()}
        examples = {name: curl(url, load(name).example) for name, url in urls.items()}
        if self.machine:
            checks = [asdict(result) for result in results]
            console.as_json({**status, "changes": done["counts"], "checks": checks, "examples": examples,
                             "seconds": round(seconds, 3)})  # fmt: skip
            return
        _print_services(status, results)
        if status["declared_only"]:
            console.say(f"Declared only, not run here: {', '.join(status['declared_only'])}")
        if examples:
            console.heading("\nTry them:")
        for line in examples.values():
            console.say(f"  {line}")
        console.say(f"\n{summary(done['counts'])} in {console.seconds(seconds)}")

    def _explain(self, results: list[Result]) -> None:
        failed = [result for result in results if not result.ok]
        if failed:
            console.say()
            report.show(failed)
        for name in dict.fromkeys(result.service for result in failed):
            _show_log(self.checkout, name)

    def _undo(self, interrupts: Interrupts) -> None:
        interrupts.hold()
        console.note("\nInterrupted: stopping everything.")
        client = Client.find(self.checkout)
        if client:
            client.stop()
        done = f"{summary(self.made)}, kept for the next `quintet up`." if self.made else "Nothing was deployed."
        console.note(f"{done} Nothing runs any more.")

    def _tell(self, text: str) -> None:
        if not self.machine:
            console.say(text)


def _print_services(status: Event, results: list[Result]) -> None:
    rows = []
    for name, service in status["services"].items():
        mine = [result for result in results if result.service == name]
        passed = f"{sum(result.ok for result in mine)} of {len(mine)}"
        rows.append((name, service["state"], passed, service["url"]))
    console.table(("SERVICE", "STATE", "CHECKS", "URL"), rows)


def _failed(results: list[Result]) -> QuintetError | None:
    failed = [result for result in results if not result.ok]
    if not failed:
        return None
    services = ", ".join(dict.fromkeys(result.service for result in failed))
    return QuintetError(
        f"{len(failed)} of {len(results)} checks failed, of {services}.",
        advice="The services stay up: look at `quintet logs`, correct the cause, run `quintet up` again.",
        details={"checks": [asdict(result) for result in results]},
    )


def _show_log(checkout: Checkout, service: str) -> None:
    lines = ending(checkout, service, _LOG_LINES)
    if lines:
        console.note(f"What {service} said last:")
    for line in lines:
        console.note(f"  {line}")


def _refused(denials: list[Denial], results: list[Result]) -> QuintetError:
    """The cause comes before its consequence: a refused call is why a check may have failed."""
    lines = dict.fromkeys(str(denial) for denial in denials)
    files = dict.fromkeys(_file_of(denial) for denial in denials)
    return QuintetError(
        "IAM refused what the services need:" + "".join(f"\n  {line}" for line in lines),
        advice=f"Add the use that grants it, such as `table.write()`, in {', '.join(files)}, then run `quintet up`.",
        details={
            "denials": [asdict(denial) for denial in denials],
            "checks": [asdict(result) for result in results],
        },
    )


def _file_of(denial: Denial) -> str:
    return next(
        (f"stacks/{name}.py" for name in known() if name in denial.role.split("-")), "the service's stacks/*.py"
    )
