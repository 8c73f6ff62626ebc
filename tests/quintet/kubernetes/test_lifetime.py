"""Nothing of a cluster outlives the sandbox, even one that is killed."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.quintet.kubernetes.conftest import eventually

# One container starts a child in its session and one that leaves it; the other writes over its environment, as nginx.
FAMILY = """
import ctypes, os, subprocess, sys, time
if sys.argv[1:] == ["hides"]:
    area = open("/proc/self/stat").read().rpartition(")")[2].split()
    start, end = int(area[47]), int(area[48])
    ctypes.memset(start, 0, end - start)
else:
    subprocess.Popen(["sleep", "600"])
    subprocess.Popen(["sleep", "600"], start_new_session=True)
print("begun", flush=True)
time.sleep(600)
"""

PARENT = """
    import asyncio, sys, time
    from datetime import UTC, datetime, timedelta
    from pathlib import Path

    import psutil
    from quintet.sandbox.functions import Credentials
    from quintet.sandbox.images import Image
    from quintet.sandbox.kubernetes.cluster import Cluster

    FOLDER = Path(sys.argv[1])

    def deployment(name, *arguments):
        container = {"name": "a", "image": "a@b", "command": ["python", "-m", "family", *arguments]}
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        return {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }

    async def main():
        cluster = Cluster(
            images=lambda reference: Image("d", FOLDER, FOLDER, {}, (), ()), assume=lambda role, session: None,
            endpoint_url="http://127.0.0.1:9", region="r", scratch=FOLDER / "scratch", logs=FOLDER / "logs",
        )
        await cluster.start()
        await asyncio.to_thread(cluster.apply, deployment("family"))
        await asyncio.to_thread(cluster.apply, deployment("hidden", "hides"))
        while (FOLDER / "logs" / "family.log").read_text().count("begun") < 1 or "begun" not in (
            FOLDER / "logs" / "hidden.log"
        ).read_text():
            await asyncio.sleep(0.02)
        print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True)
        await asyncio.sleep(600)

    asyncio.run(main())
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """A process that runs a cluster, and the pids of all that must go with it."""
    (tmp_path / "family.py").write_text(FAMILY)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    yield process, [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    process.communicate()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_killing_the_sandbox_outright_leaves_nothing(parent: tuple) -> None:
    process, pids = parent
    assert len(pids) == 5, "two containers, two children of one, the watchdog"
    assert all(map(alive, pids))

    process.send_signal(signal.SIGKILL)
    process.wait()

    await eventually(lambda: not any(map(alive, pids)))


def test_a_container_that_hides_its_environment_is_told_by_its_session(parent: tuple) -> None:
    _, pids = parent
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in pids]

    assert sum(b"QUINTET_SANDBOX=" in environment for environment in environments) == 3
