"""One live sandbox for all system tests, in a copy of the checkout: nobody's own sandbox is touched."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.ports import free_port
from tests.quintet.small_checkout import SmallCheckout

# What a user's `git clone` brings that `quintet up` needs.
PARTS = ("quintet", "services", "stacks", "models/moderation", "models/sentiment", "requirements")
EDITABLE = ("services", "stacks")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".quintet")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one group: one worker has the sandbox."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.xdist_group("system"))
            item.add_marker(pytest.mark.timeout(300))


@dataclass
class LiveCheckout(SmallCheckout):
    """A copy of the repository with a sandbox of its own."""

    origin: Path = Path()

    @classmethod
    def copy(cls, origin: Path, root: Path) -> "LiveCheckout":
        for part in PARTS:
            shutil.copytree(origin / part, root / part, ignore=_NOT_COPIED)
        for path in (*origin.glob("Pulumi*.yaml"), origin / "pyproject.toml"):
            shutil.copy(path, root / path.name)
        return cls(root, free_port(), origin)

    def restore(self) -> None:
        """Undoes the edits of a test."""
        for part in EDITABLE:
            shutil.rmtree(self.root / part)
            shutil.copytree(self.origin / part, self.root / part, ignore=_NOT_COPIED)
        for path in self.origin.glob("Pulumi*.yaml"):
            shutil.copy(path, self.root / path.name)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text, f"{path} has changed: {old!r} is not in it"
        (self.root / path).write_text(text.replace(old, new))

    def configure(self, key: str, value: str) -> None:
        with (self.root / "Pulumi.sandbox.yaml").open("a") as file:
            file.write(f"  quintet:{key}: {value}\n")

    def up_json(self) -> dict[str, Any]:
        up = self.up("--json")
        assert up.returncode == 0, up.stdout + up.stderr
        return json.loads(up.stdout)

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--json").stdout)

    def outputs(self) -> dict[str, Any]:
        return json.loads((self.home / "state.json").read_text())["outputs"]

    def url(self, service: str) -> str:
        """The address of a service, with a slash at the end."""
        return self.status()["services"][service]["url"].rstrip("/") + "/"

    def client(self, service: str) -> Any:
        url, region = self.status()["aws"]["endpoint_url"], self.status()["aws"]["region"]
        return boto3.client(
            service, endpoint_url=url, region_name=region, aws_access_key_id="test", aws_secret_access_key="test"
        )


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[LiveCheckout]:
    checkout = LiveCheckout.copy(repository, tmp_path_factory.mktemp("live") / "checkout")
    yield checkout
    checkout.remove()


@pytest.fixture
def live(sandbox: LiveCheckout) -> Iterator[LiveCheckout]:
    """The sandbox, up and as the repository says; edits are undone afterwards."""
    up = sandbox.up()
    assert up.returncode == 0, up.stdout + up.stderr
    yield sandbox
    sandbox.restore()


@pytest.fixture
def stopped(sandbox: LiveCheckout) -> Iterator[LiveCheckout]:
    """The checkout with nothing running."""
    sandbox.run("down")
    yield sandbox
    sandbox.restore()


def interrupt(command: "subprocess.Popen[str]") -> tuple[str, str]:
    """Ctrl-C, and what the command still says."""
    command.send_signal(signal.SIGINT)
    return command.communicate(timeout=90)
