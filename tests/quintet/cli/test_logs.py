import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quintet.checkout import Checkout
from quintet.errors import QuintetError
from quintet.sandbox.logs import LogReader, ending, merged

FUNCTION = "quintet-sandbox-moderation-0a1b2c3d"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.setenv("TZ", "Europe/Madrid")
    time.tzset()
    (tmp_path / "Pulumi.yaml").write_text("name: quintet\n")
    found = Checkout(tmp_path, tmp_path / ".quintet")
    found.prepare()
    # The emulator writes local time, an hour ahead of UTC in this zone; functions write UTC.
    (found.logs / "emulator.log").write_text("2026-11-20 11:00:01,500 INFO second\n  its second line\n")
    (found.logs / f"{FUNCTION}.log").write_text(
        "2026-11-20T10:00:01.000Z i-1 first\n2026-11-20T10:00:02.000Z i-1 third\n"
    )
    (found.logs / "daemon.log").write_text("")
    yield found
    monkeypatch.undo()
    time.tzset()


def test_logs_are_merged_by_time_whatever_zone_they_are_written_in(checkout: Checkout):
    texts = [line.text for line in merged(checkout, None)]

    assert texts == ["i-1 first", "INFO second", "  its second line", "i-1 third"]


def test_a_line_without_a_time_has_that_of_the_line_before(checkout: Checkout):
    lines = LogReader(checkout.logs / "emulator.log").read()

    assert {line.at for line in lines} == {datetime(2026, 11, 20, 10, 0, 1, 500_000, tzinfo=UTC)}


def test_a_service_has_the_logs_of_its_functions_alone(checkout: Checkout):
    assert {line.source for line in merged(checkout, "moderation")} == {FUNCTION}


def test_a_service_whose_name_begins_alike_is_another(checkout: Checkout):
    (checkout.logs / "quintet-sandbox-moderationx-0a1b2c3d.log").write_text("2026-11-20T10:00:03.000Z i-2 other\n")

    assert [line.text for line in merged(checkout, "moderation")] == ["i-1 first", "i-1 third"]


def test_the_ending_is_the_last_lines(checkout: Checkout):
    assert ending(checkout, "moderation", 1) == [f"2026-11-20T10:00:02.000Z {FUNCTION}: i-1 third"]


def test_the_ending_begins_with_the_last_error_for_its_traceback_may_be_long(checkout: Checkout):
    said = ["[ERROR] the one before", "[ERROR] ValidationError: a field is missing", *["  File ..."] * 30, "REPORT"]
    with (checkout.logs / f"{FUNCTION}.log").open("a") as log:
        log.writelines(f"2026-11-20T10:00:0{4 + (index > 0)}.000Z i-1 {line}\n" for index, line in enumerate(said))

    lines = ending(checkout, "moderation", 3)

    assert [line.partition("i-1 ")[2] for line in lines] == [said[1], "  File ...", "  File ..."]


def test_a_service_that_has_not_run_is_told_with_the_logs_there_are(checkout: Checkout):
    with pytest.raises(QuintetError, match="emulator") as told:
        list(merged(checkout, "captioning"))

    assert "captioning" in told.value.message


def test_half_a_line_is_read_when_it_is_whole(checkout: Checkout):
    path = checkout.logs / "daemon.log"
    reader = LogReader(path)
    path.write_text("2026-11-20 11:00:00,000 INFO ha")
    before = reader.read()

    path.write_text("2026-11-20 11:00:00,000 INFO half\n")

    assert (before, [line.text for line in reader.read()]) == ([], ["INFO half"])


def test_a_log_that_begins_anew_is_read_from_its_beginning(checkout: Checkout):
    path = checkout.logs / "daemon.log"
    path.write_text("2026-11-20 11:00:00,000 INFO a long first line\n")
    reader = LogReader(path)
    reader.read()

    path.write_text("2026-11-20 11:00:01,000 INFO new\n")

    assert [line.text for line in reader.read()] == ["INFO new"]


def test_following_shows_what_comes_until_ctrl_c(checkout: Checkout):
    command = subprocess.Popen(
        [sys.executable, "-m", "quintet", "logs", "moderation", "-f"],
        cwd=checkout.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TZ": "UTC"},
    )
    first = [command.stdout.readline(), command.stdout.readline()]

    with (checkout.logs / f"{FUNCTION}.log").open("a") as log:
        log.write("2026-11-20T10:00:09.000Z i-1 fourth\n")
    later = command.stdout.readline()
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=20)

    assert "first" in first[0]
    assert "fourth" in later
    assert (command.returncode, errors) == (130, "")
