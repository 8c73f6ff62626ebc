"""What happens before and around a command."""

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quintet import __main__ as start
from quintet import cli
from quintet.errors import Exit, QuintetError


def test_an_old_python_is_refused_with_what_to_install():
    message = start.refusal((3, 10, 4), "/usr/bin/python3")

    assert message is not None
    assert "needs Python 3.11 or newer; /usr/bin/python3 is Python 3.10" in message
    assert "make install PYTHON=" in message


def test_a_python_that_will_do_is_not_refused():
    assert start.refusal((3, 11, 0), "python") is None


def test_an_old_python_ends_the_command_with_its_own_code(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(start, "MINIMUM", (99, 0))

    with pytest.raises(SystemExit) as ended:
        start.main()

    assert ended.value.code == Exit.WRONG_PYTHON
    assert "needs Python 99.0" in capsys.readouterr().err


def test_the_first_file_can_be_read_by_an_old_python():
    source = Path(start.__file__).read_text()

    ast.parse(source, feature_version=(3, 7))
    assert not [line for line in source.splitlines() if line.startswith(("from quintet", "import quintet"))]


def test_a_mistake_of_quintet_is_one_line_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys):
    def broken() -> None:
        raise RuntimeError("a screw is loose")

    monkeypatch.setattr(cli, "app", broken)

    with pytest.raises(SystemExit) as ended:
        cli.main()

    told = capsys.readouterr().err
    assert ended.value.code == Exit.INTERNAL
    assert "error: RuntimeError: a screw is loose" in told
    assert "QUINTET_DEBUG=1" in told
    assert "Traceback" not in told


def test_an_error_ends_the_command_with_its_code_and_advice(monkeypatch: pytest.MonkeyPatch, capsys):
    def refuse() -> None:
        raise QuintetError("the door is shut", advice="Open it.", exit_code=Exit.BUSY)

    monkeypatch.setattr(cli, "app", refuse)

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == Exit.BUSY
    assert capsys.readouterr().err == "error: the door is shut\nOpen it.\n"


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(errno.ENOSPC, Exit.NO_SPACE, "no space left"), (errno.EACCES, Exit.FAILED, "Permission denied")],
)
def test_what_the_system_refuses_is_told(number: int, code: Exit, word: str, monkeypatch: pytest.MonkeyPatch, capsys):
    def refused() -> None:
        raise OSError(number, os.strerror(number), "/somewhere/.quintet")

    monkeypatch.setattr(cli, "app", refused)

    with pytest.raises(SystemExit) as ended:
        cli.main()

    told = capsys.readouterr().err
    assert ended.value.code == code
    assert word in told
    assert "/somewhere/.quintet" in told
    assert "QUINTET_HOME" in told


def test_a_reader_that_leaves_hears_nothing_more(tmp_path: Path):
    logs = tmp_path / ".quintet" / "logs"
    logs.mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").write_text("name: quintet\n")
    (logs / "emulator.log").write_text("2026-11-20 10:00:00,000 line\n" * 20_000)
    reading, writing = os.pipe()
    command = subprocess.Popen(
        [sys.executable, "-m", "quintet", "logs"], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)

    os.read(reading, 10)
    os.close(reading)
    _, errors = command.communicate(timeout=30)

    assert (command.returncode, errors) == (1, "")
