"""EKS: the sandbox's own cluster answers as the one that a program makes; there is no API server to reach."""

import base64
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import ONE_REGION, RefusedError, absent, present, require
from quintet.sandbox.kinds.lambda_ import trusts

if TYPE_CHECKING:
    from quintet.sandbox.world import World

_CREATED = "2026-01-01T00:00:00Z"
_NO_PLANE = "the sandbox's cluster has no control plane of its own"
_ZONES = 2
_PODS = "pods.eks.amazonaws.com"


@kind
class Cluster(Kind):
    """A cluster. Its security group is real, as rules name it; its pods run as processes of this machine."""

    token = "aws:eks/cluster:Cluster"
    name_input = "name"
    name_limit = 100
    replace_on = frozenset({"bootstrapSelfManagedAddons", "encryptionConfig", "roleArn"})
    volatile = frozenset({"platformVersion", "status"})
    consumed = frozenset(
        {"computeConfig", "deletionProtection", "kubernetesNetworkConfig", "roleArn", "storageConfig", "tags",
         "version", "vpcConfig"}
    )  # fmt: skip
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "accessConfig": _NO_PLANE,
        "defaultAddonsToRemoves": _NO_PLANE,
        "enabledClusterLogTypes": _NO_PLANE,
        "forceUpdateVersion": _NO_PLANE,
        "upgradePolicy": _NO_PLANE,
        "zonalShiftConfig": "there is one zone, this machine",
    }

    def check(self, inputs: Properties) -> Properties:
        """Auto Mode is on with compute, load balancing and block storage together, or off with all three."""
        require(inputs, "version", lambda value: value.startswith("1."), "a version is 1.xx")
        network = (inputs.get("kubernetesNetworkConfig") or {}).get("elasticLoadBalancing") or {}
        storage = (inputs.get("storageConfig") or {}).get("blockStorage") or {}
        parts = [bool((part or {}).get("enabled")) for part in (inputs.get("computeConfig"), network, storage)]
        if len(set(parts)) > 1:
            raise RefusedError(
                "`computeConfig`, `kubernetesNetworkConfig.elasticLoadBalancing` and `storageConfig.blockStorage` are "
                "enabled together (EKS Auto Mode) or not at all"
            )
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make its security group in the network of its subnets; its name is its id."""
        require_trust(self.world, inputs["roleArn"], "eks.amazonaws.com")
        network = self._network(inputs["vpcConfig"])
        name = inputs["name"]
        group = self._ec2.create_security_group(
            GroupName=f"eks-cluster-sg-{name}-{secrets.randbelow(10**9)}",
            Description="EKS created security group applied to ENI that is attached to EKS Control Plane master nodes",
            VpcId=network,
        )["GroupId"]
        outputs = {
            "arn": f"arn:aws:eks:{self.world.region}:{self.world.account}:cluster/{name}",
            # Nobody answers there: what the sandbox declares, it declares to its own cluster.
            "endpoint": f"https://{secrets.token_hex(16).upper()}.gr7.{self.world.region}.eks.amazonaws.com",
            "certificateAuthority": {"data": base64.b64encode(b"the sandbox has no certificate").decode()},
            "createdAt": _CREATED,
            "identities": [],
        }
        return name, {**outputs, **self._changing(inputs, group, network)}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Change what can be changed; it stays in its network."""
        before = old["vpcConfig"]
        network = self._network(inputs["vpcConfig"])
        if network != before["vpcId"]:
            raise RefusedError(f"the subnets of a cluster stay in its network, {before['vpcId']}")
        return self._changing(inputs, before["clusterSecurityGroupId"], network)

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it and its security group."""
        if outputs.get("deletionProtection"):
            raise RefusedError(f"the cluster {id_} has `deletionProtection`; set it to false, run `up`, then delete it")
        absent(lambda: self._ec2.delete_security_group(GroupId=outputs["vpcConfig"]["clusterSecurityGroupId"]))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether its security group is there."""
        group = outputs["vpcConfig"]["clusterSecurityGroupId"]
        return outputs if present(lambda: self._ec2.describe_security_groups(GroupIds=[group])) else None

    def _changing(self, inputs: Properties, group: str, network: str) -> Properties:
        return {
            "vpcConfig": {**inputs["vpcConfig"], "clusterSecurityGroupId": group, "vpcId": network},
            "version": inputs.get("version") or "1.34",
            "platformVersion": "eks.1",
            "status": "ACTIVE",
            "tagsAll": inputs.get("tags") or {},
        }

    def _network(self, config: Properties) -> str:
        """The one network of the subnets, which lie in two zones at least."""
        subnets = self._ec2.describe_subnets(SubnetIds=config["subnetIds"])["Subnets"]
        if len({subnet["AvailabilityZone"] for subnet in subnets}) < _ZONES:
            raise RefusedError("the subnets of a cluster are in two availability zones at least")
        networks = {subnet["VpcId"] for subnet in subnets}
        if len(networks) > 1:
            raise RefusedError(f"the subnets of a cluster are in one network, not in {', '.join(sorted(networks))}")
        return str(networks.pop())

    @property
    def _ec2(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("ec2")


class PartOfCluster(Kind):
    """What lies in a cluster and changes nothing in the sandbox's: its identity is its inputs."""

    identity: ClassVar[tuple[str, ...]]
    arn_of: ClassVar[tuple[str, str]]
    """The output that carries the ARN, and what the ARN calls it."""
    times: ClassVar[tuple[str, ...]] = ("createdAt", "modifiedAt")

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Take note of it."""
        output, noun = self.arn_of
        path = "/".join(str(inputs[name]).rpartition("/")[2] for name in self.identity)
        arn = f"arn:aws:eks:{self.world.region}:{self.world.account}:{noun}/{path}/{secrets.token_hex(8)}"
        given = {**({output: arn} if output else {}), **dict.fromkeys(self.times, _CREATED)}
        return ":".join(str(inputs[name]) for name in self.identity), {**given, **self._tagged(inputs)}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Take note of the change."""
        return self._tagged(inputs)

    def delete(self, id_: str, outputs: Properties) -> None:
        """Nothing was made."""

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """What was noted stays so."""
        return outputs

    def _tagged(self, inputs: Properties) -> Properties:
        return {"tagsAll": inputs.get("tags") or {}} if "tags" in self.consumed else {}


@kind
class Addon(PartOfCluster):
    """An add-on; none runs, as what they do is the sandbox's own part or nobody's."""

    token = "aws:eks/addon:Addon"
    identity, arn_of = ("clusterName", "addonName"), ("arn", "addon")
    replace_on = frozenset({"addonName", "clusterName"})
    consumed = frozenset({"addonName", "clusterName", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "addonVersion": "the sandbox runs no add-on",
        "configurationValues": "the sandbox runs no add-on",
        "podIdentityAssociations": "the sandbox runs no add-on",
        "preserve": "the sandbox runs no add-on",
        "resolveConflictsOnCreate": "the sandbox runs no add-on",
        "resolveConflictsOnUpdate": "the sandbox runs no add-on",
        "serviceAccountRoleArn": "the sandbox runs no add-on",
    }


@kind
class AccessEntry(PartOfCluster):
    """Who may use the API of a cluster."""

    token = "aws:eks/accessEntry:AccessEntry"
    identity, arn_of = ("clusterName", "principalArn"), ("accessEntryArn", "access-entry")
    replace_on = frozenset({"clusterName", "principalArn", "type"})
    consumed = frozenset({"clusterName", "principalArn", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "kubernetesGroups": _NO_PLANE, "userName": _NO_PLANE}


@kind
class AccessPolicyAssociation(PartOfCluster):
    """What somebody may do at the API of a cluster."""

    token = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
    identity, arn_of = ("clusterName", "principalArn", "policyArn"), ("", "access-policy")
    times = ("associatedAt", "modifiedAt")
    replace_on = frozenset({"clusterName", "policyArn", "principalArn"})
    consumed = frozenset({"clusterName", "policyArn", "principalArn"})
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "accessScope": _NO_PLANE}


@kind
class PodIdentityAssociation(PartOfCluster):
    """The role of the pods of a ServiceAccount: those that start from now on get its credentials."""

    token = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
    identity, arn_of = ("clusterName", "namespace", "serviceAccount"), ("associationArn", "podidentityassociation")
    replace_on = frozenset({"clusterName", "namespace", "serviceAccount"})
    consumed = frozenset({"clusterName", "namespace", "roleArn", "serviceAccount", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "disableSessionTags": "no policy here reads session tags"}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Give the role to the account."""
        _, outputs = super().create(inputs)
        id_ = f"a-{secrets.token_hex(9)}"
        self._associate(id_, inputs)
        return id_, {**{name: outputs[name] for name in ("associationArn", "tagsAll")}, "associationId": id_}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Give it another role."""
        self._associate(id_, inputs)
        return super().update(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Take the role away from pods that start from now on."""
        if self.world.kubernetes:
            self.world.kubernetes.dissociate(id_)

    def resume(self, id_: str, outputs: Properties) -> None:
        """A cluster that was started anew has none."""
        self._associate(id_, outputs)

    def _associate(self, id_: str, inputs: Properties) -> None:
        require_trust(self.world, inputs["roleArn"], _PODS, tags=True)
        if self.world.kubernetes is None:
            return
        from quintet.sandbox.kubernetes.credentials import Association  # noqa: PLC0415  brings aiohttp

        association = Association(
            cluster=inputs["clusterName"],
            namespace=inputs["namespace"],
            service_account=inputs["serviceAccount"],
            role_arn=inputs["roleArn"],
        )
        self.world.kubernetes.associate(id_, association)


def require_trust(world: "World", role_arn: str, service: str, *, tags: bool = False) -> None:
    """Refuse a role that a service may not assume.

    Args:
        world: Where.
        role_arn: The role.
        service: As a trust policy names it.
        tags: It also has to allow `sts:TagSession`, as Pod Identity tags every session.

    Raises:
        RefusedError: The message names the role and what its trust policy lacks.
    """
    role = present(lambda: world.client("iam").get_role(RoleName=role_arn.rpartition("/")[2]))
    if role is None:
        raise RefusedError(f"there is no role {role_arn}")
    policy = role["Role"]["AssumeRolePolicyDocument"]
    document = policy if isinstance(policy, dict) else json.loads(policy)
    for action in ("sts:AssumeRole", *(["sts:TagSession"] if tags else [])):
        if not trusts(document, service, action):
            raise RefusedError(
                f"the role {role_arn} cannot be used by {service}: its trust policy does not allow `{action}` to it"
            )
