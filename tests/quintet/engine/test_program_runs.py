"""A program runs as under the real language host, as often as asked, and leaves nothing behind in the process."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
import pytest

from quintet.sandbox.engine import Deployment, ProgramError, State, record
from tests.quintet.engine.conftest import Bench


def test_an_edited_module_is_picked_up_by_the_second_run(bench: Bench) -> None:
    bench.write('import words\npulumi.export("word", words.WORD)', words='WORD = "one"')
    first = bench.up()
    bench.write('import words\npulumi.export("word", words.WORD)', words='WORD = "two"')  # the same length and second

    second = bench.up()

    assert (first.outputs, second.outputs) == ({"word": "one"}, {"word": "two"})


def test_a_module_that_the_package_names_is_picked_up_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(bench.root))
    program = 'from program.words import WORD\npulumi.export("word", WORD)'
    bench.write(program, __init__="", words='WORD = "one"')
    first = bench.up()
    bench.write(program, __init__="", words='WORD = "two"')

    second = bench.up()

    assert (first.outputs, second.outputs) == ({"word": "one"}, {"word": "two"})
    assert not [name for name in sys.modules if name.split(".")[0] == "program"]


def test_modules_that_were_imported_before_are_the_same_afterwards(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(bench.root / "program"))
    bench.write("import imported_before", imported_before="")
    module = __import__("imported_before")
    monkeypatch.setitem(sys.modules, "imported_before", module)

    bench.up()

    assert sys.modules["imported_before"] is module


def test_the_program_runs_in_its_folder_and_the_process_returns_to_its_own(bench: Bench) -> None:
    before, path = Path.cwd(), list(sys.path)

    outcome = bench.up('import os\npulumi.export("cwd", os.getcwd())')

    assert outcome.outputs == {"cwd": str(bench.root / "program")}
    assert (Path.cwd(), sys.path) == (before, path)


def test_a_failed_program_leaves_the_process_as_it_was(bench: Bench) -> None:
    before, path = Path.cwd(), list(sys.path)

    with pytest.raises(ProgramError):
        bench.up("raise ValueError('no')")

    assert (Path.cwd(), sys.path) == (before, path)


def test_two_runs_after_each_other_do_not_share_their_configuration(bench: Bench) -> None:
    bench.write(
        """
        config = pulumi.Config()
        pulumi.export("greeting", config.require("greeting"))
        pulumi.export("stack", pulumi.get_stack())
        """
    )

    prod = bench.up(stack="prod")
    bench.state_path.unlink()
    dev = bench.up()

    assert prod.outputs == {"greeting": "welcome", "stack": "prod"}
    assert dev.outputs == {"greeting": "hello", "stack": "dev"}


def test_nothing_of_a_run_stays_in_the_sdk_of_the_caller(bench: Bench) -> None:
    before = pulumi.runtime.settings.get_monitor(), pulumi.runtime.settings.get_root_resource()

    bench.up('aws.sns.Topic("news")')

    assert (pulumi.runtime.settings.get_monitor(), pulumi.runtime.settings.get_root_resource()) == before


def test_no_thread_outlives_a_run(bench: Bench) -> None:
    before = set(threading.enumerate())

    bench.up('aws.sns.Topic("news")')

    assert {thread.name for thread in set(threading.enumerate()) - before} == set()


def test_two_programs_asked_for_at_once_both_run(bench: Bench) -> None:
    bench.write('pulumi.export("stack", pulumi.get_stack())')

    with ThreadPoolExecutor(2) as pool:
        recordings = list(pool.map(lambda stack: record(stack, root=bench.root), ["dev", "prod"] * 3))

    assert [item.outputs["stack"] for item in recordings] == ["dev", "prod"] * 3


def test_registrations_are_concurrent_and_do_not_race(bench: Bench) -> None:
    bench.cloud.delay_seconds = 0.01
    program = """
    for number in range(145):
        aws.sns.Topic(f"topic{number}", name=f"topic{number}")
    """

    outcome = bench.up(program)

    assert outcome.counts == {"create": 145}
    assert bench.cloud.most_busy > 4
    assert bench.cloud.names() == {f"topic{number}" for number in range(145)}
    assert len(bench.state.resources) == 146


def test_an_asset_is_read_from_the_programs_folder_and_its_content_counts(bench: Bench) -> None:
    bench.write('aws.s3.BucketObjectv2("o", bucket="b", source=pulumi.FileAsset("page.html"))')
    page = bench.root / "program" / "page.html"
    page.write_text("one")
    bench.up()
    os.utime(page)
    touched = bench.up()
    page.write_text("two")

    edited = bench.up()

    assert touched.counts == {"same": 1}
    assert edited.counts == {"update": 1}


def test_events_carry_no_values(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", display_name=pulumi.Output.secret("geheim"))')
    told = list(bench.events)

    bench.up('aws.sns.Topic("news", display_name=pulumi.Output.secret("geheimer"))')

    assert [event.operation for event in told] == ["create", "create"]
    assert [event.changed for event in bench.events if event.done] == [("displayName",)]
    assert "geheim" not in repr(told + bench.events)


def test_a_deployment_can_be_asked_on_a_state_in_memory(bench: Bench) -> None:
    bench.write('aws.sns.Topic("news")')
    project = bench.deployment()._project

    outcome = Deployment(bench.cloud, State(), project, "dev").run()

    assert outcome.counts == {"create": 1}
    assert not bench.state_path.exists()
