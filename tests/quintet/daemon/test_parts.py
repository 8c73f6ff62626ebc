"""The parts of the daemon and its client that need no process of their own."""

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from aiohttp.test_utils import TestClient, TestServer

from quintet.checkout import Checkout
from quintet.commands.progress import Progress, summary
from quintet.errors import Exit, QuintetError
from quintet.project import Project
from quintet.sandbox.control import Control
from quintet.sandbox.engine import ResourceFailedError
from quintet.sandbox.events import Event, as_error, explain, failure, phase
from quintet.sandbox.fingerprint import fingerprint
from quintet.sandbox.record import Record
from quintet.sandbox.selection import overrides
from quintet.sandbox.summary import document, keep, stopped

TOKEN = "a-token"
URN = "urn:pulumi:sandbox::quintet::aws:s3/bucket:Bucket::data"


class SlowSandbox:
    """Deploys for as long as the test wants."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.finished = asyncio.Event()

    async def up(self, request: Event, emit) -> None:
        emit(phase("Deploying"))
        await self.go_on.wait()
        self.finished.set()

    async def status(self) -> Event:
        return {"stack": "sandbox"}

    endpoint_url = ""

    async def settle(self) -> None:
        """Never works."""


@pytest.fixture
async def sandbox() -> SlowSandbox:
    return SlowSandbox()


@pytest.fixture
async def control(sandbox: SlowSandbox) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(Control(sandbox, TOKEN).application())) as client:
        yield client


HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    found = Checkout(tmp_path, tmp_path / ".quintet")
    found.prepare()
    return found


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
@pytest.mark.parametrize("path", ["/status", "/up", "/stop", "/settle"])
async def test_nothing_is_told_without_the_token(control: TestClient, header: dict[str, str], path: str):
    answer = await control.request("GET" if path == "/status" else "POST", path, headers=header, json={})

    assert answer.status == 401


async def test_a_second_deployment_is_refused_while_one_runs(control: TestClient, sandbox: SlowSandbox):
    first = await control.post("/up", headers=HEADERS, json={"services": []})
    await first.content.readline()

    second = await control.post("/up", headers=HEADERS, json={"services": []})

    assert second.status == 409
    assert (await second.json())["exit_code"] == Exit.BUSY
    sandbox.go_on.set()
    await first.read()


async def test_a_deployment_goes_on_when_nobody_listens_any_more(control: TestClient, sandbox: SlowSandbox):
    answer = await control.post("/up", headers=HEADERS, json={"services": []})
    await answer.content.readline()

    answer.close()
    sandbox.go_on.set()
    async with asyncio.timeout(5):
        await sandbox.finished.wait()

    assert (await control.get("/status", headers=HEADERS)).status == 200


async def test_events_come_one_a_line(control: TestClient, sandbox: SlowSandbox):
    sandbox.go_on.set()

    answer = await control.post("/up", headers=HEADERS, json={"services": []})

    assert json.loads((await answer.read()).splitlines()[0]) == {"event": "phase", "text": "Deploying"}


async def test_a_stopping_daemon_begins_nothing(control: TestClient):
    await control.post("/stop", headers=HEADERS)

    answer = await control.post("/up", headers=HEADERS, json={"services": []})

    assert (await answer.json())["message"] == "The sandbox of this checkout is stopping."


def test_a_record_is_of_the_process_that_wrote_it(checkout: Checkout):
    Record.mine(1, TOKEN, "code").write(checkout)

    found = Record.of(checkout)

    assert found is not None
    assert (found.pid, found.port, found.token) == (os.getpid(), 1, TOKEN)


def test_a_pid_that_was_given_to_another_process_is_stale(checkout: Checkout):
    started = psutil.Process().create_time()
    Record(os.getpid(), started - 60, 1, TOKEN, "code").write(checkout)

    assert Record.of(checkout) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_an_unreadable_record_is_none(checkout: Checkout, content: str):
    checkout.record.write_text(content)

    assert Record.of(checkout) is None


def test_the_fingerprint_changes_with_the_code(tmp_path: Path):
    (tmp_path / "module.py").write_text("a = 1\n")
    before = fingerprint(tmp_path)
    (tmp_path / "module.py").write_text("a = 2\n")

    assert fingerprint(tmp_path) != before
    assert fingerprint(tmp_path) == fingerprint(tmp_path)


def test_a_full_disk_is_recognised_wherever_it_shows(checkout: Checkout):
    full = ResourceFailedError(URN, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    told = explain(full, checkout, told=(ResourceFailedError,))

    assert told.exit_code is Exit.NO_SPACE
    assert str(checkout.home) in told.message


def test_an_error_travels_as_an_event_and_comes_back(checkout: Checkout):
    error = QuintetError("no", advice="yes", exit_code=Exit.PORT_IN_USE)

    back = as_error(json.loads(json.dumps(failure(error))))

    assert (back.message, back.advice, back.exit_code) == ("no", "yes", Exit.PORT_IN_USE)


def test_a_mistake_of_the_sandbox_names_the_log(checkout: Checkout):
    told = explain(RuntimeError("loose"), checkout, told=())

    assert told.message == "RuntimeError: loose"
    assert "daemon.log" in told.advice


def test_the_status_has_exactly_the_shape_that_others_read():
    services = {"moderation": {"url": "http://127.0.0.1:4566/x/", "state": "healthy"}}

    told = document("http://127.0.0.1:4566", "us-east-1", services, ["b", "a"])

    assert told == {
        "stack": "sandbox",
        "aws": {"endpoint_url": "http://127.0.0.1:4566", "region": "us-east-1"},
        "services": {"moderation": {"url": "http://127.0.0.1:4566/x/", "state": "healthy"}},
        "declared_only": ["a", "b"],
    }


def test_without_a_sandbox_every_service_is_stopped(checkout: Checkout):
    service = {"url": "http://127.0.0.1:4566/x/", "state": "unhealthy", "reason": "tired"}
    keep(checkout, document("http://127.0.0.1:4566", "us-east-1", {"moderation": service}, []))

    told = stopped(checkout)

    assert told["services"] == {"moderation": {"url": "http://127.0.0.1:4566/x/", "state": "stopped"}}


def project(folder: Path) -> Project:
    (folder / "Pulumi.yaml").write_text("name: quintet\nconfig:\n  moderation: {type: boolean, default: true}\n")
    return Project.load(folder)


def test_named_services_and_those_that_are_up_are_turned_on(tmp_path: Path):
    assert overrides(project(tmp_path), ["moderation"], present=()) == {"moderation": True}


def test_without_names_the_configuration_of_the_stack_holds(tmp_path: Path):
    assert overrides(project(tmp_path), [], present=("moderation",)) == {}


def test_a_service_that_no_setting_turns_on_is_refused(tmp_path: Path):
    with pytest.raises(QuintetError, match="no setting that turns captioning on"):
        overrides(project(tmp_path), ["captioning"], present=())


def test_counts_read_as_a_phrase():
    assert summary({"create": 2, "same": 3, "read": 9}) == "2 created, 3 unchanged"
    assert summary({"read": 9}) == "0 changes"


def test_in_a_pipe_each_finished_resource_is_a_line(capsys):
    event = {"event": "resource", "urn": URN, "type": "aws:s3/bucket:Bucket", "name": "data", "changed": ["tags"],
             "error": None, "seconds": 0.25}  # fmt: skip
    with Progress() as progress:
        progress.show({**event, "operation": "update", "done": False})
        progress.show({**event, "operation": "update", "done": True})
        progress.show({**event, "operation": "same", "done": True})

    assert capsys.readouterr().out == "update   aws:s3/bucket:Bucket  data  0.25 s  (tags)\n"
