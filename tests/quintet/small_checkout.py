"""A checkout with a program of a few lines: everything real, and up within two seconds."""

import os
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.ports import free_port

PROJECT = """
name: quintet
runtime: python
main: stacks/
config:
  pulumi:autonaming:
    value: {pattern: "${project}-${stack}-${name}-${hex(8)}"}
  moderation: {type: boolean, default: true}
  wish: {type: string, default: ""}
"""

BUCKET = """
import pulumi
import pulumi_aws as aws
bucket = aws.s3.Bucket("data")
pulumi.export("endpoints", {})
"""


@dataclass
class SmallCheckout:
    root: Path
    port: int

    @classmethod
    def make(cls, root: Path, program: str = BUCKET) -> "SmallCheckout":
        checkout = cls(root, free_port())
        (root / "stacks").mkdir(parents=True)
        (root / "Pulumi.yaml").write_text(PROJECT)
        (root / "Pulumi.sandbox.yaml").write_text("config: {}\n")
        checkout.program(program)
        return checkout

    @property
    def home(self) -> Path:
        return self.root / ".quintet"

    def program(self, text: str) -> None:
        (self.root / "stacks" / "__main__.py").write_text(textwrap.dedent(text))

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "quintet", *arguments],
            cwd=self.root,
            env={**os.environ, "COLUMNS": "200", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, **environment)
        output, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def up(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return self.run("up", "--port", str(self.port), *arguments, **environment)

    def processes(self) -> list[psutil.Process]:
        """All that the sandbox of this checkout started and that still runs."""
        return [process for process in psutil.process_iter() if _belongs(process, str(self.root))]

    def wait_for_no_process(self, seconds: float = 25.0) -> list[psutil.Process]:
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def remove(self) -> None:
        self.run("down", "--purge")
        for process in self.processes():
            process.kill()


def _belongs(process: psutil.Process, root: str) -> bool:
    """Whether a process works in the checkout or names it: the daemon, the emulator and the functions all do."""
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = [process.cwd(), *process.cmdline(), *process.environ().values()]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(word == root or word.startswith(f"{root}/") for word in words)
