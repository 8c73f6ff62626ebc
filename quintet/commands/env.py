"""`quintet env`: the variables by which plain `pulumi` commands work on the sandbox."""

from __future__ import annotations

import shlex
from pathlib import Path

from quintet import console
from quintet.checkout import Checkout
from quintet.commands.start import Start, busy
from quintet.errors import Exit
from quintet.files import locked
from quintet.interrupts import interruptible
from quintet.sandbox.engines import Engine, refuse_another
from quintet.sandbox.ports import remembered
from quintet.sandbox.real.workspace import Workspace, find_cli


def env(checkout: Checkout) -> Exit:
    """Starts what `pulumi` needs of the sandbox and prints the variables.

    Raises:
        QuintetError: There is no CLI, the sandbox's own engine has deployed, or the sandbox does not start.
    """
    cli = find_cli(checkout)
    checkout.prepare()
    with locked(checkout.command_lock, busy=busy()), interruptible():
        refuse_another(checkout, Engine.PULUMI)
        lost = Start(checkout=checkout, tell=console.note).client().serve()
        workspace = prepared(checkout, cli)
    if lost:
        console.note("The emulated AWS ended without saving its state: run `pulumi refresh` first.")
    ports = remembered(checkout)
    for name, value in workspace.variables(ports.providers if ports else 0).items():
        console.say(f"export {name}={shlex.quote(value)}")
    console.say(f'export PATH={shlex.quote(str(workspace.programs))}:"$PATH"')
    return Exit.OK


def prepared(checkout: Checkout, cli: Path) -> Workspace:
    """The folder of the real engine, with all that a CLI needs there.

    Raises:
        QuintetError: Pulumi.yaml is wrong, or the CLI cannot make the stack.
    """
    # Here, as they take a tenth of a second that `up` with the sandbox's own engine does without.
    from quintet.project import Project, ProjectError  # noqa: PLC0415
    from quintet.sandbox.events import explain  # noqa: PLC0415

    try:
        return Workspace.prepare(checkout, Project.load(checkout.root), cli)
    except ProjectError as error:
        raise explain(error, checkout, told=(ProjectError,)) from error
