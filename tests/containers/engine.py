"""A container engine of the tests' own: a Docker daemon that shares nothing with one that this machine may have."""

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

import psutil

START_SECONDS = 30.0
STOP_SECONDS = 30.0
_DRIVERS = ("overlay2", "vfs")
"""What keeps the layers; the second one where the kernel cannot lay the first over this machine's own disk."""


_ENOUGH_MEMORY = 6 * 1024**3
"""Free memory, in bytes, from which on everything is kept there: a slow disk makes these tests four times as long."""


class EngineError(Exception):
    """The daemon did not start, or a command of it failed; the message holds what it said."""


class Engine:
    """One `dockerd`, with its socket and everything it keeps in a folder that `stop` removes."""

    def __init__(self, dockerd: str) -> None:
        """Describes it; `start` starts it.

        Args:
            dockerd: The daemon's path. The client installed with it is used: one elsewhere may be too new for it.
        """
        self._dockerd = dockerd
        beside = Path(dockerd).resolve().parent
        found = shutil.which("docker", path=f"{beside}:{beside.parent / 'bin'}")
        if found is None:
            raise EngineError(f"there is no docker that belongs to {dockerd}")
        self.client = Path(found)
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path()
        self._changed = itertools.count()

    @property
    def environment(self) -> dict[str, str]:
        """For any client of this daemon; nothing of the user's own Docker configuration is read."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        return kept | {
            "PATH": f"{self.client.parent}:{os.environ['PATH']}",
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_BUILDKIT": "1",
        }

    def start(self) -> None:
        """Starts the daemon; raises `EngineError` with the end of its log."""
        self.folder = Path(tempfile.mkdtemp(prefix="quintet-docker-"))
        if psutil.virtual_memory().available > _ENOUGH_MEMORY:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "quintet-docker", self.folder], check=True)
        for driver in _DRIVERS:
            self._spawn(driver)
            if self._answers():
                return
        log = (self.folder / "log").read_text(errors="replace")
        self.stop()
        raise EngineError(f"dockerd did not start:\n{log[-2000:]}")

    def stop(self) -> None:
        """Ends the daemon, and with it its containers, and removes what it kept."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        # The network namespace of `--network host` stays mounted when the daemon has ended.
        for place in reversed([path for path in mounted if Path(path).is_relative_to(self.folder)]):
            subprocess.run(["umount", place], check=True)
        shutil.rmtree(self.folder)

    def run(
        self, *arguments: str, stdin: IO[bytes] | None = None, check: bool = True, seconds: float | None = 300
    ) -> str:
        """What one `docker` command prints; raises `EngineError` with all that it said when it fails."""
        done = subprocess.run(
            [str(self.client), *arguments],
            env=self.environment,
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise EngineError(f"docker {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def logs(self, container: str) -> str:
        """What a container has written to stdout and stderr."""
        command = [str(self.client), "logs", container]
        done = subprocess.run(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        return done.stdout

    def build(self, folder: Path, tag: str) -> None:
        """Builds the Dockerfile of a folder."""
        self.run("build", "--network", "host", "--tag", tag, str(folder))

    def build_upon(self, tag: str, folder: Path, *instructions: str) -> str:
        """Builds an image after some instructions more, as root; its name."""
        (folder / "Dockerfile").write_text("\n".join([f"FROM {tag}", "USER 0", *instructions]))
        built = f"changed:{next(self._changed)}"
        self.build(folder, built)
        return built

    def _spawn(self, driver: str) -> None:
        place = self.folder
        command = [
            # It ends with this process, also when this one is killed.
            *("setpriv", "--pdeathsig", "TERM"),
            *(self._dockerd, "--host", f"unix://{place}/docker.sock", "--data-root", f"{place}/data"),
            *("--exec-root", f"{place}/exec", "--pidfile", f"{place}/pid", "--storage-driver", driver),
            *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"),
        ]
        with (place / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while self._process and self._process.poll() is None and time.monotonic() < deadline:
            if "Server Version" in self.run("info", check=False):
                return True
            time.sleep(0.05)
        return False
