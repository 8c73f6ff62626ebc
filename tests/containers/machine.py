"""Parts of this machine as parts of an image's file system: what stand-ins for base images are made of."""

import importlib.util
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pip._vendor import certifi

from tests.containers.engine import Engine

RUNTIMES = (
    *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libgcc_s.so.1", "libstdc++.so.6"),
)
"""Of C and C++: what compiled packages may count on."""

_NOT_COPIED = (
    *("test", "tests", "idlelib", "tkinter", "_tkinter*", "turtledemo", "ensurepip", "lib2to3", "config-*"),
    *("site-packages", "dist-packages"),
)
_SHELL = ("sh", "rm", "chmod", "ls", "cat", "mkdir")


def put_python(folder: Path, home: str) -> list[Path]:
    """Copies the interpreter, its standard library and pip.

    Args:
        folder: The root of the image.
        home: Where Python is in it, without a slash in front.

    Returns:
        What is linked with libraries of this machine.
    """
    python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # the interpreter below a venv
    standard = Path(sysconfig.get_path("stdlib"))
    target = folder / home / "lib" / standard.name
    shutil.copytree(standard, target, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    (folder / home / "bin").mkdir()
    shutil.copy(python, folder / home / "bin" / python.name)
    for name in ("python", "python3"):
        (folder / home / "bin" / name).symlink_to(python.name)
    _put_pip(folder, home, target)
    return [python, *(target / "lib-dynload").glob("*.so")]


def _put_pip(folder: Path, home: str, target: Path) -> None:
    pip = importlib.util.find_spec("pip")
    assert pip is not None, "this Python environment has no pip, which the image is built with"
    assert pip.origin is not None
    shutil.copytree(Path(pip.origin).parent, target / "site-packages" / "pip")
    script = folder / home / "bin" / "pip"
    script.write_text(f"#!/{home}/bin/python\nfrom pip._internal.cli.main import main\nraise SystemExit(main())\n")
    script.chmod(0o755)


def put_libraries(folder: Path, at: str, programs: Iterable[Path], *, names: Sequence[str] = ()) -> None:
    """Copies the libraries that programs are linked with, and others by their names.

    Args:
        folder: The root of the image.
        at: Where they go, all but the loader, which is found by its absolute path.
        programs: Programs and modules of this machine.
        names: Further libraries.
    """
    needed = {found for path in programs for found in _linked(path)}
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    for name in names:
        found = re.search(rf"^\s*{re.escape(name)} \(libc6,.*=> (\S+)$", known, re.MULTILINE)
        assert found, f"this machine has no {name}"
        needed.add(Path(found[1]))
    for library in needed:
        loader = library.name.startswith("ld-")
        place = folder / str(library).lstrip("/") if loader else folder / at / library.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)


def _linked(path: Path) -> list[Path]:
    told = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
    if "not found" in told:
        raise RuntimeError(f"{path} lacks a library on this machine:\n{told}")
    return [Path(match[0]) for match in re.finditer(r"/\S+(?= \(0x)", told)]


def know_libraries(folder: Path, at: str) -> None:
    """Lets the image's loader find the libraries of a folder without a variable that says where they are."""
    (folder / "etc/ld.so.conf").write_text(f"/{at}\n")
    subprocess.run(["/sbin/ldconfig", "-r", str(folder)], check=True)


def put_shell(folder: Path, busybox: str) -> None:
    """A shell, and what the Dockerfiles call with it."""
    (folder / "bin").mkdir()
    shutil.copy(busybox, folder / "bin" / "busybox")
    for name in _SHELL:
        (folder / "bin" / name).symlink_to("busybox")


def put_system(folder: Path, *, users: Mapping[str, int] | None = None) -> None:
    """What every system has: its folders, its users, the authorities that it trusts.

    Args:
        folder: The root of the image.
        users: Those beside root, each with a group of the same number.
    """
    for name in ("etc/ssl/certs", "proc", "sys", "dev"):
        (folder / name).mkdir(parents=True)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    known = {"root": 0, **(users or {})}
    (folder / "etc/passwd").write_text(
        "".join(f"{name}:x:{id_}:{id_}:{name}:/:/bin/sh\n" for name, id_ in known.items())
    )
    (folder / "etc/group").write_text("".join(f"{name}:x:{id_}:\n" for name, id_ in known.items()))
    (folder / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    shutil.copy(_certificates(), folder / "etc/ssl/certs/ca-certificates.crt")
    (folder / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
    folder.chmod(0o755)


def _certificates() -> Path:
    """This machine's bundle, which may know more authorities than pip's own; that one where it has none."""
    known = (ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt")
    return next((Path(path) for path in known if path and Path(path).exists()), Path(certifi.where()))


def pack(engine: Engine, folder: Path, *, tag: str, environment: Mapping[str, str], changes: Sequence[str]) -> None:
    """Imports a folder as an image and removes it.

    Args:
        engine: Where to.
        folder: The root of the image.
        tag: What to call it.
        environment: Its variables.
        changes: Further instructions, as a Dockerfile has them.
    """
    every = [*(f"ENV {name}={value}" for name, value in environment.items()), *changes]
    packed = subprocess.Popen(["tar", "-C", str(folder), "--owner=0", "--group=0", "-c", "."], stdout=subprocess.PIPE)
    with packed:
        engine.run("import", *(f"--change={change}" for change in every), "-", tag, stdin=packed.stdout)
    if packed.returncode:
        raise RuntimeError(f"tar of {folder} ended with exit code {packed.returncode}")
    shutil.rmtree(folder)
