"""A model is used only when it is, byte for byte, what was published."""

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.common import artifacts
from services.common.artifacts import UnreadableObject
from services.common.errors import ModelUnavailable
from services.common.storage import BucketReader
from tests.services.conftest import use_aws
from tests.services.tiny_model import write_model

PREFIX = "moderation/tiny-1/"


class FolderReader:
    """A store of objects that is a folder; counts what is read and can be told to cut objects short or to wait."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: list[str] = []
        self.cut: dict[str, int] = {}
        self.gate: threading.Event | None = None

    def chunks(self, key):
        name = key.removeprefix(PREFIX)
        self.read.append(name)
        try:
            content = (self.folder / name).read_bytes()
        except FileNotFoundError as error:
            raise UnreadableObject("NoSuchKey.") from error
        content = content[: self.cut.get(name, len(content))]
        for start in range(0, len(content), 100):
            yield content[start : start + 100]
        if self.gate:
            self.gate.wait(10)


@pytest.fixture
def store(tmp_path) -> FolderReader:
    return FolderReader(write_model(tmp_path / "store"))


def test_a_model_is_downloaded_verified_and_put_in_place(store, tmp_path):
    model = artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")

    assert model.manifest.version == "tiny-1"
    assert (model.folder / "model.onnx").read_bytes() == (store.folder / "model.onnx").read_bytes()
    assert names(tmp_path / "cache") == [model.folder.name]


def test_a_cached_model_is_verified_again_and_nothing_is_downloaded(store, tmp_path):
    artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")
    store.read.clear()

    model = artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")

    assert store.read == []
    assert model.manifest.version == "tiny-1"


def test_a_damaged_cache_is_downloaded_again(store, tmp_path):
    first = artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")
    damage(first.folder / "model.onnx")

    model = artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")

    assert artifacts.verify(model.folder)
    assert store.read.count("model.onnx") == 2


def test_another_version_has_a_cache_of_its_own(store, tmp_path):
    artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")

    assert artifacts.cached("moderation/tiny-2/", cache=tmp_path / "cache") is None


def test_a_file_of_another_content_is_refused_with_both_checksums(store, tmp_path):
    expected = hashlib.sha256((store.folder / "model.onnx").read_bytes()).hexdigest()
    damage(store.folder / "model.onnx")
    found = hashlib.sha256((store.folder / "model.onnx").read_bytes()).hexdigest()

    with pytest.raises(ModelUnavailable, match=rf"model\.onnx .*expected sha256 {expected}, found {found}"):
        artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")

    assert names(tmp_path / "cache") == []


def test_a_truncated_file_is_refused_with_both_sizes(store, tmp_path):
    size = (store.folder / "tokenizer.json").stat().st_size
    store.cut["tokenizer.json"] = 100

    with pytest.raises(ModelUnavailable, match=rf"tokenizer\.json is truncated: expected {size} bytes, found 100"):
        artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")


def test_a_file_longer_than_published_is_not_read_to_its_end(store, tmp_path):
    size = (store.folder / "model.onnx").stat().st_size
    with (store.folder / "model.onnx").open("ab") as file:
        file.write(b"x" * 1_000)

    with pytest.raises(ModelUnavailable, match=rf"model\.onnx is too long: expected {size} bytes at most"):
        artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(store, tmp_path, name):
    (store.folder / name).unlink()

    with pytest.raises(ModelUnavailable, match=rf"{name} cannot be read from the model store: NoSuchKey"):
        artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, "labels"),
        ({"max_length": "long"}, "max_length"),
        ({"files": {"../../etc/passwd": {"sha256": "0" * 64, "bytes": 1}}}, "files"),
        ({"files": {"model.onnx": {"sha256": "no", "bytes": 1}}}, "files.model.onnx.sha256"),
        ({"version": "a/b"}, "version"),
    ],
)
def test_a_manifest_that_is_none_says_what_is_wrong_with_it(store, tmp_path, change, message):
    path = store.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(ModelUnavailable, match=f"manifest.json is not a model's manifest: {message}"):
        artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")


def test_a_manifest_that_is_not_json_says_so(store, tmp_path):
    (store.folder / "manifest.json").write_text("<html>")

    with pytest.raises(ModelUnavailable, match=r"manifest\.json is not a model's manifest: the document: Invalid JSON"):
        artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")


def test_a_folder_without_a_file_of_its_manifest_is_no_model(store):
    (store.folder / "tokenizer.json").unlink()

    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json is missing: expected \d+ bytes, found no file"):
        artifacts.verify(store.folder)


def test_a_folder_without_manifest_is_no_model(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"manifest\.json cannot be read: No such file or directory"):
        artifacts.verify(tmp_path)


def test_a_disk_that_takes_nothing_is_named(store, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")

    with pytest.raises(ModelUnavailable, match=f"cannot be stored in {tmp_path / 'cache'}: File exists"):
        artifacts.fetch(store, PREFIX, cache=tmp_path / "cache")


def test_a_half_downloaded_model_is_seen_by_nobody(store, tmp_path):
    store.gate = threading.Event()
    with ThreadPoolExecutor() as pool:
        download = pool.submit(artifacts.fetch, store, PREFIX, cache=tmp_path / "cache")
        while "manifest.json" not in store.read:
            time.sleep(0.01)

        seen_half_way = artifacts.cached(PREFIX, cache=tmp_path / "cache")
        store.gate.set()

        assert seen_half_way is None
        assert download.result(10).folder.is_dir()


def test_many_downloads_at_once_leave_one_whole_model(store, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: artifacts.fetch(store, PREFIX, cache=tmp_path / "cache"), range(8)))

    assert len({model.folder for model in found}) == 1
    assert store.read.count("model.onnx") == 1
    assert names(tmp_path / "cache") == [found[0].folder.name]


def fetch_slowly(store: Path, cache: Path) -> None:
    reader = FolderReader(store)
    reader.gate = threading.Event()
    artifacts.fetch(reader, PREFIX, cache=cache)


def test_a_process_killed_half_way_leaves_nothing_that_is_taken_for_a_model(store, tmp_path):
    cache = tmp_path / "cache"
    child = multiprocessing.get_context("spawn").Process(target=fetch_slowly, args=(store.folder, cache))
    child.start()
    while not list(cache.glob(".partial-*/")):
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.join()

    assert artifacts.cached(PREFIX, cache=cache) is None
    assert list(cache.glob(".partial-*")), "the killed process should have left its half behind"

    model = artifacts.fetch(store, PREFIX, cache=cache)

    assert names(cache) == [model.folder.name]


def test_a_model_comes_from_s3(aws, monkeypatch, tmp_path):
    use_aws(monkeypatch, aws.url)
    upload(aws, write_model(tmp_path / "m", version="s3-1"), "moderation/s3-1/")

    model = artifacts.fetch(BucketReader(aws.bucket), "moderation/s3-1/")

    assert model.manifest.version == "s3-1"
    assert model.folder.parent == artifacts.default_cache()


def test_an_absent_object_in_s3_is_named(aws, monkeypatch):
    use_aws(monkeypatch, aws.url)

    with pytest.raises(ModelUnavailable, match=r"manifest\.json cannot be read from the model store: NoSuchKey"):
        artifacts.fetch(BucketReader(aws.bucket), "moderation/none/")


def test_a_role_that_may_not_read_s3_is_told(aws, monkeypatch):
    iam, sts = aws.client("iam"), aws.client("sts")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="reads-nothing", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    keys = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    use_aws(monkeypatch, aws.url, key=keys["AccessKeyId"], secret=keys["SecretAccessKey"], token=keys["SessionToken"])

    with pytest.raises(ModelUnavailable, match="AccessDenied: the object does not exist or the role may not read it"):
        artifacts.fetch(BucketReader(aws.bucket), PREFIX)


def test_an_s3_that_does_not_answer_is_told():
    with pytest.raises(ModelUnavailable, match=r"manifest\.json cannot be read .*EndpointConnectionError"):
        artifacts.fetch(BucketReader("models"), PREFIX)


def names(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if path.name != ".lock"]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def upload(aws, folder: Path, prefix: str) -> None:
    for path in folder.iterdir():
        aws.client("s3").put_object(Bucket=aws.bucket, Key=prefix + path.name, Body=path.read_bytes())
