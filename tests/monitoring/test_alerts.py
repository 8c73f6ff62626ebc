"""Every alert fires when it should, and not otherwise: by Prometheus's own tool."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.promtool import Case, cases, write_test

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def promtool(tool: Callable[..., str]) -> Run:
    program = tool("promtool", package="prometheus")

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

    return run


def test_the_rules_are_rules(promtool: Run, rules: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rules))

    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", path)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"SUCCESS: {len(rules['groups'][0]['rules'])} rules found" in checked.stdout


def test_a_rule_that_is_none_is_told(promtool: Run, rules: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rules).replace("sum by (pod) (", "sum by (pod) ((", 1))

    checked = promtool("check", "rules", path)

    assert checked.returncode != 0
    assert "could not parse expression" in checked.stderr


@pytest.mark.parametrize("case", cases(), ids=str)
def test_alert(promtool: Run, rules: dict[str, Any], tmp_path: Path, case: Case) -> None:
    tested = promtool("test", "rules", write_test(tmp_path, rules, case))

    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_opposite_would_be_told(promtool: Run, rules: dict[str, Any], tmp_path: Path, case: Case) -> None:
    opposite = Case(case.alert, case.name, case.series, case.at, [] if case.fires else [{}])

    tested = promtool("test", "rules", write_test(tmp_path, rules, opposite))

    assert tested.returncode != 0
    assert case.alert in tested.stdout + tested.stderr


def test_every_alert_is_seen_firing_and_not(rules: dict[str, Any]) -> None:
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

    assert {case.alert for case in cases() if case.fires} == names
    assert {case.alert for case in cases() if not case.fires} == names


def test_every_alert_says_what_to_do(rules: dict[str, Any]) -> None:
    for rule in rules["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert {"summary", "description"} <= rule["annotations"].keys()
