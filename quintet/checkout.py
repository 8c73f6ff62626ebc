"""Where a checkout of Quintet is, and where its sandbox keeps what it knows."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from quintet.errors import Exit, QuintetError

HOME_VARIABLE = "QUINTET_HOME"
_PROJECT_FILE = "Pulumi.yaml"

# What a purge removes. Named one by one: QUINTET_HOME may point at a folder that holds other things.
_KEPT_BY_FRESH = "settings.json"
_LOCKS = ("up.lock", "daemon.lock")
_FOLDERS = ("emulator", "s3", "images", "logs", "pulumi", "scratch")
_FILES = ("state.json", "summary.json", "daemon.json", "overrides.json", "rollout-sandbox.json")


@dataclass(frozen=True)
class Checkout:
    """One copy of the repository and the folder of its sandbox.

    Attributes:
        root: The folder with Pulumi.yaml.
        home: Everything the sandbox keeps; `.quintet` in the root, or what QUINTET_HOME names.
    """

    root: Path
    home: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Checkout:
        """The checkout that holds `start` (the current folder when absent).

        Raises:
            QuintetError: No folder from `start` upwards has a Pulumi.yaml.
        """
        begin = (start or Path.cwd()).resolve()
        for folder in (begin, *begin.parents):
            if (folder / _PROJECT_FILE).is_file():
                home = os.environ.get(HOME_VARIABLE)
                return cls(folder, Path(home).resolve() if home else folder / ".quintet")
        raise QuintetError(
            f"{begin} is in no checkout of Quintet: no {_PROJECT_FILE} here or above.",
            advice="Run the command inside the repository.",
            exit_code=Exit.USAGE,
        )

    @property
    def state(self) -> Path:
        """What is deployed; the engine's."""
        return self.home / "state.json"

    @property
    def pulumi(self) -> Path:
        """The real engine's folder: its state, its programs."""
        return self.home / "pulumi"

    @property
    def summary(self) -> Path:
        """What the last `up` left, for `status` when nothing runs."""
        return self.home / "summary.json"

    @property
    def overrides(self) -> Path:
        """Settings over those of the stack's file."""
        return self.home / "overrides.json"

    def rollouts(self, stack: str) -> Path:
        """How far the rollouts of a stack have come."""
        return self.home / f"rollout-{stack}.json"

    @property
    def settings(self) -> Path:
        """The ports that this checkout keeps."""
        return self.home / _KEPT_BY_FRESH

    @property
    def record(self) -> Path:
        """How to reach the daemon."""
        return self.home / "daemon.json"

    @property
    def logs(self) -> Path:
        """One file a source."""
        return self.home / "logs"

    @property
    def denials(self) -> Path:
        """Calls that IAM refused, one JSON object a line."""
        return self.logs / "denials.jsonl"

    @property
    def command_lock(self) -> Path:
        """Held by the one `up` or `down` that works."""
        return self.home / "up.lock"

    @property
    def daemon_lock(self) -> Path:
        """Held by the daemon as long as it lives."""
        return self.home / "daemon.lock"

    def prepare(self) -> None:
        """Makes the folders; nobody but the user may look into them.

        Raises:
            OSError: They cannot be made (no space, no permission).
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def prefer(self) -> None:
        """Makes `stacks` and `services` of this checkout the ones that are imported."""
        root = str(self.root)
        if root in sys.path:
            sys.path.remove(root)
        sys.path.insert(0, root)

    def purge(self, *, keep_ports: bool) -> None:
        """Removes what the sandbox kept, and nothing else that may lie there.

        Args:
            keep_ports: The checkout answers at the same addresses afterwards.
        """
        for folder in _FOLDERS:
            shutil.rmtree(self.home / folder, ignore_errors=True)
        for name in (*_FILES, *([] if keep_ports else [_KEPT_BY_FRESH, *_LOCKS])):
            (self.home / name).unlink(missing_ok=True)
        if not keep_ports and self.home.is_dir() and not any(self.home.iterdir()):
            self.home.rmdir()
