"""A project of its own for each test: a program in a temporary folder, a fake cloud, a state file."""

import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quintet.project import Project
from quintet.sandbox.engine import Deployment, Outcome, ResourceEvent, State
from tests.quintet.engine.fake_cloud import FakeCloud

PROJECT_FILE = """
name: shop
runtime: python
main: program/
config:
  pulumi:autonaming:
    value: {pattern: "${project}-${stack}-${name}-${hex(8)}"}
  greeting: {type: string, default: hello, description: what topics are called}
"""
IMPORTS = "import pulumi\nimport pulumi_aws as aws\nfrom pulumi import ResourceOptions\n"


@dataclass
class Bench:
    """Writes programs and deploys them."""

    root: Path
    cloud: FakeCloud = field(default_factory=FakeCloud)
    events: list[ResourceEvent] = field(default_factory=list)

    @property
    def state_path(self) -> Path:
        return self.root / ".quintet" / "state.json"

    @property
    def state(self) -> State:
        return State.load(self.state_path)

    def write(self, program: str, **modules: str) -> None:
        folder = self.root / "program"
        folder.mkdir(exist_ok=True)
        (folder / "__main__.py").write_text(IMPORTS + textwrap.dedent(program))
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source))

    def deployment(self, *, preview: bool = False, stack: str = "dev", **overrides: object) -> Deployment:
        self.events.clear()
        return Deployment(
            self.cloud,
            self.state,
            Project.load(self.root),
            stack,
            preview=preview,
            on_event=self.events.append,
            overrides=overrides,
        )

    def up(self, program: str | None = None, **overrides: object) -> Outcome:
        if program is not None:
            self.write(program)
        self.cloud.calls.clear()
        return self.deployment(**overrides).run()

    def preview(self, program: str | None = None) -> Outcome:
        if program is not None:
            self.write(program)
        self.cloud.calls.clear()
        return self.deployment(preview=True).run()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT_FILE)
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  shop:greeting: welcome\n")
    return Bench(tmp_path)
