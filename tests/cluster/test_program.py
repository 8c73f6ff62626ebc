"""Everything that the program declares for a cluster is taken by the API server, for real."""

import copy
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.api import Api, Object, RefusedError
from tests.stacks.manifests.declared import Declared, title
from tests.stacks.manifests.lives import quantity
from tests.stacks.manifests.variants import VARIANTS, Recorded

Applied = Callable[..., list[Object]]
everywhere = pytest.mark.parametrize("variant", VARIANTS)
DIGEST = "b" * 64


@pytest.fixture
def applied(api: Api) -> Iterator[Applied]:
    """Applies all objects in their order, or creates them; takes them away again after the test."""
    there: list[Object] = []

    def apply(declared: Declared, *, create: bool = False) -> list[Object]:
        there.extend(declared.objects)
        return [(api.create if create else api.apply)(item) for item in declared.objects]

    yield apply
    known = {title(item): item for item in there}
    for item in reversed(known.values()):
        api.delete(item)


def pods(declared: Declared) -> list[Object]:
    """The pod that each Deployment would have made, were there a controller."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": each.name, "namespace": each.namespace, "labels": dict(each.labels)},
            "spec": copy.deepcopy(each.pod),
        }
        for each in declared.workloads()
    ]


@everywhere
@pytest.mark.parametrize("last_first", [False, True], ids=["by name", "the other way round"])
def test_everything_is_taken_without_a_warning(
    api: Api, applied: Applied, declared: Recorded, variant: str, last_first: bool
) -> None:
    given = declared(variant, last_first=last_first)

    made = applied(given)

    assert [title(item) for item in made] == [title(item) for item in given.objects]
    assert api.warnings == []


@everywhere
def test_everything_can_be_created(api: Api, applied: Applied, declared: Recorded, variant: str) -> None:
    """By the stricter of two readers: a field that is there twice, or that nobody knows, is no field for it."""
    made = applied(declared(variant), create=True)

    assert len(made) == len(declared(variant).objects)
    assert api.warnings == []


@everywhere
def test_what_is_applied_again_stays_as_it_is(api: Api, applied: Applied, declared: Recorded, variant: str) -> None:
    first = applied(declared(variant))

    second = [api.apply(item) for item in declared(variant).objects]

    versions = [[item["metadata"]["resourceVersion"] for item in each] for each in (first, second)]
    assert versions[0] == versions[1]


@everywhere
def test_the_server_keeps_every_field_that_was_declared(
    api: Api, applied: Applied, declared: Recorded, variant: str
) -> None:
    applied(declared(variant))

    for item in declared(variant).objects:
        kept = api.read(item)
        assert list(lost({key: part for key, part in item.items() if key != "stringData"}, kept)) == [], title(item)


@everywhere
def test_every_pod_may_run_where_only_those_without_rights_may(
    api: Api, applied: Applied, declared: Recorded, variant: str
) -> None:
    applied(declared(variant))

    for pod in pods(declared(variant)):
        api.create(pod, dry_run=True)

    assert api.warnings == []


def test_a_pod_with_rights_may_not_run_there(api: Api, applied: Applied, declared: Recorded) -> None:
    applied(declared("operator"))
    [pod, *_] = pods(declared("operator"))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True

    with pytest.raises(RefusedError, match='violates PodSecurity "restricted'):
        api.create(pod, dry_run=True)


@everywhere
def test_a_new_version_is_taken_over_an_old_one(api: Api, applied: Applied, declared: Recorded, variant: str) -> None:
    old = declared(variant)
    applied(old)
    new = old
    for workload in old.workloads():
        container = f"Deployment {workload.name} spec/template/spec/containers/0"
        repository = workload.container["image"].partition("@")[0]
        new = new.edited(f"{container}/image", f"{repository}@sha256:{DIGEST}")

    changed = applied(new)

    images = [item["spec"]["template"]["spec"]["containers"][0]["image"] for item in changed if is_deployment(item)]
    generations = [item["metadata"]["generation"] for item in changed if is_deployment(item)]
    assert all(image.endswith(DIGEST) for image in images)
    assert set(generations) == {2}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cluster made here", "canary"),
        ("canary", "cluster made here"),
        ("cluster made here", "keys"),
        ("keys", "valkey"),
        ("existing cluster", "existing cluster with the controller"),
    ],
)
def test_one_form_is_taken_over_another(
    api: Api, applied: Applied, declared: Recorded, before: str, after: str
) -> None:
    applied(declared(before))

    applied(declared(after))

    assert api.warnings == []


def test_the_custom_resources_tell_a_misspelt_field(api: Api, applied: Applied, declared: Recorded) -> None:
    found = declared("operator")
    applied(found)

    for kind in ("ServiceMonitor", "PrometheusRule", "TargetGroupBinding"):
        [item, *_] = copy.deepcopy(found.of(kind))
        item["spec"]["misspelt"] = 1
        with pytest.raises(RefusedError, match="misspelt: field not declared in schema"):
            api.apply(item)


def is_deployment(item: Object) -> bool:
    return bool(item["kind"] == "Deployment")


def lost(given: object, kept: object, at: str = "") -> Iterator[str]:
    """Where the server keeps something else than was given; it may add to objects, and write quantities differently."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key not in kept:
                yield f"{at}/{key} is gone"
            else:
                yield from lost(value, kept[key], f"{at}/{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{at}/{index}")
    elif given != kept and not same_quantity(given, kept, at):
        yield f"{at} is {kept}, not {given}"


def same_quantity(given: object, kept: object, at: str) -> bool:
    if not ("/resources/" in at or at.endswith("/sizeLimit")):
        return False
    return quantity(str(given)) == quantity(str(kept))


def test_what_the_server_lost_would_be_told() -> None:
    given = {"a": [{"b": "1000m"}], "c": 1, "resources": {"cpu": "1000m", "memory": "1Gi"}}
    kept = {"a": [{"b": "1"}], "d": 1, "resources": {"cpu": "1", "memory": "1000Mi"}}

    assert list(lost(given, kept)) == ["/a/0/b is 1, not 1000m", "/c is gone", "/resources/memory is 1000Mi, not 1Gi"]
