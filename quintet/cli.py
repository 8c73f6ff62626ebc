"""The command `quintet`. Each command imports what it needs when it runs, so that help and status are quick."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quintet import console
from quintet.errors import Exit, QuintetError, of_the_system
from quintet.sandbox.engines import Engine

_EXIT_CODES = (
    "Exit codes: 0 done, 1 a deployment or a check failed, 2 wrong usage, 3 the port is in use, 4 no space left, "
    "5 the emulated AWS ended by itself, 6 a model's files are missing, 7 another command works on this checkout, "
    "8 Python is too old, 9 a needed program is not installed, 10 a rollout was rolled back, 70 a mistake in quintet, "
    "130 interrupted."
)
# Without rich's markup the help is plain text, which keeps the examples as they are and starts twice as fast.
app = typer.Typer(
    name="quintet",
    help="Runs the services of this repository on this machine, and tries them anywhere.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Services = Annotated[list[str] | None, typer.Argument(metavar="SERVICE", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Stack = Annotated[str, typer.Option(metavar="NAME", help="The stack.")]
Service = Annotated[str, typer.Argument(metavar="SERVICE", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, on a deployed stack.")]


@app.command()
def up(
    services: Services = None,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete everything the sandbox kept, then begin.")] = False,
    port: Annotated[
        int | None,
        typer.Option(min=1024, max=65535, metavar="N", help="Where to answer; kept.  [default: 4566]"),
    ] = None,
    engine: Annotated[
        Engine, typer.Option(help="Who plans and remembers: the sandbox itself, or the real Pulumi engine.")
    ] = Engine.SANDBOX,
    machine: AsJson = False,
) -> None:
    """Bring every service up, try each, and print how to call them.

    With names, only those services are brought up; what is up already stays.
    A second run changes what differs and nothing else. Ctrl-C stops everything.

    \b
    Examples:
      quintet up
      quintet up moderation
      quintet up --fresh --port 4600
      quintet up --engine pulumi
    """  # noqa: D301 - \b is typer's mark for lines that stay as they are
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.up import Up  # noqa: PLC0415

    command = Up(
        checkout=Checkout.find(), services=services or [], fresh=fresh, port=port, engine=engine, machine=machine
    )
    raise typer.Exit(command.run())


@app.command()
def env() -> None:
    """Print what lets `pulumi` work here, as lines for a shell.

    Starts the emulated AWS where it does not run, and deploys nothing. In the shell that takes the lines,
    `pulumi preview`, `up`, `refresh` and `destroy` mean the stack `sandbox`. Needs the Pulumi CLI (`make tools`).

    \b
    Examples:
      quintet env
      eval "$(quintet env)" && pulumi preview
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.env import env as run  # noqa: PLC0415

    raise typer.Exit(run(Checkout.find()))


@app.command()
def preview(*, stack: Stack = "sandbox", machine: AsJson = False) -> None:
    """Show what `up` would change; nothing has to run.

    The stack `sandbox` is compared with what is deployed here; any other is shown as if it were new.

    \b
    Examples:
      quintet preview
      quintet preview --stack dev --json
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.preview import preview as run  # noqa: PLC0415

    raise typer.Exit(run(Checkout.find(), stack=stack, machine=machine))


@app.command()
def down(
    *, purge: Annotated[bool, typer.Option("--purge", help="Also delete everything the sandbox kept.")] = False
) -> None:
    """Stop everything; the data stays for the next `quintet up`.

    \b
    Examples:
      quintet down
      quintet down --purge
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.down import down as run  # noqa: PLC0415

    raise typer.Exit(run(Checkout.find(), purge=purge))


@app.command()
def status(*, machine: AsJson = False) -> None:
    """Show which services run and where; 1 when one is unhealthy.

    \b
    Examples:
      quintet status
      quintet status --json | jq -r .services.moderation.url
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.status import status as run  # noqa: PLC0415

    raise typer.Exit(run(Checkout.find(), machine=machine))


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(show_default=False, help="All parts when left out.")] = None,
    *,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
) -> None:
    """Print what a service wrote; without a name, what everything did.

    \b
    Examples:
      quintet logs moderation
      quintet logs -f
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.logs import logs as run  # noqa: PLC0415

    raise typer.Exit(run(Checkout.find(), service, following=following))


@app.command()
def smoke(services: Services = None, *, stack: Stack = "sandbox", machine: AsJson = False) -> None:
    """Try every endpoint, here or of a deployed stack.

    \b
    Examples:
      quintet smoke
      quintet smoke moderation --json
      quintet smoke --stack staging
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.smoke import smoke as run  # noqa: PLC0415

    raise typer.Exit(run(Checkout.find(), services or [], stack=stack, machine=machine))


@app.command()
def rollout(
    service: Service,
    *,
    weight: Annotated[
        int, typer.Option(min=1, max=50, metavar="PERCENT", help="The candidate's share of the requests.")
    ] = 10,
    config: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A setting of the candidate; may be repeated.")
    ] = None,
    stack: Stack = "sandbox",
    minimum_samples: Annotated[
        int, typer.Option(min=1, metavar="N", help="Requests that each version must have answered.")
    ] = 200,
    window: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="How long both are observed at least.")
    ] = 60.0,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="How long at most; undecided then, it is rolled back.")
    ] = 300.0,
    probe: Annotated[
        float | None,
        typer.Option(min=0, max=1000, metavar="PER_SECOND", help="Our own requests.  [default: 50 in the sandbox]"),
    ] = None,
    disagreement: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Of our own texts, that may get another label.")
    ] = 0.25,
    yes: Yes = False,
    machine: AsJson = False,
) -> None:
    """Try a new version beside the live one, and judge it.

    The program as it is now is the candidate: new code, or the settings of --config. Its errors, latencies and
    predictions are compared with those of what is live: 0 when it was promoted, 10 when rolled back, as by Ctrl-C.

    \b
    Examples:
      quintet rollout sentiment
      quintet rollout sentiment --weight 25 --config sentimentModel=models/sentiment-2
      quintet rollout sentiment --stack prod --weight 5 --window 900 --timeout 3600 --yes
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.rollout import RolloutCommand  # noqa: PLC0415
    from quintet.rollout.judge import Limits  # noqa: PLC0415
    from quintet.rollout.observation import Schedule  # noqa: PLC0415

    command = RolloutCommand(
        checkout=Checkout.find(),
        service=service,
        stack=stack,
        limits=Limits(minimum_samples=minimum_samples, disagreement=disagreement),
        schedule=Schedule(window_seconds=window, timeout_seconds=timeout),
        probe=probe,
        yes=yes,
        machine=machine,
    )
    raise typer.Exit(command.run(weight, config or []))


@app.command()
def rollback(
    service: Service,
    *,
    release: Annotated[
        bool, typer.Option("--release", help="Let go of the version that a rollback holds; deploy the program's own.")
    ] = False,
    stack: Stack = "sandbox",
    yes: Yes = False,
    machine: AsJson = False,
) -> None:
    """End an interrupted rollout, or take back the last promotion.

    \b
    Examples:
      quintet rollback sentiment
      quintet rollback sentiment --stack prod --yes
      quintet rollback sentiment --release
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.rollout import RolloutCommand  # noqa: PLC0415

    command = RolloutCommand(checkout=Checkout.find(), service=service, stack=stack, yes=yes, machine=machine)
    raise typer.Exit(command.release() if release else command.back())


@app.command()
def images(
    services: Services = None,
    *,
    base_image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Build on this one instead: a mirror's, or one already here.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="Docker's --network while building; host where containers have no other."),
    ] = None,
) -> None:
    """Build the container images, with the Docker of this machine.

    The sandbox needs neither Docker nor these images.

    \b
    Examples:
      quintet images
      quintet images moderation --base-image mirror.example.com/lambda/python:3.12
    """  # noqa: D301 - as above
    from quintet.checkout import Checkout  # noqa: PLC0415
    from quintet.commands.images import images as run  # noqa: PLC0415

    raise typer.Exit(run(Checkout.find(), services or [], base_image=base_image, network=network))


def main() -> None:
    """Runs the command; whatever goes wrong is one message and an exit code."""
    try:
        app()
    except QuintetError as error:
        _leave(error)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except OSError as error:
        _leave(of_the_system(error))
    except Exception as error:  # noqa: BLE001 - the border to the user
        _leave(console.unexpected(error))


def _leave(error: QuintetError) -> None:
    console.fail(error, machine="--json" in sys.argv[1:])
    sys.exit(error.exit_code)
