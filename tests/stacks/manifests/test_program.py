"""What the program declares for a cluster fits together, in every form that settings give it."""

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType

import kubernetes_validate
import pytest

from tests.stacks.manifests import contents, lives, ports, references
from tests.stacks.manifests.declared import Declared, Object, title
from tests.stacks.manifests.mistakes import CounterExample, counter_examples
from tests.stacks.manifests.variants import VARIANTS, Recorded

Check = Callable[[Declared], Iterator[str]]
CUSTOM = {"ServiceMonitor", "PrometheusRule", "TargetGroupBinding"}
"""Kinds that operators bring; tests/cluster holds them against definitions with a schema."""


def public(module: ModuleType) -> list[Check]:
    """The checks of a module."""
    found = vars(module).values()
    return [each for each in found if inspect.isgeneratorfunction(each) and each.__module__ == module.__name__]


CHECKS = {
    check.__name__: check
    for module in (ports, contents, references, lives)
    for check in public(module)
    if not check.__name__.startswith("_")
}
everywhere = pytest.mark.parametrize("variant", VARIANTS)


def version(declared: Declared) -> str:
    """Of the cluster that is made; of one that others made, the oldest in standard support as this is written."""
    clusters = declared.recording.of(lives.CLUSTER)
    return str(clusters[0].inputs["version"]) if clusters else "1.33"


def judged(item: Object, version: str) -> str:
    """What the schemas say of an object; nothing if all is well."""
    try:
        kubernetes_validate.validate(item, version, strict=True)
    except kubernetes_validate.ValidationError as wrong:
        return f"{title(item)}: {'.'.join(map(str, wrong.path))}: {wrong.message}"
    except kubernetes_validate.SchemaNotFoundError as unknown:
        return f"{title(item)}: {unknown.message}"
    return ""


@everywhere
def test_every_object_is_of_its_schema(declared: Recorded, variant: str) -> None:
    found = declared(variant)

    wrong = [judged(item, version(found)) for item in found.objects if item["kind"] not in CUSTOM]

    assert len(wrong) > 15
    assert not any(wrong), [problem for problem in wrong if problem]


@everywhere
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_it_holds_that(declared: Recorded, variant: str, check: Check) -> None:
    assert list(check(declared(variant))) == []


@everywhere
def test_what_must_be_there_first_is_waited_for_whatever_else_is_quick(declared: Recorded, variant: str) -> None:
    found = declared(variant, last_first=True)

    assert [*references.namespaces_come_first(found), *references.what_pods_name_is_there_first(found)] == []


@pytest.mark.parametrize("example", counter_examples(), ids=lambda each: f"{each.check} {each.action}")
def test_a_mistake_is_found(declared: Recorded, example: CounterExample) -> None:
    mistaken = example.made(declared(example.variant))

    found = list(CHECKS[example.check](mistaken))

    assert [text for text in found if example.says in text], found


def test_every_check_has_its_counter_example() -> None:
    assert {each.check for each in counter_examples()} == CHECKS.keys()


def test_the_pods_of_both_variants_are_declared_only_during_a_rollout(declared: Recorded) -> None:
    names = [[each.name for each in declared(variant).workloads()] for variant in ("cluster made here", "canary")]

    assert [sorted(each) for each in names] == [
        ["sentiment", "sentiment-nginx"],
        ["sentiment", "sentiment-canary", "sentiment-nginx"],
    ]


SCHEMA_MISTAKES = [
    ("Deployment sentiment spec/replica", 2, "'replica' was unexpected"),
    ("Deployment sentiment spec/template/spec/containers/0/ports/0/containerPort", "8000", "'8000' is not of type"),
    ("Deployment sentiment spec/selector", "sentiment", "'sentiment' is not of type"),
    ("Service sentiment spec/ports/0/protocol", 6, "6 is not of type"),
    ("HorizontalPodAutoscaler sentiment apiVersion", "autoscaling/v2beta2", "Couldn't find schema"),
    ("Deployment sentiment kind", "Deploiment", "Couldn't find schema"),
]


@pytest.mark.parametrize(("where", "value", "message"), SCHEMA_MISTAKES)
def test_what_is_not_of_its_schema_is_named(declared: Recorded, where: str, value: object, message: str) -> None:
    mistaken = declared("cluster made here").edited(where, value)

    found = [judged(item, "1.34") for item in mistaken.objects if item["kind"] not in CUSTOM]

    assert any(message in problem for problem in found), [problem for problem in found if problem]
