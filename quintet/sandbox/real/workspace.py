"""Where the real engine works: `.quintet/pulumi`, its programs, its configuration, the variables that lead it there."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import quintet
from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.sandbox.ports import HOST
from quintet.sandbox.real.checkpoint import Checkpoint
from quintet.sandbox.summary import STACK

if TYPE_CHECKING:
    from quintet.project import Project

SALT = "v1:e589mm7JVEQ=:v1:O9A3/srPUmk4GReA:dPbuBVFo4ahN0Q9HSh/Guw2+BFrXFQ=="
"""What the CLI checks the passphrase by, made for the empty one; Pulumi.sandbox.yaml has the same.

With it in the file the CLI has nothing to write there. The sandbox's state lies in a folder of mode 0700 on the
machine that runs it, and no secret of another stack is ever in it.
"""

PROVIDERS_VARIABLE = "PULUMI_DEBUG_PROVIDERS"
_CLI, _HOST_PROGRAM = "pulumi", "pulumi-language-python"
_LOGS_MB = "10"
"""The CLI keeps an encrypted log of every command."""

_COMMAND_SECONDS = 60
_CONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class Workspace:
    """The real engine's folder of a checkout.

    Attributes:
        checkout: Whose.
        programs: The folder that has both `pulumi` and a language host, to be put on PATH.
    """

    checkout: Checkout
    programs: Path

    @classmethod
    def prepare(cls, checkout: Checkout, project: Project, cli: Path) -> Workspace:
        """Make what is missing: a CLI with a language host beside it, and the stack.

        Args:
            checkout: Where.
            project: Whose stack.
            cli: The CLI that `find_cli` has found.

        Raises:
            QuintetError: The CLI cannot make the stack.
        """
        checkout.pulumi.mkdir(mode=0o700, parents=True, exist_ok=True)
        workspace = cls(checkout, _programs(checkout, cli))
        if not Checkpoint.of(checkout).exists:
            workspace._make_stack(project)
        return workspace

    @property
    def executable(self) -> Path:
        """The CLI."""
        return self.programs / _CLI

    @property
    def config(self) -> Path:
        """The configuration of `quintet up --engine pulumi`: the stack's, and what the command line adds."""
        return self.checkout.pulumi / f"Pulumi.{STACK}.yaml"

    def variables(self, port: int) -> dict[str, str]:
        """What leads the CLI to this sandbox and to nothing else.

        Args:
            port: Where the sandbox answers as the provider of every package.
        """
        return {
            "PULUMI_HOME": str(self.checkout.pulumi / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.checkout.pulumi}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_STACK": STACK,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_LOG_ROTATION_MAX_TOTAL_MB": _LOGS_MB,
            PROVIDERS_VARIABLE: ",".join(f"{package}:{port}" for package in _packages()),
        }

    def environment(self, port: int) -> dict[str, str]:
        """The environment of a CLI that this program starts; nothing of the user's own Pulumi is in it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
        path = f"{self.programs}{os.pathsep}{kept.get('PATH', os.defpath)}"
        return {**kept, **self.variables(port), "PATH": path}

    def configure(self, project: Project, overrides: Mapping[str, Any]) -> None:
        """Write the configuration of one deployment; the tracked file stays as it is.

        Raises:
            ProjectError: A key is not declared, or the stack has no file.
        """
        import yaml  # noqa: PLC0415  the sandbox's process alone comes here, commands do without

        project.refuse_undeclared(STACK)
        content = yaml.safe_load((self.checkout.root / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8")) or {}
        given = {project.namespaced(key): value for key, value in (content.get("config") or {}).items()}
        given |= {project.namespaced(key): value for key, value in overrides.items()}
        merged = {"encryptionsalt": SALT, **content, "config": given}
        self.config.write_text(yaml.safe_dump(merged, sort_keys=False), encoding="utf-8")

    def _make_stack(self, project: Project) -> None:
        """`pulumi stack init` rewrites the stack's file, so that happens in a folder beside."""
        folder = self.checkout.pulumi / "init"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(f"name: {project.name}\nruntime: python\n")
        (folder / f"Pulumi.{STACK}.yaml").write_text(f"encryptionsalt: {SALT}\n")
        command = [str(self.executable), "stack", "init", STACK, "--non-interactive", "--cwd", str(folder)]
        done = subprocess.run(  # noqa: S603 - the CLI that was found, arguments of our own
            command, env=self.environment(0), capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
        )
        shutil.rmtree(folder)
        if done.returncode:
            raise QuintetError(f"`pulumi stack init {STACK}` failed: {done.stderr.strip()}")


def find_cli(checkout: Checkout) -> Path:
    """The CLI, by the one script that knows where it may be and which version will do.

    Raises:
        QuintetError: There is none, or only one that is too old.
    """
    script = checkout.root / "tools" / "build-tools"
    if not script.exists():
        script = Path(quintet.__file__).resolve().parents[1] / "tools" / "build-tools"
    found = subprocess.run([script, "--path"], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if found.returncode:
        raise QuintetError(
            f"The real Pulumi engine is the Pulumi CLI: {found.stderr.strip().removeprefix('quintet: ')}.",
            advice="`quintet up` without `--engine pulumi` needs none.",
            exit_code=Exit.TOOL_MISSING,
        )
    return Path(found.stdout.strip()) / _CLI


def providers_answer() -> bool:
    """Whether what `PULUMI_DEBUG_PROVIDERS` of this process names is there."""
    port = os.environ.get(PROVIDERS_VARIABLE, "").rpartition(":")[2]
    try:
        socket.create_connection((HOST, int(port or 0)), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _programs(checkout: Checkout, installed: Path) -> Path:
    """The folder of the installed CLI, where that has a language host; else one of ours with both.

    The CLI warns about a language host that lies anywhere but beside itself, and a link to it does not count.
    """
    if (installed.resolve().parent / _HOST_PROGRAM).exists():
        return installed.parent
    folder = checkout.pulumi / "bin"
    folder.mkdir(exist_ok=True)
    _link(installed.resolve(), folder / _CLI)
    code_root = Path(quintet.__file__).resolve().parents[1]
    paths = os.pathsep.join(dict.fromkeys((str(checkout.root), str(code_root))))
    (folder / _HOST_PROGRAM).write_text(
        f"#!/bin/sh\nPYTHONPATH={shlex.quote(paths)} exec {shlex.quote(sys.executable)}"
        ' -m quintet.sandbox.real.language_host "$@"\n'
    )
    (folder / _HOST_PROGRAM).chmod(0o755)
    return folder


def _link(program: Path, link: Path) -> None:
    if link.exists() and link.stat().st_size == program.stat().st_size:
        return
    link.unlink(missing_ok=True)
    try:
        link.hardlink_to(program)
    except OSError:  # another file system
        shutil.copy2(program, link)


def _packages() -> list[str]:
    """The packages whose SDKs are installed, which are those that a program can use."""
    plugins = {plugin for entry in sys.path if entry for plugin in Path(entry).glob("pulumi_*/pulumi-plugin.json")}
    described = [json.loads(plugin.read_text()) for plugin in plugins]
    return sorted({plugin["name"] for plugin in described if plugin.get("resource")})
