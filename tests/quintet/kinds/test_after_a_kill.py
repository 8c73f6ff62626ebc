"""After the emulator was killed, reading tells truthfully what is gone."""

import os
import shutil
import signal
import time
from pathlib import Path

from quintet.sandbox.emulator import Emulator
from quintet.sandbox.world import World
from tests.ports import free_port
from tests.quintet.kinds.deploying import Deployer
from tests.quintet.kinds.test_every_kind import LIVES

IN_THE_STATE_ALONE = {"random:index/randomPassword:RandomPassword", "random:index/randomId:RandomId"}


def test_what_was_saved_is_found_and_what_was_not_is_gone(tmp_path: Path) -> None:
    (tmp_path / "root" / "stacks").mkdir(parents=True)
    home, before = tmp_path / "home", tmp_path / "before"
    emulator = Emulator(home, free_port())
    emulator.start()
    try:
        deploy = Deployer(World(tmp_path / "root", home, url=emulator.url))
        saved = [deploy.make(life.token, **life.made(deploy)) for life in LIVES]
        emulator.stop()
        shutil.copytree(home, before)
        emulator.start()
        assert [made.type for made in saved if made.read() is None] == []

        lost = [deploy.make(life.token, **life.made(deploy)) for life in LIVES]
        os.kill(emulator.pid or 0, signal.SIGKILL)
        while emulator.alive:
            time.sleep(0.01)
        # Whether the emulator had the time to save itself must not matter: back to what was saved before.
        for folder in ("emulator", "s3", "images"):
            shutil.rmtree(home / folder)
            shutil.copytree(before / folder, home / folder)
        emulator.start()

        assert [made.type for made in saved if made.read() is None] == []
        assert {made.type for made in lost if made.read() is not None} == IN_THE_STATE_ALONE
    finally:
        emulator.stop()
