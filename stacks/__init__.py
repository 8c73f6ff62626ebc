"""What exists in AWS: the Pulumi program and the components it is made of."""

import sys

OLDEST_PYTHON = (3, 11)


def require_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    """Refuse an interpreter that is too old, before a syntax error says less about it."""
    if version < OLDEST_PYTHON:
        raise SystemExit(
            "Quintet needs Python {}.{} or newer; this is {}.{}. Run `make install`, and see that `virtualenv` in "
            "Pulumi.yaml names the environment that it made".format(*OLDEST_PYTHON, *version)
        )


require_python()
