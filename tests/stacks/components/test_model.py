import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.sandbox.engine.recording import Recording
from stacks.components.bucket import Bucket
from stacks.components.model import ModelError, ModelFiles, PublishedModel, publish_model
from tests.stacks.declaring import Declare

OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"


def published(declare: Declare, directory: Path) -> tuple[Recording, PublishedModel]:
    found: list[PublishedModel] = []

    def program() -> None:
        found.append(publish_model("moderation", directory, bucket=Bucket("models")))

    return declare(program), found[0]


def test_a_model_lies_under_its_name_and_version(declare: Declare, model_directory: Path) -> None:
    recording, model = published(declare, model_directory)

    keys = {item.inputs["key"] for item in recording.of(OBJECT)}
    assert model.prefix == "moderation/1.2.0/"
    assert keys == {f"moderation/1.2.0/{name}" for name in ("model.onnx", "tokenizer.json", "manifest.json")}


def test_the_manifest_comes_after_every_file_and_they_after_the_bucket_is_safe(
    declare: Declare, model_directory: Path
) -> None:
    recording, _ = published(declare, model_directory)

    by_file = {item.inputs["key"].rpartition("/")[2]: item for item in recording.of(OBJECT)}
    files = {by_file["model.onnx"].urn, by_file["tokenizer.json"].urn}
    assert files <= set(by_file["manifest.json"].dependencies)
    policy = recording.one("aws:s3/bucketPolicy:BucketPolicy").urn
    assert policy in by_file["model.onnx"].dependencies


def test_a_published_version_is_never_taken_away(declare: Declare, model_directory: Path) -> None:
    recording, _ = published(declare, model_directory)

    assert all(item.options.retain_on_delete for item in recording.of(OBJECT))


def test_a_change_of_a_file_is_seen_by_its_checksum(declare: Declare, model_directory: Path) -> None:
    recording, _ = published(declare, model_directory)

    weights = next(item for item in recording.of(OBJECT) if item.inputs["key"].endswith("model.onnx"))
    assert weights.inputs["sourceHash"] == "a" * 64
    assert weights.inputs["contentType"] == "application/octet-stream"


def changed(directory: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    return directory


def test_a_folder_without_a_manifest_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.json is missing\. Fetch"):
        ModelFiles.read(tmp_path)


def test_every_file_that_is_missing_or_cut_is_named(model_directory: Path) -> None:
    (model_directory / "model.onnx").unlink()
    (model_directory / "tokenizer.json").write_text("{} ")

    with pytest.raises(ModelError) as refused:
        ModelFiles.read(model_directory)

    assert "model.onnx is missing" in str(refused.value)
    assert "tokenizer.json has 3 bytes, the manifest says 2" in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("version"),
        lambda manifest: manifest.pop("files"),
        lambda manifest: manifest.update(files=["model.onnx"]),
        lambda manifest: manifest["files"]["model.onnx"].pop("bytes"),
    ],
)
def test_a_manifest_that_says_too_little_is_refused(model_directory: Path, change: Callable[[Any], None]) -> None:
    with pytest.raises(ModelError, match="is no manifest"):
        ModelFiles.read(changed(model_directory, change))


def test_a_manifest_that_is_no_json_is_refused(model_directory: Path) -> None:
    (model_directory / "manifest.json").write_text("weights")

    with pytest.raises(ModelError, match="is no manifest"):
        ModelFiles.read(model_directory)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(files={}),
        lambda manifest: manifest.update(version="1/2"),
        lambda manifest: manifest.update(version=""),
        lambda manifest: manifest["files"].update({"../secret": {"sha256": "", "bytes": 0}}),
    ],
)
def test_a_manifest_that_leads_outside_is_refused(model_directory: Path, change: Callable[[Any], None]) -> None:
    with pytest.raises(ModelError, match="cannot be keys in a bucket"):
        ModelFiles.read(changed(model_directory, change))
