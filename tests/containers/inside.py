"""Programs that look around within a container, with the Python of its image."""

from tests.containers.engine import Engine

WRITABLE = """
import os
found = [
    path
    for folder, folders, files in os.walk("/", onerror=None)
    for path in (folder, *(os.path.join(folder, name) for name in files))
    if not path.startswith(("/proc/", "/sys/", "/dev/")) and not os.path.islink(path) and os.access(path, os.W_OK)
]
print(*found)
"""
"""What a process could write to, as its user: every folder and file of the container that lets it."""

UNREADABLE = """
import os, sys
closed = []
for folder, _, names in os.walk(sys.argv[1], onerror=lambda error: closed.append(error.filename)):
    closed += [path for name in names if not os.access(path := os.path.join(folder, name), os.R_OK)]
print(*closed)
"""
"""Files and folders below a folder that the user who runs this cannot read."""

LOAD_ALL = """
import ctypes, os, pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.so*")):
    try:
        ctypes.CDLL(str(path), mode=os.RTLD_LAZY)
    except OSError as error:
        print(path, error)
"""
"""Compiled files below a folder that cannot be loaded, and why not."""

KEPT = """
import os
os.environ["HOME"] = "/tmp"
import onnxruntime
print(*(os.path.join(folder, name) for folder, _, names in os.walk("/tmp") for name in names))
"""
"""What onnxruntime keeps in a home that it can write to; an id to report under, unless it is told to report nothing."""


def missing_libraries(engine: Engine, tag: str, root: str) -> list[str]:
    """Compiled files of an image that cannot be loaded, and why not."""
    return _printed(engine, tag, LOAD_ALL, root).splitlines()


def kept_by_the_runtime(engine: Engine, tag: str, *options: str) -> list[str]:
    """Files that onnxruntime writes when it is imported."""
    return _printed(engine, tag, KEPT, "", "--user=0", *options).split()


def unreadable(engine: Engine, tag: str, root: str) -> list[str]:
    """Files and folders of an image that not everybody can read."""
    return _printed(engine, tag, UNREADABLE, root, "--user=4321:4321").split()


def _printed(engine: Engine, tag: str, program: str, root: str, *options: str) -> str:
    given = ("run", "--rm", "--network=host", *options, "--entrypoint=python", tag)
    return engine.run(*given, "-c", program, root)
