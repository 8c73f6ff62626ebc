"""The start of `quintet`: refuses a Python that is too old before anything is imported that it could not read."""

import sys

MINIMUM = (3, 11)
WRONG_PYTHON = 8  # Exit.WRONG_PYTHON, whose module an old Python need not be able to read


def refusal(version: "tuple[int, ...]", executable: str) -> "str | None":
    """What to say about a Python of this version, or None when it will do.

    Args:
        version: (major, minor, ...).
        executable: The interpreter's path, named in the message.
    """
    if version[:2] >= MINIMUM:
        return None
    needed, found = (".".join(map(str, numbers[:2])) for numbers in (MINIMUM, version))
    return (
        f"error: Quintet needs Python {needed} or newer; {executable} is Python {found}.\n"
        "Install a newer one and run `make install PYTHON=<its path>`."
    )


def main() -> None:
    """Runs the command, or exits with 8 and says which Python is needed."""
    message = refusal(tuple(sys.version_info[:3]), sys.executable)
    if message is not None:
        sys.stderr.write(message + "\n")
        sys.exit(WRONG_PYTHON)
    from quintet.cli import main as run  # noqa: PLC0415 - an old Python could not read it

    run()


if __name__ == "__main__":
    main()
