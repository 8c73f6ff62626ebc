"""The Python of the images: the packages of this environment without its editable installs.

An image holds what its Dockerfile copies and what pip installs. The environment that runs the sandbox also sees this
checkout, through the `.pth` file of an editable install; a function run by it would find modules that its image lacks.
A folder that one `.pth` file adds is searched, but `.pth` files within it are not read, and that is all it takes.
"""

import sysconfig
import venv
from pathlib import Path


def image_interpreter(folder: Path) -> Path:
    """Makes (or renews) a virtual environment over the installed packages.

    Returns:
        The path of its interpreter.
    """
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(folder)
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    site_packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site_packages / "installed.pth").write_text("".join(f"{path}\n" for path in sorted(installed)))
    return folder / "bin" / "python"
