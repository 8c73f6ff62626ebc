"""What the next command knows, and when it is forgotten."""

from pathlib import Path

import pytest

from quintet.checkout import Checkout
from quintet.rollout.journal import Entry, Journal, Phase
from quintet.sandbox import overrides
from tests.quintet.rollout.fakes import version

ENTRY = Entry(phase=Phase.BEGUN, live=version("1"), before={"sentimentModel": None})


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path, tmp_path / ".quintet")


def test_what_was_written_is_read_again(checkout: Checkout):
    Journal(checkout, "sandbox").write("sentiment", ENTRY)

    assert Journal(checkout, "sandbox").read("sentiment") == ENTRY
    assert Journal(checkout, "prod").read("sentiment") is None


def test_services_do_not_forget_one_another(checkout: Checkout):
    journal = Journal(checkout, "sandbox")
    journal.write("sentiment", ENTRY)
    journal.write("moderation", ENTRY)

    journal.forget("sentiment")

    assert list(journal.entries()) == ["moderation"]


def test_a_purge_forgets_the_sandboxs_rollouts_and_settings_and_no_other_stacks(checkout: Checkout):
    for stack in ("sandbox", "prod"):
        Journal(checkout, stack).write("sentiment", ENTRY)
    overrides.keep(checkout, {"sentimentModel": "2"})

    checkout.purge(keep_ports=False)

    assert Journal(checkout, "sandbox").read("sentiment") is None
    assert Journal(checkout, "prod").read("sentiment") == ENTRY
    assert overrides.kept(checkout) == {}


def test_settings_are_kept_beside_each_other_and_none_takes_one_away(checkout: Checkout):
    checkout.prepare()
    overrides.keep(checkout, {"a": "1", "b": 2})

    overrides.keep(checkout, {"a": None, "c": True})

    assert overrides.kept(checkout) == {"b": 2, "c": True}


def test_what_is_kept_is_for_the_users_eyes_only(checkout: Checkout):
    Journal(checkout, "sandbox").write("sentiment", ENTRY)
    overrides.keep(checkout, {"a": "1"})

    assert {path.stat().st_mode & 0o777 for path in checkout.home.glob("*.json")} == {0o600}
