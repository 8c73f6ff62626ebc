"""Servers that do not start say why, and leave nothing running."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cluster.servers import StartError, running


def _program(folder: Path, script: str) -> str:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_store_that_ends_at_once_is_named_with_what_it_said(tmp_path: Path) -> None:
    etcd = _program(tmp_path, "echo the disk is full >&2; exit 3")

    with pytest.raises(StartError, match=r"etcd ended with 3: the disk is full"), running(etcd, "", tmp_path):
        pass


def test_an_api_server_that_ends_at_once_takes_its_store_with_it(tool: Callable[..., str], tmp_path: Path) -> None:
    etcd = tool("etcd", package="etcd-server")
    server = _program(tmp_path, "echo unknown flag >&2; exit 1")

    with pytest.raises(StartError, match="kube-apiserver ended with 1: unknown flag"), running(etcd, server, tmp_path):
        pass

    mine = [each for each in psutil.Process().children() if each.name() == Path(shutil.which("etcd") or "").name]
    assert not [each for each in mine if str(tmp_path) in " ".join(each.cmdline())]
