import json

import pytest

from quintet import console
from quintet.errors import Exit, QuintetError

LONG = "http://127.0.0.1:4566/_aws/execute-api/0123456789/" + "a" * 200


def test_a_piped_table_is_aligned_and_never_wrapped(capsys):
    console.table(("SERVICE", "URL"), [("moderation", LONG), ("x", "short")])

    assert capsys.readouterr().out.splitlines() == ["SERVICE     URL", f"moderation  {LONG}", "x           short"]


def test_a_terminal_gets_colours_and_a_pipe_does_not(capsys, monkeypatch: pytest.MonkeyPatch):
    console.table(("STATE",), [("healthy",)])
    piped = capsys.readouterr().out
    monkeypatch.setattr(console, "on_a_terminal", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console.terminal.cache_clear()

    console.table(("STATE",), [("healthy",)])

    assert "\x1b[" not in piped
    assert "\x1b[" in capsys.readouterr().out
    console.terminal.cache_clear()


def test_markup_in_a_cell_is_text(capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(console, "on_a_terminal", lambda: True)
    console.terminal.cache_clear()

    console.table(("CHANGED",), [("[red]tags[/red]",)])

    assert "[red]tags[/red]" in capsys.readouterr().out
    console.terminal.cache_clear()


def test_a_failure_for_machines_is_json_with_its_details(capsys):
    error = QuintetError("no", advice="yes", exit_code=Exit.PORT_IN_USE, details={"checks": []})

    console.fail(error, machine=True)

    expected = {"error": {"message": "no", "advice": "yes", "exit_code": 3}, "checks": []}
    assert json.loads(capsys.readouterr().out) == expected


def test_durations_keep_the_decimals_that_matter():
    assert [console.seconds(value) for value in (0.4213, 12.34)] == ["0.42 s", "12.3 s"]
