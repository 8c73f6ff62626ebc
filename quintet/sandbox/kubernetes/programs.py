"""What a container's command is here: the checkout's Python, the machine's nginx, or another program of it."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quintet.sandbox.kubernetes.environment import PATH
from quintet.sandbox.kubernetes.errors import KubernetesError

_PYTHON = re.compile(r"python(3(\.\d+)?)?")
NGINX = "nginx"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command as this machine runs it.

    Attributes:
        command: Program and arguments.
        stop_signal: What asks it to end.
        is_nginx: Whether it is nginx, whose configuration has to be translated.
        note: What people should know of it.
    """

    command: tuple[str, ...]
    stop_signal: signal.Signals = signal.SIGTERM
    is_nginx: bool = False
    note: str = ""


def program(command: Sequence[str], *, tree: Path, interpreter: Path, local: Callable[[str], str]) -> Program:
    """Find what plays the part of a container's command.

    Args:
        command: As declared, not empty.
        tree: The image's files.
        interpreter: The Python of the images.
        local: A path of the container as one of this machine.

    Raises:
        KubernetesError: This machine has no such program.
    """
    name, arguments = command[0], [local(word) for word in command[1:]]
    base = name.rpartition("/")[2]
    if base == NGINX:
        # The official images say STOPSIGNAL SIGQUIT: finish what is under way, then end.
        return Program(command=(NGINX, *arguments), stop_signal=signal.SIGQUIT, is_nginx=True)
    if _PYTHON.fullmatch(base):
        return Program(command=(str(interpreter), *arguments))
    return Program(command=(_found(name, tree), *arguments))


def _found(name: str, tree: Path) -> str:
    inside = tree / name.lstrip("/")
    if name.startswith("/") and inside.is_file():
        return str(inside)
    found = name if name.startswith("/") and Path(name).is_file() else shutil.which(name, path=PATH)
    if found is None:
        raise KubernetesError(
            f'exec: "{name}": executable file not found in $PATH: neither the image nor this machine has it'
        )
    return found
