"""Runs a Pulumi program in this process as the Python language host does: by path, in its folder, every time anew."""

import asyncio
import importlib
import logging
import os
import runpy
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from pulumi import runtime
from pulumi.runtime.stack import run_in_stack

from quintet.sandbox.engine.monitor import Monitor
from quintet.sandbox.engine.places import Places

_LOG = logging.getLogger(__name__)
_WORKERS = 16  # registrations wait in threads; asyncio's default of CPUs + 4 would make them queue on a small machine
_ONE_PROGRAM = threading.Lock()  # the working directory, sys.path and sys.modules belong to the whole process


def run_program(monitor: Monitor, config: Mapping[str, str], secret_keys: frozenset[str], organization: str) -> None:
    """Run the monitor's program to its end, everything it registers included.

    A thread of its own gives it an event loop and context variables (where the SDK keeps its settings) that nothing
    else sees. One program runs at a time in a process; another one waits.

    Args:
        monitor: Receives what the program declares.
        config: Configuration with namespaced keys.
        secret_keys: Which of them are secret.
        organization: What the program is told as its organization.

    Raises:
        SandboxError: The first failure the monitor met, or the program's own with the line it came from.
    """
    raised: list[BaseException] = []
    places = Places(monitor.program)

    def body() -> None:
        # The SDK takes addresses, and any object that answers as a stub would.
        here = cast("Any", monitor)
        runtime.reset_options(
            project=monitor.project,
            stack=monitor.stack,
            root_directory=str(monitor.program),
            engine_address=here,
            monitor_address=here,
            preview=monitor.preview,
            organization=organization,
        )
        runtime.set_all_config(dict(config), sorted(secret_keys))
        try:
            with surroundings(monitor.program):
                run_to_the_end(monitor.program, places)
        except BaseException as error:  # noqa: BLE001  a thread's end: told to the one who waits for it
            raised.append(error)

    with _ONE_PROGRAM:
        thread = threading.Thread(target=body, name="pulumi-program", daemon=True)
        thread.start()
        thread.join()
    if monitor.progress.first_failure is not None:
        raise monitor.progress.first_failure
    if raised:
        raise places.told(raised[0]) from raised[0]


def run_to_the_end(program: Path, places: Places) -> None:
    """Run a program's folder on an event loop of its own until all that it registered is done.

    The Pulumi runtime is configured already, in this thread's context.
    """

    def without_result() -> None:
        runpy.run_path(str(program), run_name="__main__")

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.set_default_executor(ThreadPoolExecutor(_WORKERS, thread_name_prefix="pulumi"))
        loop.set_task_factory(places.task_factory)
        # After the first failure, which is raised, everything that waited for it fails too.
        loop.set_exception_handler(lambda _loop, context: _LOG.debug("%s", context["message"]))
        runner.run(run_in_stack(without_result))


@contextmanager
def surroundings(folder: Path) -> Iterator[None]:
    """The working directory and import path of the program, and none of its modules from an earlier run."""
    before, path = Path.cwd(), list(sys.path)
    set_aside = _drop_modules(folder)
    _drop_stale_bytecode(folder)
    importlib.invalidate_caches()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        _drop_modules(folder)
        sys.modules.update(set_aside)


def _drop_modules(folder: Path) -> dict[str, ModuleType]:
    """Take the program's modules out of `sys.modules`: those of its files, and its package by name."""
    package = folder.name if (folder / "__init__.py").is_file() else None
    inside = f"{folder}{os.sep}"
    names = [
        name
        for name, module in list(sys.modules.items())
        if name != "__main__"
        and ((getattr(module, "__file__", None) or "").startswith(inside) or name.partition(".")[0] == package)
    ]
    return {name: sys.modules.pop(name) for name in names}


def _drop_stale_bytecode(folder: Path) -> None:
    """Remove bytecode older than its source.

    Python itself compares whole seconds and sizes, so it would take an edit within the second of the last run, of
    the same length, for no edit.
    """
    for source in folder.rglob("*.py"):
        bytecode = Path(cache_from_source(str(source)))
        if bytecode.is_file() and bytecode.stat().st_mtime_ns < source.stat().st_mtime_ns:
            bytecode.unlink(missing_ok=True)
