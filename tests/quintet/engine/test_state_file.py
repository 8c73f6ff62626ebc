"""State files that cannot be trusted are refused."""

from pathlib import Path

import pytest

from quintet.sandbox.engine import State, StateError


def test_a_missing_file_is_an_empty_state(tmp_path: Path) -> None:
    assert State.load(tmp_path / "state.json").resources == {}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"version": "one"}', '{"version": 1, "resources": [{"urn": 3}]}']
)
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)

    with pytest.raises(StateError, match=r"state\.json is damaged.*`quintet up --fresh`"):
        State.load(path)


def test_what_a_damaged_file_holds_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"version": 1, "resources": [{"urn": "u", "type": "t", "name": "n", "inputs": "geheim"}]}')

    with pytest.raises(StateError) as caught:
        State.load(path)

    assert "geheim" not in str(caught.value)


def test_a_file_of_a_newer_quintet_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"version": 99}')

    with pytest.raises(StateError, match=r"format 99.*update Quintet"):
        State.load(path)
