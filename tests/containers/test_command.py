"""`quintet images` with a Docker; tests/quintet/cli has it without one."""

import subprocess
from collections.abc import Callable

from quintet.errors import Exit
from tests.containers.shipped import MODERATION, Service, Shipped

Ship = Callable[[Service], Shipped]
Images = Callable[..., "subprocess.CompletedProcess[str]"]


def test_it_tells_how_large_the_image_is(ship: Ship):
    header, row = ship(MODERATION).printed.splitlines()[-2:]

    assert header.split() == ["IMAGE", "SIZE", "PLATFORM"]
    assert row.split()[0] == "quintet/moderation:local"
    assert row.split()[2:] == ["MB", "linux/amd64"]


def test_a_second_build_takes_everything_from_the_cache(quintet_images: Images, ship: Ship):
    again = quintet_images("moderation", "--base-image", ship(MODERATION).base, "--network", "host")

    assert again.returncode == 0, again.stderr
    assert again.stderr.count("CACHED") >= 6


def test_a_service_without_an_image_is_wrong_usage_and_those_with_one_are_named(quintet_images: Images):
    told = quintet_images("moderatoin")

    assert told.returncode == Exit.USAGE
    assert "There is no service moderatoin with an image; those with one are moderation, sentiment." in told.stderr


def test_a_base_image_that_cannot_be_had_is_dockers_message_and_an_advice(quintet_images: Images):
    told = quintet_images("--base-image", "127.0.0.1:9/nothing:1")

    assert told.returncode == Exit.FAILED
    assert "127.0.0.1:9" in told.stderr
    assert "Docker could not build quintet/moderation:local" in told.stderr
    assert "--base-image names another one" in told.stderr
    assert "Traceback" not in told.stderr
