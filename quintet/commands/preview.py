"""`quintet preview`: what `up` would change, told by the program itself; nothing needs to run for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from quintet import console
from quintet.checkout import Checkout
from quintet.commands.progress import summary
from quintet.errors import Exit
from quintet.sandbox.client import Client
from quintet.sandbox.engines import Engine, refuse_another
from quintet.sandbox.overrides import kept
from quintet.sandbox.summary import STACK

if TYPE_CHECKING:
    from quintet.sandbox.engine import Cloud, Outcome, ResourceEvent, State


def preview(checkout: Checkout, *, stack: str, machine: bool) -> Exit:
    """Prints the operations that `up` would do; values are not shown, as some are secret.

    Raises:
        QuintetError: The program or its configuration is wrong.
    """
    checkout.prefer()
    outcome, events = _plan(checkout, stack)
    changes = [event for event in events if event.operation != "same"]
    if machine:
        listed = [{key: asdict(event)[key] for key in ("operation", "type", "name", "changed")} for event in changes]
        console.as_json({"stack": stack, "counts": dict(outcome.counts), "changes": listed})
        return Exit.OK
    if changes:
        rows = [(event.operation, event.type, event.name, ", ".join(event.changed)) for event in changes]
        console.table(("OPERATION", "TYPE", "NAME", "CHANGED"), rows)
    console.say(_would(outcome))
    return Exit.OK


def _would(outcome: Outcome) -> str:
    return f"`up` would do: {summary(outcome.counts)}."


def _plan(checkout: Checkout, stack: str) -> tuple[Outcome, list[ResourceEvent]]:
    # Here, as the Pulumi SDK takes half a second to import.
    from quintet.project import Project, ProjectError  # noqa: PLC0415
    from quintet.sandbox.engine import Deployment, SandboxError  # noqa: PLC0415
    from quintet.sandbox.events import explain  # noqa: PLC0415

    events: list[ResourceEvent] = []
    try:
        cloud, state = _surroundings(checkout, stack)
        project = Project.load(checkout.root)
        over = kept(checkout) if stack == STACK else {}
        outcome = Deployment(cloud, state, project, stack, preview=True, on_event=events.append, overrides=over).run()
    except (SandboxError, ProjectError) as error:
        raise explain(error, checkout, told=(SandboxError, ProjectError)) from error
    return outcome, events


def _surroundings(checkout: Checkout, stack: str) -> tuple[Cloud, State]:
    from quintet.sandbox.engine import State  # noqa: PLC0415
    from quintet.sandbox.engine.recording import RecordingCloud  # noqa: PLC0415
    from quintet.sandbox.kinds.cloud import EmulatedCloud  # noqa: PLC0415
    from quintet.sandbox.world import World  # noqa: PLC0415

    if stack == STACK:
        refuse_another(checkout, Engine.SANDBOX)
        return EmulatedCloud(World(checkout.root, checkout.home, url=_running(checkout))), State.load(checkout.state)
    return RecordingCloud(), State()


def _running(checkout: Checkout) -> str:
    """The address of the emulated AWS; empty when none runs, and then it is told what that means."""
    client = Client.find(checkout)
    address = client.endpoint_url() if client else None
    if address is None and checkout.state.exists():
        console.note("The sandbox is stopped: what the program asks AWS is answered as by an empty account.")
    return address or ""
