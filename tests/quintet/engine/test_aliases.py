"""A resource that is declared under another name is still the same one."""

import pytest

from quintet.sandbox.engine import ResourceFailedError
from quintet.sandbox.engine.urn import Alias, aliases_of, make_urn
from tests.quintet.engine.conftest import Bench

COMPONENT = """
class {cls}(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("shop:a:{cls}", name, None, opts)
        aws.sns.Topic(f"{{name}}-news", opts=ResourceOptions(parent=self))
        self.register_outputs({{}})
{cls}("{name}", ResourceOptions(aliases=[{aliases}]))
"""


def test_a_renamed_resource_keeps_its_physical_name(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news")')
    before = bench.cloud.names()

    outcome = bench.up('aws.sns.Topic("views", opts=ResourceOptions(aliases=[pulumi.Alias(name="news")]))')

    assert outcome.counts == {"same": 1}
    assert bench.cloud.names() == before
    assert [item.name for item in bench.state.resources.values()] == ["shop-dev", "views"]


def test_without_an_alias_a_renamed_resource_is_another_one(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news")')

    assert bench.up('aws.sns.Topic("views")').counts == {"create": 1, "delete": 1}


def test_an_alias_may_be_a_whole_urn(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news")')

    outcome = bench.up(
        'aws.sns.Topic("views", opts=ResourceOptions(aliases=["urn:pulumi:dev::shop::aws:sns/topic:Topic::news"]))'
    )

    assert outcome.counts == {"same": 1}


def test_a_resource_that_moves_into_a_component_is_found_by_its_old_parent(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news")')

    outcome = bench.up(
        """
        class Shop(pulumi.ComponentResource):
            def __init__(self, name):
                super().__init__("shop:a:Shop", name)
                alias = pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)
                aws.sns.Topic("news", opts=ResourceOptions(parent=self, aliases=[alias]))
                self.register_outputs({})
        Shop("shop")
        """
    )

    assert outcome.counts == {"same": 1}


def test_children_of_a_renamed_component_follow_it(bench: Bench) -> None:
    bench.up(COMPONENT.format(cls="Shop", name="shop", aliases=""))

    outcome = bench.up(COMPONENT.format(cls="Shop", name="store", aliases='pulumi.Alias(name="shop")'))

    assert outcome.counts == {"same": 1}


def test_children_of_a_component_of_a_new_type_follow_it(bench: Bench) -> None:
    bench.up(COMPONENT.format(cls="Shop", name="shop", aliases=""))

    outcome = bench.up(COMPONENT.format(cls="Store", name="shop", aliases='pulumi.Alias(type_="shop:a:Shop")'))

    assert outcome.counts == {"same": 1}


def test_what_depends_on_a_renamed_resource_is_deleted_before_it(bench: Bench) -> None:
    bench.up('first = aws.sns.Topic("a", name="a")\naws.sns.Topic("b", name="b", display_name=first.arn)')

    bench.up('aws.sns.Topic("c", name="a", opts=ResourceOptions(aliases=[pulumi.Alias(name="a")]))')
    bench.cloud.calls.clear()
    bench.deployment().destroy()

    assert bench.cloud.calls == [("delete", "a")]
    assert bench.cloud.things == {}


def test_an_alias_of_a_resource_that_is_still_declared_takes_nothing_away(bench: Bench) -> None:
    bench.up('aws.sns.Topic("news")')

    outcome = bench.up(
        """
        news = aws.sns.Topic("news")
        aws.sns.Topic(
            "views", display_name=news.arn, opts=ResourceOptions(aliases=[pulumi.Alias(name="news")])
        )
        """
    )

    assert outcome.counts == {"same": 1, "create": 1}


def test_a_resource_declared_twice_is_refused(bench: Bench) -> None:
    with pytest.raises(ResourceFailedError, match="Topic news: it is declared twice"):
        bench.up('aws.sns.Topic("news")\naws.sns.Topic("news")')


def test_alias_urns_cover_own_and_inherited_names() -> None:
    parent = make_urn(stack="dev", project="shop", parent="", type_="shop:a:Shop", name="store")
    old_parent = make_urn(stack="dev", project="shop", parent="", type_="shop:a:Shop", name="shop")

    found = aliases_of(
        [Alias(name="store-old")],
        [old_parent],
        stack="dev",
        project="shop",
        parent=parent,
        type_="aws:sns/topic:Topic",
        name="store-news",
    )

    assert {urn.rpartition("::")[2] for urn in found} == {"shop-news", "store-old", "shop-old"}
