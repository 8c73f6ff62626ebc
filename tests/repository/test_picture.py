import subprocess
import sys
from pathlib import Path


def test_the_picture_is_that_of_the_present_program(repository: Path) -> None:
    result = subprocess.run(
        [sys.executable, "tools/picture.py", "--check"],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
