"""Runs a policy pack for the Pulumi CLI: `pulumi preview --policy-pack stacks/policy`."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import IO

from pulumi.runtime.proto.language_pb2 import RunPluginResponse


def run_pack(
    folder: str,
    arguments: Sequence[str],
    *,
    cwd: str,
    environment: Mapping[str, str],
    on_cancel: Callable[[Callable[[], None]], object],
) -> Iterator[RunPluginResponse]:
    """Start the pack with this interpreter and tell what it writes, line by line, then its exit status.

    Args:
        folder: The pack's, which has a `__main__.py`.
        arguments: For it: the address of the engine.
        cwd: Where it runs.
        environment: Its environment.
        on_cancel: Takes what ends the pack; the CLI cancels when it is done.

    Yields:
        A line of its output or errors, at last its status.
    """
    process = subprocess.Popen(  # noqa: S603  the pack that the user names on the command line
        [sys.executable, "-u", folder, *arguments],
        cwd=cwd,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    on_cancel(process.kill)
    lines: SimpleQueue[RunPluginResponse | None] = SimpleQueue()

    def forward(stream: IO[bytes] | None, response: Callable[[bytes], RunPluginResponse]) -> None:
        for line in stream or ():
            lines.put(response(line))
        lines.put(None)

    streams = (
        (process.stdout, lambda line: RunPluginResponse(stdout=line)),
        (process.stderr, lambda line: RunPluginResponse(stderr=line)),
    )
    for given in streams:
        threading.Thread(target=forward, args=given, name="policy-pack", daemon=True).start()
    for _ in streams:
        while (line := lines.get()) is not None:
            yield line
    yield RunPluginResponse(exitcode=process.wait())
