"""A stand-in for AWS's base image of Lambda for Python, made of this machine's own Python.

The registry of the real one is not reachable from everywhere. This one has what that one gives to a Dockerfile and to
a function: `python` and `pip` on the PATH, a shell, libc and the runtimes of C and C++ and nothing more, /var/task to
work in, and an entry point that starts `awslambdaric` with the handler. Sources: the Dockerfiles and
`lambda-entrypoint.sh` of github.com/aws/aws-lambda-base-images. It differs in the version of Python, in the C library,
and in having no boto3 and no awslambdaric of its own, so that an image which forgets to bring them fails here.
"""

import importlib.util
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from pathlib import Path

from pip._vendor import certifi

from tests.containers.engine import Engine

HOME = "var/lang"
"""Where Python is in the real one, too."""

ENVIRONMENT = {
    "LANG": "en_US.UTF-8",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}
_SHELL = ("sh", "rm", "chmod", "ls", "cat", "mkdir")
_RUNTIMES = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2")
_COMPILERS_RUNTIMES = ("libgcc_s.so.1", "libstdc++.so.6")
_NOT_COPIED = (
    *("test", "tests", "idlelib", "tkinter", "_tkinter*", "turtledemo", "ensurepip", "lib2to3", "config-*"),
    *("site-packages", "dist-packages"),
)
_ENTRY_POINT = """#!/bin/sh
# The handler is the image's command, as for the real entry point.
export _HANDLER="$1"
exec python -m awslambdaric "$1"
"""


def make(engine: Engine, folder: Path, *, tag: str, busybox: str) -> None:
    """Puts the image together in a folder and imports it.

    Args:
        engine: Where to.
        folder: An empty one.
        tag: What to call it.
        busybox: A statically linked one.
    """
    python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # the interpreter below a venv
    _python(folder, python)
    _libraries(folder, python)
    _shell(folder, busybox)
    _system(folder)
    changes = [f"ENV {name}={value}" for name, value in ENVIRONMENT.items()]
    changes += ["WORKDIR /var/task", 'ENTRYPOINT ["/lambda-entrypoint.sh"]']
    packed = subprocess.Popen(["tar", "-C", str(folder), "--owner=0", "--group=0", "-c", "."], stdout=subprocess.PIPE)
    with packed:
        engine.run("import", *(f"--change={change}" for change in changes), "-", tag, stdin=packed.stdout)
    if packed.returncode:
        raise RuntimeError(f"tar of {folder} ended with exit code {packed.returncode}")


def _python(folder: Path, python: Path) -> None:
    standard = Path(sysconfig.get_path("stdlib"))
    target = folder / HOME / "lib" / standard.name
    shutil.copytree(standard, target, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    (folder / HOME / "bin").mkdir()
    shutil.copy(python, folder / HOME / "bin" / python.name)
    for name in ("python", "python3"):
        (folder / HOME / "bin" / name).symlink_to(python.name)
    pip = importlib.util.find_spec("pip")
    assert pip is not None, "this Python environment has no pip, which the image is built with"
    assert pip.origin is not None
    shutil.copytree(Path(pip.origin).parent, target / "site-packages" / "pip")
    script = folder / HOME / "bin" / "pip"
    script.write_text("#!/var/lang/bin/python\nfrom pip._internal.cli.main import main\nraise SystemExit(main())\n")
    script.chmod(0o755)


def _libraries(folder: Path, python: Path) -> None:
    """What Python and its modules are linked with, and the runtimes that compiled packages may count on."""
    modules = folder / HOME / "lib" / Path(sysconfig.get_path("stdlib")).name / "lib-dynload"
    needed = {found for path in (python, *modules.glob("*.so")) for found in _linked(path)}
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    for name in (*_RUNTIMES, *_COMPILERS_RUNTIMES):
        found = re.search(rf"^\s*{re.escape(name)} \(libc6,.*=> (\S+)$", known, re.MULTILINE)
        assert found, f"this machine has no {name}"
        needed.add(Path(found[1]))
    for library in needed:
        # The loader is found by its absolute path, all others by LD_LIBRARY_PATH.
        loader = library.name.startswith("ld-")
        place = folder / str(library).lstrip("/") if loader else folder / HOME / "lib" / library.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)


def _linked(path: Path) -> list[Path]:
    told = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
    if "not found" in told:
        raise RuntimeError(f"{path} lacks a library on this machine:\n{told}")
    return [Path(match[0]) for match in re.finditer(r"/\S+(?= \(0x)", told)]


def _shell(folder: Path, busybox: str) -> None:
    (folder / "bin").mkdir()
    shutil.copy(busybox, folder / "bin" / "busybox")
    for name in _SHELL:
        (folder / "bin" / name).symlink_to("busybox")
    entry_point = folder / "lambda-entrypoint.sh"
    entry_point.write_text(_ENTRY_POINT)
    entry_point.chmod(0o755)


def _system(folder: Path) -> None:
    for name in ("var/task", "var/runtime", "opt", "etc/ssl/certs", "proc", "sys", "dev"):
        (folder / name).mkdir(parents=True)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\n")
    (folder / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    shutil.copy(_certificates(), folder / "etc/ssl/certs/ca-certificates.crt")
    (folder / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
    folder.chmod(0o755)


def _certificates() -> Path:
    """This machine's bundle, which may know more authorities than pip's own; that one where it has none."""
    known = (ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt")
    return next((Path(path) for path in known if path and Path(path).exists()), Path(certifi.where()))
