"""Locks of the Pulumi CLI: those of a killed one are removed, those of a living one are heeded."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.sandbox.real import locks


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path, tmp_path / ".quintet")


def lock(checkout: Checkout, pid: int, *, host: str = platform.node(), at: datetime | None = None) -> Path:
    path = checkout.pulumi / ".pulumi" / "locks" / "organization" / "quintet" / "sandbox" / "1.json"
    path.parent.mkdir(parents=True)
    # Nanoseconds, as Go writes them.
    stamp = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
    path.write_text(json.dumps({"pid": pid, "username": "me", "hostname": host, "timestamp": stamp}))
    return path


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_killed_cli_is_removed_and_told(checkout: Checkout):
    pid = ended_pid()
    path = lock(checkout, pid)

    assert locks.heal(checkout) == [pid]
    assert not path.exists()


def test_the_lock_of_a_pid_that_was_given_to_another_process_is_removed(checkout: Checkout):
    path = lock(checkout, os.getpid(), at=datetime.now(UTC) - timedelta(days=1))

    assert locks.heal(checkout) == [os.getpid()]
    assert not path.exists()


def test_the_lock_of_a_working_cli_is_heeded_and_its_process_named(checkout: Checkout):
    path = lock(checkout, os.getpid())

    for ask in (locks.heal, locks.refuse_while_held):
        with pytest.raises(QuintetError, match=f"pid {os.getpid()}") as refused:
            ask(checkout)
        assert refused.value.exit_code is Exit.BUSY
    assert path.exists()


def test_the_lock_of_another_machine_is_heeded_and_pulumi_cancel_is_told(checkout: Checkout):
    lock(checkout, ended_pid(), host="elsewhere")

    with pytest.raises(QuintetError, match="elsewhere") as refused:
        locks.heal(checkout)

    assert "pulumi cancel" in refused.value.advice


def test_a_lock_that_was_cut_off_when_it_was_written_is_removed(checkout: Checkout):
    lock(checkout, 1).write_text("")

    locks.heal(checkout)

    assert list(checkout.pulumi.glob("**/*.json")) == []


def test_where_no_cli_ever_ran_there_is_nothing_to_heal(checkout: Checkout):
    assert locks.heal(checkout) == []
    locks.refuse_while_held(checkout)
