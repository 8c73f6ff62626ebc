import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import locking

LOCKS = ("bench", "dev", "models", "moderation", "sentiment", "torch", "uv")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_was_made_from_the_present_pyproject(lock: str, repository: Path) -> None:
    text = (repository / "requirements" / f"{lock}.txt").read_text()

    assert locking.fingerprint() in text.splitlines(), f"requirements/{lock}.txt is stale: run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_no_address(lock: str, repository: Path) -> None:
    text = (repository / "requirements" / f"{lock}.txt").read_text()
    packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

    assert "://" not in text
    assert packages
    assert text.count("--hash=sha256:") >= len(packages)
    assert all("==" in line and line.endswith("\\") for line in packages)


def test_another_dependency_makes_the_locks_stale(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "uv.in").write_text((repository / "requirements" / "uv.in").read_text())
    pyproject = (repository / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(pyproject.replace('"typer>=', '"left-pad>=1",\n  "typer>=', 1))

    assert locking.fingerprint(tmp_path) != locking.fingerprint()


@pytest.mark.parametrize("service", ["moderation", "sentiment"])
def test_a_service_runs_the_versions_that_were_tested(service: str, repository: Path) -> None:
    def pins(lock: str) -> set[str]:
        lines = (repository / "requirements" / f"{lock}.txt").read_text().splitlines()
        return {line.split(" ")[0] for line in lines if line and not line.startswith((" ", "#"))}

    assert pins(service) <= pins("dev")


DESIGN = "pulumi pulumi-aws pulumi-docker fastapi mangum streamlit onnxruntime transformers boto3 pytest"


@pytest.mark.parametrize("package", DESIGN.split())
def test_a_package_of_the_design_is_declared(package: str, repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = [wish for wishes in project["optional-dependencies"].values() for wish in wishes]

    assert any(wish.startswith(f"{package}>=") for wish in [*project["dependencies"], *extras])
