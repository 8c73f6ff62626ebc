"""What a failure, a kill or a cancellation leaves behind, and that the next run goes on from there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quintet.sandbox.engine import (
    Deployment,
    DeploymentCancelledError,
    ProgramError,
    Properties,
    ResourceEvent,
    ResourceFailedError,
    State,
)
from quintet.sandbox.engine.removal import deletion_order
from quintet.sandbox.engine.state import Resource
from tests.quintet.engine.conftest import Bench
from tests.quintet.engine.fake_cloud import RefusedError

CHAIN = """
first = aws.sns.Topic("first", name="first")
second = aws.sns.Topic("second", name="second", display_name=first.arn)
third = aws.sns.Topic("third", name="third", display_name=second.arn)
"""


def fails_on(verb: str, name: str) -> object:
    def failing(asked: str, properties: Properties) -> Exception | None:
        return RefusedError("AWS said no") if (asked, properties.get("name")) == (verb, name) else None

    return failing


def test_a_failure_keeps_what_was_made_begins_nothing_new_and_the_next_run_goes_on(bench: Bench) -> None:
    bench.cloud.failing = fails_on("create", "second")
    with pytest.raises(ResourceFailedError, match="aws:sns/topic:Topic second: RefusedError: AWS said no"):
        bench.up(CHAIN)
    made_before = bench.cloud.names()
    bench.cloud.failing = lambda _verb, _properties: None

    outcome = bench.up()

    assert made_before == {"first"}
    assert outcome.counts == {"same": 1, "create": 2}


def test_the_first_failure_is_the_one_that_is_told(bench: Bench) -> None:
    def both_fail(verb: str, properties: Properties) -> Exception | None:
        time.sleep(0.2 if properties["name"] == "slow" else 0)
        return RefusedError(f"no {properties['name']}")

    bench.cloud.failing = both_fail

    with pytest.raises(ResourceFailedError, match="no quick"):
        bench.up('aws.sns.Topic("slow", name="slow")\naws.sns.Topic("quick", name="quick")')


def test_a_failure_is_told_as_an_event_with_its_reason(bench: Bench) -> None:
    bench.cloud.failing = fails_on("create", "first")

    with pytest.raises(ResourceFailedError):
        bench.up(CHAIN)

    (failed,) = [event for event in bench.events if event.operation == "failed"]
    assert failed.name == "first"
    assert failed.done
    assert "AWS said no" in str(failed.error)


def test_an_input_that_is_refused_by_check_fails_before_anything_is_made(bench: Bench) -> None:
    with pytest.raises(ResourceFailedError, match="`refused` is not allowed"):
        bench.up('aws.sns.Topic("news", display_name="refused")')

    assert bench.cloud.calls == []


def test_after_a_failure_nothing_is_deleted(bench: Bench) -> None:
    bench.up('aws.sns.Topic("old", name="old")')
    bench.cloud.failing = fails_on("create", "new")

    with pytest.raises(ResourceFailedError):
        bench.up('aws.sns.Topic("new", name="new")')

    assert bench.cloud.names() == {"old"}


def test_a_failed_update_is_made_again(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", name="news", display_name="a")')
    bench.cloud.failing = fails_on("update", "news")
    with pytest.raises(ResourceFailedError):
        bench.up('aws.sns.Topic("news", name="news", display_name="b")')
    bench.cloud.failing = lambda _verb, _properties: None

    assert bench.up().counts == {"update": 1}


def test_a_replaced_resource_that_could_not_be_deleted_is_deleted_by_the_next_run(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news")')
    (old,) = bench.cloud.names()
    bench.cloud.failing = fails_on("delete", old)
    with pytest.raises(ResourceFailedError):
        bench.up('aws.sns.Topic("news", fifo_topic=True)')
    left = [item.inputs["name"] for item in bench.state.pending_deletes]
    bench.cloud.failing = lambda _verb, _properties: None

    outcome = bench.up()

    assert left == [old]
    assert old not in bench.cloud.names()
    assert outcome.counts == {"same": 1}
    assert bench.state.pending_deletes == []


def test_destroy_deletes_what_an_earlier_replacement_left(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news")')
    (old,) = bench.cloud.names()
    bench.cloud.failing = fails_on("delete", old)
    with pytest.raises(ResourceFailedError):
        bench.up('aws.sns.Topic("news", fifo_topic=True)')
    bench.cloud.failing = lambda _verb, _properties: None

    bench.deployment().destroy()

    assert bench.cloud.things == {}
    assert bench.state.pending_deletes == []


def test_a_failed_deletion_keeps_the_resource_for_the_next_run(bench: Bench) -> None:
    bench.up(CHAIN)
    bench.cloud.failing = fails_on("delete", "second")
    with pytest.raises(ResourceFailedError, match="Topic second"):
        bench.up("")
    bench.cloud.failing = lambda _verb, _properties: None

    outcome = bench.up("")

    assert outcome.counts == {"delete": 2}
    assert bench.cloud.things == {}


def test_a_resource_that_cannot_be_resumed_fails(bench: Bench) -> None:
    bench.up(CHAIN)
    bench.cloud.failing = fails_on("resume", "third")

    with pytest.raises(ResourceFailedError, match="Topic third"):
        bench.up()


def test_a_failed_refresh_says_which_resource_could_not_be_read(bench: Bench) -> None:
    bench.up(CHAIN)
    bench.cloud.failing = fails_on("read", "second")

    with pytest.raises(ResourceFailedError, match="Topic second"):
        bench.deployment().refresh()


def test_a_failing_program_names_its_line_and_keeps_what_was_made(bench: Bench) -> None:
    bench.write(
        'aws.sns.Topic("news")\nimport words\nwords.speak()\n', words="def speak():\n    raise ValueError('no voice')\n"
    )

    with pytest.raises(ProgramError, match=r"words\.py:2: ValueError: no voice"):
        bench.up()

    assert len(bench.state.resources) == 2


def test_a_program_that_does_not_parse_names_its_line(bench: Bench) -> None:
    with pytest.raises(ProgramError, match=r"__main__\.py:5: SyntaxError"):
        bench.up("x = 1\n(\n")


def test_a_failing_apply_names_its_line(bench: Bench) -> None:
    with pytest.raises(ProgramError, match=r"__main__\.py:4: ZeroDivisionError"):
        bench.up('pulumi.export("x", aws.sns.Topic("news").arn.apply(lambda _arn: 1 / 0))')


def test_a_program_that_exits_fails(bench: Bench) -> None:
    with pytest.raises(ProgramError, match="SystemExit: 3"):
        bench.up("import sys\nsys.exit(3)")


def test_the_outputs_of_the_last_good_run_outlive_a_failed_one(bench: Bench) -> None:
    bench.up('pulumi.export("word", "good")')

    with pytest.raises(ProgramError):
        bench.up('pulumi.export("word", "bad")\nraise ValueError("no")')

    assert bench.state.outputs == {"word": "good"}


def test_an_asset_that_does_not_exist_fails_by_its_path(bench: Bench) -> None:
    with pytest.raises(ResourceFailedError, match=r"the asset .*missing\.txt does not exist"):
        bench.up('aws.s3.BucketObjectv2("o", bucket="b", source=pulumi.FileAsset("missing.txt"))')


def test_a_cancelled_deployment_finishes_what_it_began_and_begins_nothing_new(bench: Bench) -> None:
    bench.write(CHAIN)
    deployments: list[Deployment] = []

    def cancel_when_the_first_is_made(event: ResourceEvent) -> None:
        if event.name == "first" and event.done:
            deployments[0].cancel()

    deployment = bench.deployment()
    deployment._progress.on_event = cancel_when_the_first_is_made
    deployments.append(deployment)

    with pytest.raises(DeploymentCancelledError, match="run it again"):
        deployment.run()

    assert bench.cloud.names() == {"first"}
    assert bench.up().counts == {"same": 1, "create": 2}


KILLED = """
import sys, time
from pathlib import Path
from quintet.project import Project
from quintet.sandbox.engine import Deployment, State
from tests.quintet.engine.fake_cloud import FakeCloud

root = Path(sys.argv[1])
cloud = FakeCloud()
def hang(verb, properties):
    if properties["name"] == "second":
        print("hanging", flush=True)
        time.sleep(600)
cloud.failing = hang
Deployment(cloud, State.load(root / ".quintet" / "state.json"), Project.load(root), "dev").run()
"""


def test_a_process_killed_between_two_resources_leaves_the_first_in_the_state(bench: Bench) -> None:
    bench.write(CHAIN)
    here = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(bench.root)], cwd=here, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "hanging\n"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        process.stdout.close()

    names = {item.name for item in bench.state.resources.values()}
    bench.cloud.things["aws:sns/topic:Topic/first"] = {"name": "first", "revision": 1}
    outcome = bench.up()

    assert names == {"shop-dev", "first"}
    assert outcome.counts == {"same": 1, "create": 2}


def test_a_cycle_in_a_damaged_state_is_still_deleted_once_each(bench: Bench) -> None:
    one = Resource(urn="u::p::t::one", type="t", name="one", dependencies=("u::p::t::two",))
    two = Resource(urn="u::p::t::two", type="t", name="two", dependencies=("u::p::t::one",))

    order = deletion_order([one, two], {})

    assert sorted(item.name for item in order) == ["one", "two"]


def test_deletion_follows_dependencies_through_what_stays() -> None:
    base = Resource(urn="u::p::t::base", type="t", name="base")
    stays = Resource(urn="u::p::t::stays", type="t", name="stays", dependencies=(base.urn,))
    top = Resource(urn="u::p::t::top", type="t", name="top", dependencies=(stays.urn,))

    order = deletion_order([base, top], {item.urn: item for item in (base, stays, top)})

    assert order == [top, base]


def test_a_state_is_readable_by_its_owner_only(bench: Bench) -> None:
    bench.up(CHAIN)

    assert bench.state_path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in bench.state_path.parent.iterdir()] == ["state.json"]


def test_a_state_survives_being_loaded_and_saved(bench: Bench) -> None:
    bench.up(CHAIN)

    assert State.load(bench.state_path).resources == bench.state.resources
    assert bench.state.resources != {}


def test_a_replacement_that_failed_after_its_deletion_is_created_by_the_next_run(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", name="fixed")')
    bench.cloud.failing = fails_on("create", "fixed")
    with pytest.raises(ResourceFailedError):
        bench.up('aws.sns.Topic("news", name="fixed", fifo_topic=True)')
    bench.cloud.failing = lambda _verb, _properties: None

    outcome = bench.up()

    assert outcome.counts == {"create": 1}
    assert bench.cloud.names() == {"fixed"}
