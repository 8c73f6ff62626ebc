"""Starts and stops the emulated AWS (ministack) as a child process, and says clearly why it could not."""

import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from quintet.errors import Exit, QuintetError
from quintet.sandbox import calls, listeners
from quintet.sandbox.ports import HOST, holder

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROOT_KEY = "test"
"""Access key and secret of the account's root, which IAM never refuses."""

START_SECONDS = 30.0
SAVE_SECONDS = 20.0
"""How long it may take to save its state before it is killed."""

LOG_BYTES = 10_000_000
LOG_LINES_SHOWN = 15
FREE_BYTES = 20_000_000
"""Free disk space below which nothing is started: the emulator would lose what it cannot save."""

_POLL_SECONDS = 0.02
_NO_LIFESPAN = b"continuing without Lifespan support"
"""What its HTTP server says when ministack's start failed: it goes on, without what was to be loaded and saved."""

_NOT_LOADED = re.compile(rb"Persistence: failed to load|continuing fresh")
_STOPPING = b"MiniStack shutting down"
_NOT_SAVED = re.compile(rb"Persistence: (failed to save|error getting state)")


class EmulatorError(QuintetError):
    """The emulated AWS could not be started, or ended by itself."""


class Emulator:
    """One ministack process on 127.0.0.1; its state lies in `<home>/emulator` and `<home>/s3`.

    It ends, and saves its state, with the process that started it, however that one ends.

    Attributes:
        port: Where it answers.
        url: `http://127.0.0.1:<port>`.
        log: What it prints.
        unclean: Known after `start`: the last run did not end by saving its state, or that could not be loaded, so
            resources may be gone.
    """

    def __init__(self, home: Path, port: int, *, lambda_front: str = "", region: str = REGION) -> None:
        """Prepare an emulator.

        Args:
            home: The sandbox's folder, `.quintet`.
            port: Where to answer.
            lambda_front: URL that runs functions of package type Image.
            region: The one region.
        """
        self.home = home
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.region = region
        self.log = home / "logs" / "emulator.log"
        self.unclean = False
        self._lambda_front = lambda_front
        self._state = home / "emulator"
        self._unsaved = self._state / "unsaved"
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether the process that `start` began still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process while it is known, else None."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            EmulatorError: The port is in use, the disk is full, or it ended or stayed silent; the message has the
                last lines of its log.
        """
        self._require_free_port()
        try:
            self._prepare_folders()
            self._process = self._spawn()
        except OSError as error:
            raise _disk_error(self.home, error) from error
        try:
            self._wait_until_it_answers()
        except BaseException:
            self._kill()
            raise

    def stop(self) -> bool:
        """End it, giving it time to save its state; whether it did. One that does not run has nothing to save."""
        if self._process is None or self._process.poll() is not None:
            return not self._unsaved.exists()
        self._process.terminate()
        try:
            self._process.wait(SAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            return False
        last_words = self._log_since_start().rpartition(_STOPPING)[2]
        if self._process.returncode not in {0, -signal.SIGTERM} or _NOT_SAVED.search(last_words):
            return False
        self._unsaved.unlink(missing_ok=True)
        return True

    def last_lines(self, count: int = LOG_LINES_SHOWN) -> str:
        """The end of its log."""
        lines = self._log_since_start().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-count:])

    def _require_free_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self.port))
            except OSError:
                raise EmulatorError(
                    f"Port {self.port} is in use by {holder(self.port)}.",
                    advice="Stop that process, or choose another port: `quintet up --port N`.",
                    exit_code=Exit.PORT_IN_USE,
                ) from None

    def _prepare_folders(self) -> None:
        for folder in (self._state / "tmp", self.home / "s3", self.log.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self.home).free < FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self.unclean = self._unsaved.exists()
        self._unsaved.write_text("Removed when the emulator has saved its state.\n")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "quintet.sandbox.emulator_process"],
                env=self._environment(),
                cwd=self._state,
                stdin=subprocess.PIPE,  # closed by the kernel when this process ends: then the emulator ends, too
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        """A clean one: an AWS_ACCESS_KEY_ID of the user's would become the emulator's root key."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if name in os.environ}
        return kept | {
            "PYTHONUNBUFFERED": "1",
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": self.region,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._state),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.home / "s3"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "TMPDIR": str(self._state / "tmp"),
            "DOCKER_HOST": f"unix://{self._state}/no-docker",  # it would tidy up containers of this machine
            "MINISTACK_LAMBDA_FRONT": self._lambda_front,
            "QUINTET_LISTENERS": str(self.home / listeners.FILE),
            "QUINTET_DENIALS": str(self.log.parent / "denials.jsonl"),
            **({"QUINTET_CALLS": str(self.log.parent / calls.FILE)} if calls.wanted() else {}),
        }

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            while time.monotonic() < deadline:
                answered = _healthy(client, self.url)
                if not self.alive:
                    raise self._ended()
                if _NO_LIFESPAN in self._log_since_start():
                    raise self._error("it could not load its state, and would not save it either")
                if answered and self._listens():
                    self.unclean = self.unclean or _NOT_LOADED.search(self._log_since_start()) is not None
                    return
                time.sleep(_POLL_SECONDS)
        raise self._error(f"it did not answer on port {self.port} within {START_SECONDS:.0f} s")

    def _listens(self) -> bool:
        """Whether the answer was ours: another process may have taken the port after it was found free."""
        listening = psutil.Process(self.pid).net_connections("tcp")
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == self.port for each in listening)

    def _ended(self) -> EmulatorError:
        if b"No space left on device" in self._log_since_start():
            return _disk_error(self.home, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        code = self._process.returncode if self._process else None
        return self._error(f"it ended with exit code {code} before it answered")

    def _error(self, reason: str) -> EmulatorError:
        return EmulatorError(
            f"The emulated AWS did not start: {reason}. The end of its log:\n{self.last_lines() or '(empty)'}",
            advice=f"The whole log is {self.log}.",
            exit_code=Exit.EMULATOR_DIED,
        )

    def _log_since_start(self) -> bytes:
        if not self.log.exists():
            return b""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read()

    def _kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _healthy(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/_ministack/health").is_success
    except httpx.HTTPError:
        return False


def _disk_error(home: Path, error: OSError) -> EmulatorError:
    if error.errno != errno.ENOSPC:
        return EmulatorError(
            f"The sandbox cannot write to {home}: {error.strerror}.",
            advice="Make the folder writable, or name another in QUINTET_HOME.",
        )
    free = shutil.disk_usage(home).free // 1_000_000 if home.exists() else 0
    return EmulatorError(
        f"No space left: {free} MB are free on the disk of {home}, the sandbox needs {FREE_BYTES // 1_000_000} MB.",
        advice="Free some space, or name a folder on another disk in QUINTET_HOME.",
        exit_code=Exit.NO_SPACE,
    )
