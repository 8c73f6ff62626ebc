"""Unit tests of alerts, in the form that promtool runs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent / "alerts.yaml"
OWN = {"namespace": "quintet-prod-sentiment", "job": "sentiment", "pod": "a", "variant": "stable"}
"""What the ServiceMonitor gives every series."""


@dataclass(frozen=True)
class Case:
    """What one alert does in one situation.

    Attributes:
        alert: Its name.
        name: The situation.
        series: Values by series, without the labels that all have.
        at: When it is looked at.
        fires: The labels of each that fires, beside those of the rule.
    """

    alert: str
    name: str
    series: dict[str, str]
    at: str
    fires: list[dict[str, str]]

    def __post_init__(self) -> None:
        wrong = [name for name, values in self.series.items() if not isinstance(values, str)]
        assert not wrong, f"{self}: {wrong} need quotes: YAML reads 0x100 as a number"

    def __str__(self) -> str:
        return f"{self.alert}: {self.name}"

    def test(self, rule: dict[str, Any]) -> dict[str, Any]:
        """As promtool has it."""
        alerts = [
            {
                "exp_labels": rule["labels"] | labels,
                "exp_annotations": {name: _filled(text, labels) for name, text in rule["annotations"].items()},
            }
            for labels in self.fires
        ]
        return {
            "name": str(self),
            "interval": "15s",
            "input_series": [{"series": _complete(name), "values": values} for name, values in self.series.items()],
            "alert_rule_test": [{"eval_time": self.at, "alertname": self.alert, "exp_alerts": alerts}],
        }


def cases() -> list[Case]:
    return [Case(**entry) for entry in yaml.safe_load(FILE.read_text())]


def write_test(folder: Path, spec: dict[str, Any], case: Case) -> Path:
    """The rules and the test of one case, as files."""
    [rule] = [rule for group in spec["groups"] for rule in group["rules"] if rule["alert"] == case.alert]
    (folder / "rules.yaml").write_text(yaml.safe_dump(spec))
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [case.test(rule)]}
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _complete(series: str) -> str:
    name, _, given = series.removesuffix("}").partition("{")
    more = [f'{label}="{value}"' for label, value in OWN.items() if not re.search(rf"\b{label}=", given)]
    return f"{name}{{{','.join([*filter(None, [given]), *more])}}}"


def _filled(text: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels.get(found[1], ""), text)
