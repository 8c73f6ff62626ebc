import json
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.sandbox.engine.recorded_functions import FUNCTIONS
from quintet.sandbox.engine.recording import Recording
from stacks import base_images
from stacks.base_images import BaseImage, BaseImageError, lookup, main, read_pins, write_pins

DIGEST = f"sha256:{'d' * 64}"
LOOKUP = "docker:index/getRegistryImage:getRegistryImage"


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "pins.json"
    path.write_text(json.dumps({"python": {"image": "example/python", "tag": "3.12", "digest": None}}))
    return path


def test_an_image_is_named_by_digest_where_there_is_one() -> None:
    assert BaseImage("example/python", "3.12", DIGEST).reference == f"example/python:3.12@{DIGEST}"
    assert BaseImage("example/python", "3.12", None).reference == "example/python:3.12"


def test_the_repository_names_the_base_of_its_functions() -> None:
    assert read_pins()["lambda-python"].tag.startswith("3.")


def test_new_digests_are_written_and_told(pins: Path) -> None:
    assert write_pins({"python": DIGEST}, pins) == ["python"]

    assert read_pins(pins)["python"] == BaseImage("example/python", "3.12", DIGEST)
    assert write_pins({"python": DIGEST}, pins) == []


def test_what_is_no_digest_is_not_written(pins: Path) -> None:
    before = pins.read_text()

    with pytest.raises(BaseImageError, match="'latest', not a digest"):
        write_pins({"python": "latest"}, pins)

    assert pins.read_text() == before


@pytest.mark.parametrize("text", ["", "[]", '{"python": {"image": "x"}}', '{"python": 1}'])
def test_a_broken_file_says_how_it_should_look(pins: Path, text: str) -> None:
    pins.write_text(text)

    with pytest.raises(BaseImageError, match="cannot be read"):
        read_pins(pins)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BaseImageError, match="cannot be read"):
        read_pins(tmp_path / "none.json")


def test_the_look_up_asks_each_registry_without_a_docker_daemon(
    declare: Callable[..., Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setitem(
        FUNCTIONS, LOOKUP, lambda _place, given: asked.append(given["name"]) or {"sha256Digest": DIGEST, "id": DIGEST}
    )

    recording = declare(lookup)

    assert asked == [f"{pin.image}:{pin.tag}" for pin in read_pins().values()]
    assert recording.outputs == dict.fromkeys(read_pins(), DIGEST)
    assert recording.one("pulumi:providers:docker").inputs["disableDockerDaemonCheck"] == "true"


def test_without_the_cli_the_command_says_so_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = base_images.PINS.read_text()

    assert main() == 1

    assert "there is no `pulumi` on the PATH" in capsys.readouterr().err
    assert base_images.PINS.read_text() == before


def test_a_registry_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cli = tmp_path / "pulumi"
    cli.write_text('#!/bin/sh\n[ "$1" = version ] && echo v3.250.0 && exit 0\necho no such registry >&2\nexit 1\n')
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert main() == 1

    assert "The registries could not be asked" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "told"), [(["python"], "pinned anew: python"), ([], "every pin is what its tag is")]
)
def test_the_command_tells_what_it_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changed: list[str], told: str
) -> None:
    monkeypatch.setattr(base_images, "look_up_digests", lambda: {"python": DIGEST})
    monkeypatch.setattr(base_images, "write_pins", lambda _digests: changed)

    assert main() == 0

    assert told in capsys.readouterr().out
