"""The API server finds mistakes: each of these is refused with a message that names it."""

from collections.abc import Iterator

import pytest

from tests.cluster.api import Api, RefusedError
from tests.cluster.seeded import Mistake, all_healthy, healthy, seeded
from tests.stacks.manifests.editing import edited

TEMPLATE = "spec/template/spec/containers/0"


def named(mistake: Mistake) -> str:
    return mistake.name


@pytest.fixture(scope="module")
def deployed(server: Api) -> Iterator[Api]:
    """The healthy service is there."""
    for item in all_healthy():
        server.apply(item)
    yield server
    for item in reversed(all_healthy()):
        server.delete(item)


def test_what_is_right_is_taken_without_a_warning(api: Api, deployed: Api) -> None:
    for item in all_healthy()[1:]:
        renamed = edited(item, "metadata/name", "second")

        api.create(renamed, dry_run=True)

    assert api.warnings == []


@pytest.mark.parametrize("mistake", seeded("objects"), ids=named)
def test_an_object_is_refused_for(api: Api, deployed: Api, mistake: Mistake) -> None:
    with pytest.raises(RefusedError) as refused:
        api.create(_second(mistake), dry_run=True)

    assert mistake.message in str(refused.value)


@pytest.mark.parametrize("mistake", seeded("pods"), ids=named)
def test_a_pod_is_refused_for(api: Api, deployed: Api, mistake: Mistake) -> None:
    with pytest.raises(RefusedError) as refused:
        api.create(_second(mistake), dry_run=True)

    assert refused.value.status == 403
    assert mistake.message in str(refused.value)


@pytest.mark.parametrize("mistake", seeded("changes"), ids=named)
def test_what_cannot_be_changed_is(api: Api, deployed: Api, mistake: Mistake) -> None:
    changed = mistake.object
    if mistake.kind == "Deployment":
        labels = changed["spec"]["selector"]["matchLabels"]
        changed = edited(changed, "spec/template/metadata/labels", labels)

    with pytest.raises(RefusedError) as refused:
        api.apply(changed)

    assert mistake.message in str(refused.value)


def test_an_unknown_field_is_refused_when_it_is_applied_too(api: Api, deployed: Api) -> None:
    with pytest.raises(RefusedError, match=r"\.spec\.replica: field not declared in schema"):
        api.apply(edited(healthy("Deployment"), "spec/replica", 2))


def test_a_variable_that_is_there_twice_is_refused_when_it_is_applied(api: Api, deployed: Api) -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]

    with pytest.raises(RefusedError, match="duplicate entries for key"):
        api.apply(edited(healthy("Deployment"), f"{TEMPLATE}/env", twice))


def test_who_has_no_token_may_do_nothing(api: Api, deployed: Api) -> None:
    answer = api.http.get("/api/v1/namespaces/seeded/secrets", headers={"Authorization": "Bearer guessed"})

    assert answer.status_code == 401


def _second(mistake: Mistake) -> dict[str, object]:
    """With the mistake, and beside the healthy one of its kind."""
    made = mistake.object
    return made if mistake.path == "metadata/name" else edited(made, "metadata/name", "second")
