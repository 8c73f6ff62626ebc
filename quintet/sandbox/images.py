"""Images without Docker: what a Dockerfile puts together, kept as a folder that a process of this machine runs in.

An image is `images/<digest>/`: `tree/` holds the files by their path in the image, `image.json` the rest. It is kept
under the digest of its ECR manifest, which names the digest of tree, environment and command, so that the same
sources give the same image.
"""

import hashlib
import json
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quintet.sandbox.dockerfile import Plan, interpret
from quintet.sandbox.engine.errors import SandboxError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


class ImageNotFoundError(SandboxError):
    """A digest that no build of this sandbox has."""


@dataclass(frozen=True)
class Image:
    """An image as it was built.

    Attributes:
        digest: `sha256:...` of its manifest.
        tree: The folder that stands for its root; holds what the Dockerfile copied.
        code_root: Where its code lies, within `tree`.
        environment: Its ENV.
        entrypoint: Its ENTRYPOINT.
        command: Its CMD.
    """

    digest: str
    tree: Path
    code_root: Path
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]


@dataclass(frozen=True)
class Build:
    """An image that could be built: known by its content, not yet kept.

    Attributes:
        plan: What the Dockerfile puts together.
        content: SHA-256 over files, environment and command, in hexadecimal.
    """

    plan: Plan
    content: str

    @property
    def manifest(self) -> str:
        """Its OCI manifest, as ECR keeps it."""
        config = {"mediaType": _CONFIG_TYPE, "size": len(self.config), "digest": _digest(self.config)}
        layer = {"mediaType": _LAYER_TYPE, "size": 0, "digest": f"sha256:{self.content}"}
        body = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [layer]}
        return json.dumps(body, separators=(",", ":"))

    @property
    def config(self) -> bytes:
        """Its OCI configuration."""
        plan = self.plan
        settings = {
            "Env": [f"{name}={value}" for name, value in sorted(plan.environment.items())],
            "Entrypoint": list(plan.entrypoint),
            "Cmd": list(plan.command),
            "WorkingDir": plan.workdir,
        }
        body = {"architecture": "amd64", "os": "linux", "config": settings, "rootfs": {"type": "layers"}}
        return json.dumps(body, separators=(",", ":")).encode()

    @property
    def digest(self) -> str:
        """`sha256:...` of the manifest."""
        return _digest(self.manifest.encode())


class ImageStore:
    """The images of a sandbox, by digest; safe from any thread."""

    def __init__(self, folder: Path) -> None:
        """Images are kept in `folder`, which is made when the first is."""
        self._folder = folder
        self._hashes: dict[tuple[Path, int, int], str] = {}
        self._lock = threading.Lock()

    def build(
        self,
        dockerfile: Path,
        context: Path,
        *,
        arguments: Mapping[str, str],
        target: str | None = None,
        text: str | None = None,
    ) -> Build:
        """Interpret a Dockerfile and hash what it puts together; keeps nothing. See `dockerfile.interpret`."""
        plan = interpret(dockerfile, context, arguments=arguments, target=target, text=text)
        content = hashlib.sha256()
        for path, source in sorted(plan.files.items()):
            content.update(f"{path}\0{self._file_hash(source)}\0".encode())
        rest = asdict(plan)
        del rest["files"]
        content.update(json.dumps(rest, sort_keys=True).encode())
        return Build(plan, content.hexdigest())

    def keep(self, build: Build) -> Image:
        """Copy the files of a build into the store, all or nothing; one that is kept already is left as it is."""
        folder = self._path(build.digest)
        if not folder.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=self._folder))
            try:
                _write(temporary, build)
                temporary.rename(folder)
            except OSError:
                if not folder.exists():  # else another thread has kept the same image meanwhile
                    raise
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return self.get(build.digest)

    def get(self, digest: str) -> Image:
        """The image of a digest.

        Raises:
            ImageNotFoundError: There is none.
        """
        folder = self._path(digest)
        if not folder.is_dir():
            raise ImageNotFoundError(f"no image {digest} was built in this sandbox; declare it as docker_build.Image")
        kept: dict[str, Any] = json.loads((folder / "image.json").read_text())
        return Image(
            digest=digest,
            tree=folder / "tree",
            code_root=folder / "tree" / kept["code_root"].lstrip("/"),
            environment=kept["environment"],
            entrypoint=tuple(kept["entrypoint"]),
            command=tuple(kept["command"]),
        )

    def __contains__(self, digest: str) -> bool:
        return self._path(digest).is_dir()

    def remove(self, digest: str) -> None:
        """Forget an image; one that is not there is not an error."""
        shutil.rmtree(self._path(digest), ignore_errors=True)

    def _path(self, digest: str) -> Path:
        return self._folder / digest.removeprefix("sha256:")

    def _file_hash(self, path: Path) -> str:
        """Of content and mode; read once while size and modification time stay."""
        if path.is_symlink():
            return f"link:{path.readlink()}"
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._hashes:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            with self._lock:
                self._hashes[key] = content
        return f"{'x' if status.st_mode & 0o111 else '-'}{self._hashes[key]}"


def _write(folder: Path, build: Build) -> None:
    plan = build.plan
    (folder / "tree" / plan.code_root.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for path, source in plan.files.items():
        target = folder / "tree" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    kept = {
        "code_root": plan.code_root,
        "environment": plan.environment,
        "entrypoint": plan.entrypoint,
        "command": plan.command,
    }
    (folder / "image.json").write_text(json.dumps(kept, indent=1))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
