from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.quintet.small_checkout import BUCKET, SmallCheckout

MakeCheckout = Callable[..., SmallCheckout]


@pytest.fixture
def make_checkout(tmp_path: Path) -> Iterator[MakeCheckout]:
    """Makes checkouts and stops what they run at the end."""
    made: list[SmallCheckout] = []

    def make(program: str = BUCKET) -> SmallCheckout:
        made.append(SmallCheckout.make(tmp_path / f"checkout{len(made)}", program))
        return made[-1]

    yield make
    for checkout in made:
        checkout.remove()


@pytest.fixture
def checkout(make_checkout: MakeCheckout) -> SmallCheckout:
    return make_checkout()
