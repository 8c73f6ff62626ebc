"""What the containers are told is what they know: paths that are served, variables that are read."""

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from unittest.mock import patch

from pydantic import ValidationError
from starlette.routing import BaseRoute, Route

from services.sentiment.app import create_app
from services.sentiment.settings import Settings
from services.sentiment.wiring import Services
from tests.stacks.manifests.declared import Declared, Workload, title
from tests.stacks.manifests.nginx_file import fronts
from tests.stacks.manifests.ports import TARGETS

API_STAGE_SECONDS = 30
"""What an HTTP API waits."""


@cache
def served(environment: frozenset[tuple[str, str]]) -> frozenset[str]:
    """The paths of the app that this environment makes."""
    app = create_app(Services(_settings(dict(environment))))
    return frozenset(_paths(app.router.routes))


def apps(declared: Declared) -> list[Workload]:
    """The Deployments of the service itself."""
    return [each for each in declared.workloads() if each.labels["app.kubernetes.io/component"] == "api"]


def variables_are_fields(declared: Declared) -> Iterator[str]:
    fields = {name.upper() for name in Settings.model_fields}
    for workload in apps(declared):
        names = [name for name, _ in workload.environment()]
        for name in sorted(fields - set(names)):
            yield f"{workload}: the service reads {name}, which is not set"
        for name in sorted(set(names) - fields):
            yield f"{workload}: {name} is set, and the service does not read it"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{workload}: {name} is set twice"


def values_are_taken(declared: Declared) -> Iterator[str]:
    for workload in apps(declared):
        try:
            _settings(dict(workload.environment()))
        except ValidationError as wrong:
            yield from (f"{workload}: {error['loc'] or ''} {error['msg']}" for error in wrong.errors())


def the_pod_is_told_its_own_address_and_port(declared: Declared) -> Iterator[str]:
    for workload in apps(declared):
        told = dict(workload.environment())
        if told.get("HOST") != "$(status.podIP)":
            yield f"{workload}: HOST is {told.get('HOST')}, not the pod's own address"
        if int(told["PORT"]) not in workload.ports.values():
            yield f"{workload}: PORT is {told['PORT']}, and its pods have {workload.ports}"


def probes_ask_what_is_served(declared: Declared) -> Iterator[str]:
    known = {each.name: served(frozenset(each.environment())) for each in apps(declared)}
    known |= {nginx.workload.name: frozenset(nginx.answers) for nginx in fronts(declared)}
    for workload in declared.workloads():
        for name, probe in workload.probes.items():
            if probe["path"] not in known[workload.name]:
                yield f"{workload}: {name} asks {probe['path']}, which is not served"


def the_balancer_asks_what_nginx_serves(declared: Declared) -> Iterator[str]:
    """And nginx asks a pod, so that an nginx with nobody behind it gets no requests."""
    for nginx in fronts(declared):
        for group in declared.recording.of(TARGETS):
            path = group.inputs["healthCheck"]["path"]
            if path not in nginx.answers:
                yield f"target group {group.name}: asks {path}, which nginx does not know"
        asked = {path for _, path in nginx.passes_to if path}
        for path in sorted(asked - _served_by_all(declared)):
            yield f"nginx: asks pods for {path}, which they do not serve"


def nginx_knows_every_route(declared: Declared) -> Iterator[str]:
    for nginx in fronts(declared):
        for path in sorted(_served_by_all(declared) - nginx.routes - nginx.hidden):
            if not path.startswith("/docs/"):  # the page's own files, of which there are many
                yield f"nginx: {path} is served, and the log does not know it"
        for path in sorted(nginx.routes - _served_by_all(declared)):
            yield f"nginx: the log knows {path}, which is not served"


def metrics_stay_inside(declared: Declared) -> Iterator[str]:
    for nginx in fronts(declared):
        if "/metrics" not in nginx.hidden:
            yield "nginx: /metrics is to be had from outside"


def service_monitors_scrape_what_is_served(declared: Declared) -> Iterator[str]:
    for monitor in declared.of("ServiceMonitor"):
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint.get("path", "/metrics") not in _served_by_all(declared):
                yield f"{title(monitor)}: scrapes {endpoint['path']}, which is not served"


def the_innermost_gives_up_first(declared: Declared) -> Iterator[str]:
    """Service, nginx, HTTP API: so that whoever knows what took long says so."""
    for nginx in fronts(declared):
        for workload in apps(declared):
            own = int(dict(workload.environment())["REQUEST_TIMEOUT_MS"]) / 1000
            if not own < nginx.waits_seconds < API_STAGE_SECONDS:
                yield f"{workload} gives up after {own} s, nginx after {nginx.waits_seconds} s, the API after 30 s"


def _served_by_all(declared: Declared) -> frozenset[str]:
    return frozenset.intersection(*(served(frozenset(each.environment())) for each in apps(declared)))


def _settings(environment: Mapping[str, str]) -> Settings:
    with patch.dict(os.environ, environment):
        return Settings()


def _paths(routes: Iterable[BaseRoute]) -> Iterator[str]:
    for route in routes:
        if isinstance(route, Route):
            yield route.path
        elif router := getattr(route, "original_router", None):  # how FastAPI keeps what was included
            yield from _paths(router.routes)
