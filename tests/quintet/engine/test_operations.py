"""What happens to a resource between two runs of the program."""

import re

import pytest

from quintet.sandbox.engine import UNKNOWN, ResourceFailedError
from tests.quintet.engine.conftest import Bench

ONE_TOPIC = 'topic = aws.sns.Topic("news", display_name="News")\npulumi.export("arn", topic.arn)\n'


def test_a_new_resource_is_created_under_a_name_by_the_pattern(bench: Bench) -> None:
    outcome = bench.up(ONE_TOPIC)

    (name,) = bench.cloud.names()
    assert re.fullmatch(r"shop-dev-news-[0-9a-f]{8}", name)
    assert outcome.counts == {"create": 1}
    assert outcome.outputs == {"arn": f"arn:aws:sns:us-east-1:123456789012:{name}"}


def test_an_unchanged_resource_is_kept_and_resumed_under_its_name(bench: Bench) -> None:
    first = bench.up(ONE_TOPIC)

    second = bench.up()

    assert second.counts == {"same": 1}
    assert second.outputs == first.outputs
    assert bench.cloud.verbs() == ["resume"]


def test_an_unchanged_stack_is_not_written_again(bench: Bench) -> None:
    component = """
    class Shop(pulumi.ComponentResource):
        def __init__(self, name):
            super().__init__("shop:a:Shop", name)
            self.topic = aws.sns.Topic(f"{name}-news", opts=ResourceOptions(parent=self))
            self.register_outputs({"arn": self.topic.arn})
    pulumi.export("arn", Shop("shop").topic.arn)
    """
    bench.up(component)
    before = bench.state_path.stat()

    bench.up()

    assert bench.state_path.stat().st_ino == before.st_ino


def test_a_changed_input_updates_in_place(bench: Bench) -> None:
    bench.up(ONE_TOPIC)
    (name,) = bench.cloud.names()

    outcome = bench.up(ONE_TOPIC.replace("News", "Views"))

    assert outcome.counts == {"update": 1}
    assert bench.cloud.names() == {name}
    assert [event.changed for event in bench.events] == [("displayName",), ("displayName",)]


def test_an_input_that_is_no_longer_declared_is_no_output_either(bench: Bench) -> None:
    bench.up(ONE_TOPIC)

    outcome = bench.up('aws.sns.Topic("news")')

    topic = next(item for item in outcome.resources.values() if item.name == "news")
    assert "displayName" not in topic.outputs
    assert topic.outputs["revision"] == 2


def test_a_replacement_is_made_under_a_fresh_name_before_the_old_one_goes(bench: Bench) -> None:
    bench.up(ONE_TOPIC)
    (old,) = bench.cloud.names()

    outcome = bench.up('aws.sns.Topic("news", fifo_topic=True)')

    (new,) = bench.cloud.names()
    assert outcome.counts == {"replace": 1}
    assert bench.cloud.calls == [("create", new), ("delete", old)]
    assert new != old


def test_a_replacement_under_the_same_name_deletes_first(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", name="fixed")')

    bench.up('aws.sns.Topic("news", name="fixed", fifo_topic=True)')

    assert bench.cloud.calls == [("delete", "fixed"), ("create", "fixed")]
    assert bench.state.pending_deletes == []


def test_delete_before_replace_is_obeyed(bench: Bench) -> None:
    bench.up(ONE_TOPIC)

    bench.up('aws.sns.Topic("news", fifo_topic=True, opts=ResourceOptions(delete_before_replace=True))')

    assert bench.cloud.verbs() == ["delete", "create"]


def test_replace_on_changes_replaces_what_would_be_updated(bench: Bench) -> None:
    bench.up(ONE_TOPIC)

    outcome = bench.up(
        'aws.sns.Topic("news", display_name="Views", opts=ResourceOptions(replace_on_changes=["displayName"]))'
    )

    assert outcome.counts == {"replace": 1}


def test_what_is_no_longer_declared_is_deleted_after_what_depends_on_it(bench: Bench) -> None:
    bench.up(
        """
        first = aws.sns.Topic("first", name="first")
        second = aws.sns.Topic("second", name="second", display_name=first.arn)
        third = aws.sns.Topic("third", name="third", opts=ResourceOptions(depends_on=[second]))
        """
    )

    outcome = bench.up("")

    assert bench.cloud.calls == [("delete", "third"), ("delete", "second"), ("delete", "first")]
    assert outcome.counts == {"delete": 3}
    assert [item.type for item in bench.state.resources.values()] == ["pulumi:pulumi:Stack"]


def test_destroy_deletes_everything_dependants_first(bench: Bench) -> None:
    bench.up(
        """
        first = aws.sns.Topic("first", name="first")
        aws.sns.Topic("second", name="second", display_name=first.arn)
        """
    )
    bench.cloud.calls.clear()

    outcome = bench.deployment().destroy()

    assert bench.cloud.calls == [("delete", "second"), ("delete", "first")]
    assert outcome.counts == {"delete": 2}
    assert bench.state.resources == {}
    assert bench.state.outputs == {}


def test_a_retained_resource_is_forgotten_but_not_deleted(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", opts=ResourceOptions(retain_on_delete=True))')

    bench.up("")

    assert bench.cloud.verbs() == []
    assert len(bench.cloud.things) == 1
    assert not any(item.name == "news" for item in bench.state.resources.values())


def test_a_replaced_resource_that_is_retained_is_not_deleted(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", opts=ResourceOptions(retain_on_delete=True))')

    bench.up('aws.sns.Topic("news", fifo_topic=True, opts=ResourceOptions(retain_on_delete=True))')

    assert bench.cloud.verbs() == ["create"]
    assert len(bench.cloud.things) == 2


@pytest.mark.parametrize("program", ["", 'aws.sns.Topic("news", fifo_topic=True, opts=ResourceOptions(protect=True))'])
def test_a_protected_resource_is_neither_deleted_nor_replaced(bench: Bench, program: str) -> None:
    bench.up('aws.sns.Topic("news", opts=ResourceOptions(protect=True))')

    with pytest.raises(ResourceFailedError, match="Topic news: it is protected"):
        bench.up(program)

    assert "delete" not in bench.cloud.verbs()
    assert "create" not in bench.cloud.verbs()


def test_destroy_deletes_nothing_while_one_resource_is_protected(bench: Bench) -> None:
    bench.up('aws.sns.Topic("a")\naws.sns.Topic("b", opts=ResourceOptions(protect=True))')

    with pytest.raises(ResourceFailedError, match="Topic b: it is protected"):
        bench.deployment().destroy()

    assert len(bench.cloud.things) == 2


def test_children_inherit_protection_and_retention(bench: Bench) -> None:
    bench.up(
        """
        class Shop(pulumi.ComponentResource):
            def __init__(self, name, opts):
                super().__init__("shop:a:Shop", name, None, opts)
                aws.sns.Topic("news", opts=ResourceOptions(parent=self))
                self.register_outputs({})
        Shop("shop", ResourceOptions(protect=True, retain_on_delete=True))
        """
    )

    topic = next(item for item in bench.state.resources.values() if item.name == "news")

    assert topic.options.protect
    assert topic.options.retain_on_delete


def test_ignored_changes_keep_the_old_value_and_any_other_change_is_made(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news", display_name="old", tags={"owner": "a", "stage": "x"})')

    bench.up(
        """
        aws.sns.Topic(
            "news", display_name="new", tags={"owner": "b", "stage": "y"},
            opts=ResourceOptions(ignore_changes=["display_name", "tags.owner"]),
        )
        """
    )

    (thing,) = bench.cloud.things.values()
    assert thing["displayName"] == "old"
    assert thing["tags"] == {"owner": "a", "stage": "y"}


def test_refresh_drops_what_is_gone_and_the_next_run_makes_it_again(bench: Bench) -> None:
    bench.up(ONE_TOPIC + 'aws.sns.Topic("other", name="other")')
    del bench.cloud.things["aws:sns/topic:Topic/other"]

    refreshed = bench.deployment().refresh()
    healed = bench.up()

    assert refreshed.counts == {"read": 2}
    assert healed.counts == {"same": 1, "create": 1}


def test_a_type_the_cloud_does_not_realise_is_listed(bench: Bench) -> None:
    bench.cloud.declared_only = {"aws:sns/topic:Topic"}

    outcome = bench.up(ONE_TOPIC)

    assert outcome.declared_only == ("aws:sns/topic:Topic",)


def test_a_type_the_cloud_has_learnt_to_realise_is_created(bench: Bench) -> None:
    bench.cloud.declared_only = {"aws:sns/topic:Topic"}
    bench.up('aws.sns.Topic("news", name="declared")')
    bench.cloud.declared_only = set()
    bench.cloud.things.clear()

    outcome = bench.up()

    assert outcome.counts == {"create": 1}
    assert outcome.declared_only == ()


def test_a_preview_calls_nothing_and_saves_nothing(bench: Bench) -> None:
    outcome = bench.preview(ONE_TOPIC)

    assert outcome.counts == {"create": 1}
    assert bench.cloud.calls == []
    assert not bench.state_path.exists()


def test_a_first_preview_has_unknown_outputs_and_does_not_run_what_needs_them(bench: Bench) -> None:
    outcome = bench.preview(
        """
        topic = aws.sns.Topic("news")
        def shout(arn):
            raise RuntimeError("ran on an unknown value")
        pulumi.export("arn", topic.arn)
        pulumi.export("shouted", topic.arn.apply(shout))
        aws.sns.Topic("second", display_name=topic.arn)
        """
    )

    assert outcome.outputs == {"arn": UNKNOWN, "shouted": UNKNOWN}
    assert next(item for item in outcome.resources.values() if item.name == "second").inputs["displayName"] == UNKNOWN


def test_the_preview_of_an_update_knows_what_stays_and_not_what_may_change(bench: Bench) -> None:
    program = """
    topic = aws.sns.Topic("news", display_name="{}")
    pulumi.export("arn", topic.arn)
    """
    first = bench.up(program.format("a"))

    outcome = bench.preview(program.format("b"))

    topic = next(item for item in outcome.resources.values() if item.name == "news")
    assert outcome.counts == {"update": 1}
    assert outcome.outputs == first.outputs
    assert topic.outputs["revision"] == UNKNOWN


def test_a_preview_tells_replacements_and_deletions(bench: Bench) -> None:
    bench.up('aws.sns.Topic("a")\naws.sns.Topic("b")')
    saved = bench.state_path.read_bytes()

    outcome = bench.preview('aws.sns.Topic("a", fifo_topic=True)')

    assert outcome.counts == {"replace": 1, "delete": 1}
    assert bench.state_path.read_bytes() == saved


def test_an_existing_resource_is_read_for_get_and_a_missing_one_is_named(bench: Bench) -> None:
    bench.cloud.things["elsewhere"] = {"arn": "arn:aws:sns:us-east-1:123456789012:elsewhere", "name": "elsewhere"}
    program = 'pulumi.export("arn", aws.sns.Topic.get("found", "{}").arn)'

    outcome = bench.up(program.format("elsewhere"))
    with pytest.raises(ResourceFailedError, match="no aws:sns/topic:Topic with the id nowhere"):
        bench.up(program.format("nowhere"))

    assert outcome.outputs == {"arn": "arn:aws:sns:us-east-1:123456789012:elsewhere"}


def test_a_provider_function_is_asked_of_the_cloud(bench: Bench) -> None:
    outcome = bench.up('pulumi.export("account", aws.get_caller_identity().account_id)')

    assert outcome.outputs == {"account": "123456789012"}


def test_an_explicit_provider_is_accepted(bench: Bench) -> None:
    outcome = bench.up(
        """
        west = aws.Provider("west", region="us-west-2")
        aws.sns.Topic("news", opts=ResourceOptions(provider=west))
        """
    )

    assert outcome.counts == {"create": 1}


def test_old_style_transformations_change_what_is_declared(bench: Bench) -> None:
    bench.up(
        """
        def tagged(args):
            return pulumi.ResourceTransformationResult({**args.props, "displayName": "tagged"}, args.opts)
        pulumi.runtime.register_stack_transformation(tagged)
        aws.sns.Topic("news")
        """
    )

    (thing,) = bench.cloud.things.values()
    assert thing["displayName"] == "tagged"


def test_the_preview_of_an_unchanged_stack_knows_every_output(bench: Bench) -> None:
    first = bench.up(ONE_TOPIC)

    outcome = bench.preview()

    assert outcome.counts == {"same": 1}
    assert outcome.outputs == first.outputs
