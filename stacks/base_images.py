"""Base images, pinned by digest in base_images.json, and the command that pins them anew.

`python -m stacks.base_images` asks the registries and rewrites the file. A look-up in the program itself would rebuild
production whenever somebody else publishes an image.
"""

import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pulumi

PINS = Path(__file__).with_name("base_images.json")


class BaseImageError(pulumi.RunError):
    """The file of pins is broken, or a look-up failed; the message says what to do."""


@dataclass(frozen=True)
class BaseImage:
    """An image that services build on.

    Attributes:
        image: The repository.
        tag: The tag that is followed when pins are made anew.
        digest: Of the manifest list of all architectures; None until somebody has looked it up.
    """

    image: str
    tag: str
    digest: str | None

    @property
    def reference(self) -> str:
        """What FROM takes: by digest where there is one."""
        return f"{self.image}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


def read_pins(path: Path = PINS) -> dict[str, BaseImage]:
    """All base images by name.

    Raises:
        BaseImageError: The file is missing or is not of that form.
    """
    try:
        return {name: BaseImage(**entry) for name, entry in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as broken:
        raise BaseImageError(
            f"{path} cannot be read ({broken}). It maps names to image, tag and digest; bring it back with git"
        ) from broken


def write_pins(digests: dict[str, str], path: Path = PINS) -> list[str]:
    """Write the digests found; the names of images whose digest changed.

    Raises:
        BaseImageError: A digest is none.
    """
    pins = read_pins(path)
    for name, digest in digests.items():
        if not digest.startswith("sha256:"):
            raise BaseImageError(f"the registry's answer for {name} is {digest!r}, not a digest; nothing was written")
    changed = [name for name, digest in digests.items() if pins[name].digest != digest]
    renewed = {name: replace(pin, digest=digests.get(name, pin.digest)) for name, pin in pins.items()}
    path.write_text(json.dumps({name: asdict(pin) for name, pin in renewed.items()}, indent=2) + "\n")
    return changed


def lookup() -> None:
    """A Pulumi program that exports, for each base image, the digest that its tag has now."""
    import pulumi_docker as docker  # noqa: PLC0415  only this program needs it

    # It asks registries only, yet would insist on a Docker daemon.
    provider = docker.Provider("registries", disable_docker_daemon_check=True)
    options = pulumi.InvokeOptions(provider=provider)
    for name, pin in read_pins().items():
        found = docker.get_registry_image_output(name=f"{pin.image}:{pin.tag}", opts=options)
        pulumi.export(name, found.sha256_digest)


def look_up_digests() -> dict[str, str]:
    """Run `lookup` with the Pulumi CLI, in a scratch folder, with a state that is thrown away.

    Raises:
        BaseImageError: There is no Pulumi CLI, or a registry does not answer.
    """
    from pulumi import automation  # noqa: PLC0415  slow to import, and the program of stacks/ never needs it

    if not shutil.which("pulumi"):
        raise BaseImageError("The Pulumi CLI is needed to ask the registries, and there is no `pulumi` on the PATH")
    with tempfile.TemporaryDirectory() as scratch:
        options = automation.LocalWorkspaceOptions(
            work_dir=scratch,
            env_vars={"PULUMI_BACKEND_URL": f"file://{scratch}", "PULUMI_CONFIG_PASSPHRASE": "scratch"},
            project_settings=automation.ProjectSettings(name="base-images", runtime="python"),
        )
        try:
            stack = automation.create_stack("lookup", project_name="base-images", program=lookup, opts=options)
            return {name: str(output.value) for name, output in stack.up(color="never").outputs.items()}
        except automation.CommandError as failed:
            raise BaseImageError(f"The registries could not be asked:\n{failed}") from failed


def main() -> int:
    """Pin every base image to what its tag is now."""
    try:
        changed = write_pins(look_up_digests())
    except BaseImageError as error:
        print(error, file=sys.stderr)  # noqa: T201  a command
        return 1
    print(f"pinned anew: {', '.join(changed)}" if changed else "every pin is what its tag is now")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
