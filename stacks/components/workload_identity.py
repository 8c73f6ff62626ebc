"""Who a pod is: a ServiceAccount, and a role of AWS with exactly what the pod's code uses."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from stacks.components.arguments import checked_name
from stacks.components.namespaces import Namespace, managed
from stacks.components.uses import Use, assume_role_document, policy_document

_PODS = "pods.eks.amazonaws.com"


class WorkloadIdentity(pulumi.ComponentResource):
    """A ServiceAccount of the component's name; with uses also a role, by EKS Pod Identity.

    Attributes:
        account: The ServiceAccount's name.
        uses: By variable: what whoever runs as it is given.
        ready: What must exist before a pod starts; one that starts earlier has no credentials until it is restarted.
    """

    account: str
    uses: Mapping[str, Use]
    ready: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        namespace: Namespace,
        uses: Mapping[str, Use] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("quintet:compute:WorkloadIdentity", checked_name(name), None, opts)
        self.account, self.uses = name, uses or {}
        child = pulumi.ResourceOptions(parent=self, depends_on=list(namespace.ready))
        account = kubernetes.core.v1.ServiceAccount(
            f"{name}-account",
            metadata={"name": name, "namespace": namespace.name, "labels": managed()},
            # Nothing of ours calls the Kubernetes API; Pod Identity brings a token of its own.
            automount_service_account_token=False,
            opts=child,
        )
        self.ready = [account, *(self._role(name, namespace) if self.uses else [])]
        self.register_outputs({"account": name})

    def _role(self, name: str, namespace: Namespace) -> list[pulumi.Resource]:
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(f"{name}-role", assume_role_policy=assume_role_document(_PODS, tags=True), opts=child)
        statements = [statement for use in self.uses.values() for statement in use.statements]
        policy = aws.iam.RolePolicy(
            f"{name}-role-policy", role=role.name, policy=policy_document(statements), opts=child
        )
        association = aws.eks.PodIdentityAssociation(
            f"{name}-identity",
            cluster_name=namespace.cluster.name,
            namespace=namespace.name,
            service_account=name,
            role_arn=role.arn,
            opts=child,
        )
        return [policy, association]
