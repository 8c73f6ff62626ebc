"""A cluster that keeps what the program declares and runs none of it: the tests run the pods, in containers."""

from pathlib import Path
from typing import Any

from quintet.sandbox.kubernetes.credentials import Association, Assume, PodIdentity
from quintet.sandbox.kubernetes.environment import PodFacts, Values, content, declared_environment
from quintet.sandbox.kubernetes.objects import Key, Object, ObjectStore, key_of
from quintet.sandbox.kubernetes.pod_spec import PodSpec, read_template


class DeclaredCluster:
    """In the place of `World.kubernetes`, with the same methods.

    Attributes:
        identity: Answers the pods' SDKs with credentials of their roles.
    """

    def __init__(self, assume: Assume) -> None:
        """Nothing listens before `identity` is started."""
        self.identity = PodIdentity(assume)
        self._objects = ObjectStore()

    # What the kinds of resources ask.

    def apply(self, value: Object, *, wait: bool = True) -> Object:
        """Keeps an object."""
        del wait
        return self._objects.put(value)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """An object, or None."""
        return self._objects.find(kind, namespace, name)

    def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Forgets an object."""
        return self._objects.remove(Key(kind, namespace, name))

    def associate(self, id_: str, association: Association) -> None:
        """A role for the pods of a ServiceAccount."""
        self.identity.put(id_, association)

    def dissociate(self, id_: str) -> None:
        """Forgets it."""
        self.identity.remove(id_)

    def add_listener(self, listener_arn: str, target_group_arn: str, health_check: dict[str, Any]) -> None:
        """No load balancer is open here."""

    def remove_listener(self, listener_arn: str) -> None:
        """None was open."""

    def listener_address(self, listener_arn: str) -> str | None:
        """None is open."""

    # What the tests ask.

    def pod(self, deployment: str) -> "DeclaredPod":
        """What the one Deployment of this name declares."""
        [found] = [value for value in self._objects.all("Deployment") if value["metadata"]["name"] == deployment]
        return DeclaredPod(found, self)

    def values(self, namespace: str) -> Values:
        """What the ConfigMaps and Secrets of a namespace hold."""
        return Values(self._objects, namespace)

    def files(self, namespace: str, config_map: str) -> dict[str, bytes]:
        """The files of a ConfigMap."""
        found = self._objects.find("ConfigMap", namespace, config_map)
        assert found, f"no ConfigMap {config_map} is declared in {namespace}"
        return content(found)


class DeclaredPod:
    """The pods of a Deployment.

    Attributes:
        name: The Deployment's.
        namespace: Where it is.
        template: As it is declared, `spec.template.spec`.
        spec: The same, as the sandbox reads it.
    """

    def __init__(self, deployment: Object, cluster: DeclaredCluster) -> None:
        """Reads it."""
        key = key_of(deployment)
        self.name, self.namespace, self.cluster = key.name, key.namespace, cluster
        self.template: dict[str, Any] = deployment["spec"]["template"]["spec"]
        self.spec: PodSpec = read_template(deployment["spec"]["template"])

    def environment(self, address: str) -> dict[str, str]:
        """The declared variables of a pod at this address, and no others."""
        facts = PodFacts(
            name=self.name,
            namespace=self.namespace,
            uid="0",
            address=address,
            service_account=self.spec.service_account,
            labels=self.spec.labels,
            annotations=self.spec.annotations,
        )
        return declared_environment(self.spec.containers[0], facts, self.cluster.values(self.namespace))

    def identity(self, pod: str, folder: Path) -> tuple[str, Path] | None:
        """Where a pod gets credentials and the token that it shows for them; None where it has no role."""
        identity = self.cluster.identity
        role = identity.role_of(self.namespace, self.spec.service_account)
        if role is None:
            return None
        token = folder / "token"
        token.write_text(identity.issue(role, pod))
        # A kubelet gives it to the group of the pod alone; here only the folder hides it.
        token.chmod(0o444)
        return identity.url, token
