"""The command's side of the daemon: start it, ask it, end it. Imports little, so that `quintet status` is quick."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import psutil

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.files import is_locked
from quintet.sandbox.ports import HOST
from quintet.sandbox.record import Record

Event = dict[str, Any]

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
_LOG_BYTES = 10_000_000
_ANSWER_SECONDS = 10.0
_SETTLE_SECONDS = 30.0
_SERVE_SECONDS = 60.0
"""The emulated AWS may have to start."""
_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_KEPT_FROM_THE_DAEMON = ("AWS_", "PULUMI_", "BOTO_", "MINISTACK_")
"""Prefixes of variables that would reach a real account, another state or another emulator from the sandbox."""


class DaemonGoneError(QuintetError):
    """The daemon ended while it was asked something."""


class Client:
    """Talks with a running daemon."""

    def __init__(self, checkout: Checkout, record: Record) -> None:
        self.checkout = checkout
        self.record = record

    @classmethod
    def find(cls, checkout: Checkout) -> Client | None:
        """The client of the checkout's daemon, or None when none runs; waits for one that is just starting."""
        deadline = time.monotonic() + _START_SECONDS
        record = Record.of(checkout)
        while record is None and is_locked(checkout.daemon_lock) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            record = Record.of(checkout)
        return cls(checkout, record) if record else None

    def status(self) -> Event:
        """What runs, as `quintet status --json` prints it.

        Raises:
            DaemonGoneError: It ended meanwhile, or does not answer.
        """
        answer = json.loads(self._ask("GET", "/status", timeout=_ANSWER_SECONDS).read())
        return dict(answer)

    def endpoint_url(self) -> str | None:
        """The address of the emulated AWS, or None while it does not run."""
        answer = json.loads(self._ask("GET", "/endpoint", timeout=_ANSWER_SECONDS).read())
        return str(answer["url"]) if answer["url"] else None

    def settle(self) -> None:
        """Waits until the functions have finished what they do after their answers.

        Raises:
            DaemonGoneError: It ended meanwhile, or does not answer.
        """
        self._ask("POST", "/settle", timeout=_SETTLE_SECONDS).read()

    def serve(self) -> bool:
        """Has the sandbox answer the real engine, and what that needs started.

        Returns:
            Whether resources may be gone, so that the engine should refresh.

        Raises:
            QuintetError: It cannot.
        """
        answer = json.loads(self._ask("POST", "/serve", timeout=_SERVE_SECONDS).read())
        return bool(answer["lost"])

    def up(self, request: Event) -> Iterator[Event]:
        """Deploys and yields what happens, one event at a time; "done" or "error" is the last, unless the daemon ends.

        Raises:
            DaemonGoneError: It ended on the way.
        """
        response = self._ask("POST", "/up", request, timeout=None)
        try:
            for line in response:
                yield json.loads(line)
        except (OSError, HTTPException, ValueError) as error:
            raise self.gone() from error

    def stop(self) -> None:
        """Ends the daemon and all that it started; by force when it does not in thirty seconds."""
        process = self.record.process()
        if process is None:
            return
        family = [process, *_descendants(process)]
        try:
            self._ask("POST", "/stop", timeout=_ANSWER_SECONDS).read()
        except QuintetError:
            _signal(process, signal.SIGTERM)
        end(family, patience_seconds=_STOP_SECONDS)

    def _ask(self, method: str, path: str, body: Event | None = None, *, timeout: float | None) -> HTTPResponse:
        connection = HTTPConnection(HOST, self.record.port, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.record.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body or {}), headers)
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            raise self.gone() from error
        if response.status >= 400:  # noqa: PLR2004 - HTTP's own border
            raise _refusal(response)
        return response

    def gone(self) -> DaemonGoneError:
        """What to raise when it ended without having answered to the end."""
        log = self.checkout.logs / "daemon.log"
        return DaemonGoneError(
            "The sandbox's process ended or does not answer." + last_lines(log, 5),
            advice=f"Its log is {log}. `quintet up` starts it again and repairs what is missing.",
        )


def _refusal(response: HTTPResponse) -> QuintetError:
    try:
        told = json.loads(response.read())
        return QuintetError(told["message"], advice=told["advice"], exit_code=Exit(told["exit_code"]))
    except (ValueError, KeyError, TypeError):
        return QuintetError(f"The sandbox's process answered with HTTP {response.status}.", exit_code=Exit.INTERNAL)


def launch(checkout: Checkout) -> Client:
    """Starts the checkout's daemon as a process of its own that outlives this one, and waits until it answers.

    Raises:
        QuintetError: It ended at once or said nothing in thirty seconds; the message holds its last words.
    """
    # A Ctrl-C between the fork and the assignment would lose the process. The daemon unblocks them for itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    process = None
    try:
        process = _spawn(checkout)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # one that came meanwhile is raised here
        return _await_record(checkout, process)
    except BaseException:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # nor may a second one keep us from this
        if process and process.poll() is None:
            end([psutil.Process(process.pid)], patience_seconds=0)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spawn(checkout: Checkout) -> subprocess.Popen[bytes]:
    log = checkout.logs / "daemon.log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_KEPT_FROM_THE_DAEMON)}
    code_root = str(Path(__file__).resolve().parents[2])
    environment = {**kept, "PYTHONPATH": os.pathsep.join(dict.fromkeys((str(checkout.root), code_root)))}
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "quintet.sandbox.daemon", str(checkout.root), str(checkout.home)],
            cwd=checkout.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _await_record(checkout: Checkout, process: subprocess.Popen[bytes]) -> Client:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        record = Record.of(checkout)
        if record and record.pid == process.pid:
            return Client(checkout, record)
        time.sleep(_POLL_SECONDS)
    log = checkout.logs / "daemon.log"
    ended = process.poll()
    what = f"did not answer in {_START_SECONDS:.0f} s" if ended is None else f"ended at once with status {ended}"
    raise QuintetError(f"The sandbox's process {what}.{last_lines(log, 8)}", advice=f"Its log is {log}.")


def last_lines(path: Path, count: int) -> str:
    """The end of a log, indented below a message; empty when there is none."""
    try:
        lines = path.read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return ""
    return "".join(f"\n    {line}" for line in lines)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def end(processes: list[psutil.Process], *, patience_seconds: float) -> None:
    """Waits until the processes have ended; kills those, and all that they started, that have not in time."""
    _, alive = psutil.wait_procs(processes, timeout=patience_seconds)
    stubborn = list({process.pid: process for one in alive for process in (one, *_descendants(one))}.values())
    for process in stubborn:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=5)
