"""Secrets reach the cloud in plain text, and stay marked everywhere else."""

from quintet.sandbox.engine import Resource
from tests.quintet.engine.conftest import Bench


def topic_of(bench: Bench) -> Resource:
    return next(item for item in bench.state.resources.values() if item.name == "news")


def test_a_secret_output_is_told_as_secret(bench: Bench) -> None:
    outcome = bench.up('pulumi.export("password", pulumi.Output.secret("geheim"))\npulumi.export("open", "yes")')

    assert outcome.outputs == {"password": "geheim", "open": "yes"}
    assert outcome.secret_outputs == {"password"}
    assert bench.state.secret_outputs == {"password"}


def test_a_secret_input_is_plain_for_the_cloud_and_marked_in_the_state(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", tags={"key": pulumi.Output.secret("geheim")}, display_name="open")')

    (thing,) = bench.cloud.things.values()
    assert thing["tags"] == {"key": "geheim"}
    assert topic_of(bench).secrets == {"tags"}


def test_what_is_made_from_a_secret_output_is_secret(bench: Bench) -> None:
    outcome = bench.up(
        """
        topic = aws.sns.Topic("news", display_name=pulumi.Output.secret("geheim"))
        pulumi.export("length", topic.display_name.apply(len))
        """
    )

    assert outcome.outputs == {"length": 6}
    assert outcome.secret_outputs == {"length"}


def test_secrets_stay_secret_when_nothing_changes(bench: Bench) -> None:
    program = (
        'topic = aws.sns.Topic("news", display_name=pulumi.Output.secret("geheim"))\n'
        'pulumi.export("name", topic.display_name)'
    )
    bench.up(program)

    assert bench.up().secret_outputs == {"name"}


def test_additional_secret_outputs_are_marked(bench: Bench) -> None:
    outcome = bench.up(
        """
        topic = aws.sns.Topic("news", opts=ResourceOptions(additional_secret_outputs=["arn"]))
        pulumi.export("arn", topic.arn)
        """
    )

    assert outcome.secret_outputs == {"arn"}


def test_a_secret_in_a_preview_is_marked_too(bench: Bench) -> None:
    outcome = bench.preview('pulumi.export("password", pulumi.Output.secret("geheim"))')

    assert outcome.secret_outputs == {"password"}


def test_the_printed_form_of_a_resource_holds_no_values(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", display_name=pulumi.Output.secret("geheim"))')

    assert "geheim" not in repr(topic_of(bench))
