"""What runs in a cluster has no rights there, and comes from the account's own registry."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy.declared import UNKNOWN, Declared, Finding, Rule, Stack, listed

_NAMESPACE = "kubernetes:core/v1:Namespace"
_ENFORCE = "pod-security.kubernetes.io/enforce"
_OWN = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/.+")
_HOST = ("hostNetwork", "hostPID", "hostIPC")


def _rights(resource: Declared, _: Stack) -> Iterator[Finding]:
    if resource.type == _NAMESPACE:
        yield from _unguarded(resource)
    if resource.type.startswith("kubernetes:"):
        for pod in pods(resource.props.get("spec")):
            yield from _of_pod(pod)


def _unguarded(namespace: Declared) -> Iterator[Finding]:
    labels = namespace.get("metadata.labels")
    level = labels.get(_ENFORCE) if isinstance(labels, Mapping) else None
    if level not in {"restricted", UNKNOWN}:
        yield Finding(f"takes pods with rights ({_ENFORCE} is {level!r})", f"Label it `{_ENFORCE}: restricted`")


def pods(spec: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401  any JSON
    """The spec of every pod that an object makes, at any depth."""
    if not isinstance(spec, Mapping):
        return
    if isinstance(spec.get("containers"), list):
        yield spec
    for key in ("spec", "template", "jobTemplate"):
        yield from pods(spec.get(key))


def _of_pod(pod: Mapping[str, Any]) -> Iterator[Finding]:
    if shared := [key for key in _HOST if pod.get(key)]:
        yield Finding(f"shares its node's {', '.join(shared)}", "Leave them out")
    if any("hostPath" in volume for volume in listed(pod.get("volumes")) if isinstance(volume, Mapping)):
        yield Finding("mounts a folder of its node", "Use an emptyDir, or a ConfigMap")
    if pod.get("automountServiceAccountToken") is not False:
        fix = "Set `automountServiceAccountToken` to false; Pod Identity brings a token of its own"
        yield Finding("gets a token for the Kubernetes API", fix)
    of_pod = pod.get("securityContext") or {}
    for container in (*listed(pod.get("containers")), *listed(pod.get("initContainers"))):
        yield from _of_container(container, of_pod)


def _of_container(container: Mapping[str, Any], of_pod: Mapping[str, Any]) -> Iterator[Finding]:
    context = {**of_pod, **(container.get("securityContext") or {})}
    wrong = [sentence for wanted, sentence in _WANTED if not wanted(context)]
    if wrong:
        fix = "Make it with stacks/components/pods.py, which gives none"
        yield Finding(f"the container {container.get('name')} {' and '.join(wrong)}", fix)
    limits = (container.get("resources") or {}).get("limits") or {}
    if missing := [key for key in ("cpu", "memory") if not limits.get(key)]:
        yield Finding(
            f"the container {container.get('name')} may take all the {' and '.join(missing)} of its node",
            "Set `resources.limits`",
        )


_WANTED = (
    (lambda context: context.get("runAsNonRoot") is True and context.get("runAsUser") != 0, "may run as root"),
    (lambda context: context.get("readOnlyRootFilesystem") is True, "can write to its image"),
    (lambda context: context.get("allowPrivilegeEscalation") is False, "can gain rights"),
    (lambda context: not context.get("privileged"), "is privileged"),
    (lambda context: "ALL" in listed((context.get("capabilities") or {}).get("drop")), "keeps capabilities"),
    (
        lambda context: (context.get("seccompProfile") or {}).get("type") in {"RuntimeDefault", "Localhost"},
        "may make any system call",
    ),
)


def _origin(resource: Declared, _: Stack) -> Iterator[Finding]:
    if not resource.type.startswith("kubernetes:"):
        return
    for pod in pods(resource.props.get("spec")):
        for container in (*listed(pod.get("containers")), *listed(pod.get("initContainers"))):
            image = container.get("image")
            if image is not UNKNOWN and not _OWN.fullmatch(str(image)):
                yield Finding(
                    f"runs {image}, which others keep, and may take away",
                    "Build it into the account's own registry, as ServiceImage does",
                )


RIGHTS = Rule(
    name="pods-have-no-rights",
    why="Whoever breaks into a container finds nothing to go on with.",
    check=_rights,
)
ORIGIN = Rule(
    name="images-of-own-registry",
    why="What runs was scanned, and can be pulled when somebody else's registry cannot.",
    check=_origin,
)
