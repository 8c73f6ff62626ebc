"""The stand-in for Pulumi's language host starts policy packs as the CLI asks it to, and ends them with it."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2_grpc, language_pb2, language_pb2_grpc

from quintet.sandbox.real.language_host import LanguageHost


@pytest.fixture
def host() -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    server = grpc.server(ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost("127.0.0.1:1"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield language_pb2_grpc.LanguageRuntimeStub(channel)
    server.stop(None)


def request(folder: Path, **environment: str) -> language_pb2.RunPluginRequest:
    info = language_pb2.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")
    given = [f"{name}={value}" for name, value in {**os.environ, **environment}.items()]
    return language_pb2.RunPluginRequest(pwd=str(folder), args=["127.0.0.1:1"], env=given, info=info, kind="analyzer")


def pack(folder: Path, program: str) -> Path:
    folder.mkdir()
    (folder / "__main__.py").write_text(program)
    return folder


def test_the_pack_of_the_repository_answers_and_ends_with_the_cli(
    host: language_pb2_grpc.LanguageRuntimeStub, repository: Path
) -> None:
    running = host.RunPlugin(request(repository / "stacks" / "policy"))
    port = int(next(item.stdout for item in running if item.stdout))

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        info = analyzer_pb2_grpc.AnalyzerStub(channel).GetAnalyzerInfo(Empty())
    pid = next(
        item.pid for item in psutil.Process().children() if str(repository / "stacks" / "policy") in item.cmdline()
    )
    running.cancel()

    assert info.name == "quintet"
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the pack outlives the CLI"
        time.sleep(0.05)


def test_a_pack_that_fails_tells_why_and_its_status(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    folder = pack(tmp_path / "pack", "import sys\nprint('out')\nsys.exit('no such rule')\n")

    told = list(host.RunPlugin(request(folder)))

    assert b"".join(item.stdout for item in told) == b"out\n"
    assert b"".join(item.stderr for item in told) == b"no such rule\n"
    assert told[-1].exitcode == 1


def test_a_pack_has_the_arguments_and_the_environment_of_the_cli(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    folder = pack(tmp_path / "pack", "import os, sys\nprint(sys.argv[1], os.environ['COLOUR'], os.getcwd())\n")

    told = list(host.RunPlugin(request(folder, COLOUR="red")))

    assert told[0].stdout.decode().split() == ["127.0.0.1:1", "red", str(folder)]
