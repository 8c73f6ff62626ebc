"""The real Pulumi engine on a sandbox of its own: plain `pulumi` commands in a shell that took `quintet env`."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from quintet.checkout import Checkout
from quintet.files import read_json
from quintet.sandbox.engines import Engine, owner
from quintet.sandbox.ports import choose
from quintet.sandbox.real.workspace import SALT
from tests.quintet.small_checkout import SmallCheckout
from tests.system.conftest import LiveCheckout

NOT_TRACKED = {".quintet", "__pycache__"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of a file in one group: one worker has the sandbox."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.xdist_group(f"engine {item.path.stem}"))
            item.add_marker(pytest.mark.timeout(300))


def _clean() -> dict[str, str]:
    """A user's variables: the virtual environment is active, nothing leads to another sandbox or Pulumi."""
    others = ("QUINTET_", "PULUMI_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {**kept, "PATH": os.pathsep.join((str(Path(sys.executable).parent), kept["PATH"]))}


@dataclass
class Shell:
    """A user's shell in a checkout.

    Attributes:
        checkout: Where.
        environment: Its variables.
    """

    checkout: SmallCheckout
    environment: dict[str, str] = field(default_factory=_clean)

    @property
    def place(self) -> Checkout:
        return Checkout(self.checkout.root, self.checkout.home)

    def keep_ports_free(self) -> None:
        """Ports for this checkout alone; `quintet env` would begin at the one that the others want, too."""
        self.place.prepare()
        choose(self.place, self.checkout.port)

    def take_env(self) -> None:
        """`eval "$(quintet env)"`, whose variables hold for all that follows."""
        self.environment = _clean()
        taken = self.run('eval "$(quintet env)"; env -0')
        assert taken.returncode == 0, taken.stderr
        self.environment = dict(line.split("=", 1) for line in taken.stdout.split("\0") if line)

    def start(self, script: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.checkout.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(script)
        output, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess(script, process.returncode, output, errors)

    def pulumi(self, arguments: str) -> "subprocess.CompletedProcess[str]":
        """`pulumi` with arguments; it must succeed."""
        done = self.run(f"exec pulumi {arguments} --non-interactive")
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def planned(self) -> set[tuple[str, str]]:
        """Operation and type of what a preview would change."""
        steps = json.loads(self.pulumi("preview --json").stdout).get("steps", [])
        return {(step["op"], step["urn"].split("::")[2].rpartition("$")[2]) for step in steps if step["op"] != "same"}

    def change(self, command: str) -> dict[str, int]:
        """Runs `up`, `refresh` or `destroy`; resources by operation."""
        lines = self.pulumi(f"{command} --yes --skip-preview --json").stdout.splitlines()
        summaries = [event["summaryEvent"] for line in lines if "summaryEvent" in (event := json.loads(line))]
        return dict(summaries[-1]["resourceChanges"])

    def state(self) -> list[dict[str, Any]]:
        """What the real engine remembers; nothing before it has made its stack."""
        path = self.checkout.home / "pulumi" / ".pulumi" / "stacks" / "quintet" / "sandbox.json"
        content = read_json(path) or {}
        return list((content.get("checkpoint", {}).get("latest") or {}).get("resources", []))

    def tracked(self) -> dict[str, str]:
        """A checksum of every file that a user would have from git."""
        files = (path for path in self.checkout.root.rglob("*") if path.is_file())
        mine = (path for path in files if not NOT_TRACKED & set(path.relative_to(self.checkout.root).parts))
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in mine}


@pytest.fixture(scope="session")
def pulumi_cli(tool: Callable[[str], str]) -> Path:
    """The folder of the Pulumi CLI."""
    return Path(tool("pulumi")).parent


@pytest.fixture(scope="session")
def session(
    pulumi_cli: Path, tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> Iterator[tuple[LiveCheckout, Shell]]:
    checkout = LiveCheckout.copy(repository, tmp_path_factory.mktemp("engine") / "checkout")
    shutil.copytree(repository / "tools", checkout.root / "tools")
    shell = Shell(checkout)
    shell.keep_ports_free()
    yield checkout, shell
    checkout.remove()


@pytest.fixture
def live(session: tuple[LiveCheckout, Shell]) -> Iterator[LiveCheckout]:
    """A checkout with the repository's own program; edits are undone afterwards."""
    checkout, _ = session
    yield checkout
    checkout.restore()


@pytest.fixture
def shell(session: tuple[LiveCheckout, Shell], live: LiveCheckout) -> Shell:
    """A shell there."""
    return session[1]


@pytest.fixture
def empty(shell: Shell) -> Shell:
    """A sandbox that runs and in which nothing is deployed."""
    _leave_the_other_engine(shell)
    if owner(shell.place) is Engine.PULUMI:
        shell.change("destroy")
    return shell


@pytest.fixture
def deployed(shell: Shell) -> Shell:
    """A sandbox in which the real engine has deployed the repository's program."""
    _leave_the_other_engine(shell)
    shell.change("up")
    return shell


def _leave_the_other_engine(shell: Shell) -> None:
    if owner(shell.place) is Engine.SANDBOX:
        shell.checkout.run("down", "--purge")
        shell.keep_ports_free()
    shell.take_env()


@pytest.fixture
def small(pulumi_cli: Path, tmp_path: Path) -> Iterator[Shell]:
    """A checkout with a program of a few lines."""
    checkout = SmallCheckout.make(tmp_path / "checkout")
    (checkout.root / "Pulumi.sandbox.yaml").write_text(f"encryptionsalt: {SALT}\n")
    shell = Shell(checkout)
    shell.keep_ports_free()
    shell.take_env()
    yield shell
    checkout.remove()
