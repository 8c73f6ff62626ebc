"""The way of an HTTP API into a network."""

from quintet.sandbox.kinds.apigatewayv2 import Gateway
from quintet.sandbox.kinds.base import Properties, kind
from quintet.sandbox.kinds.calls import RefusedError, absent, present


@kind
class VpcLink(Gateway):
    """Interfaces of an API in subnets; AWS never changes where they are."""

    token = "aws:apigatewayv2/vpcLink:VpcLink"
    name_input = "name"
    name_limit = 128
    replace_on = frozenset({"securityGroupIds", "subnetIds"})
    consumed = frozenset({"tags"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it in subnets and groups of one network."""
        subnets, groups = inputs["subnetIds"], inputs.get("securityGroupIds") or []
        self._require_one_network(subnets, groups)
        tags = {"Tags": inputs["tags"]} if inputs.get("tags") else {}
        made = self._gateway.create_vpc_link(Name=inputs["name"], SubnetIds=subnets, SecurityGroupIds=groups, **tags)
        id_ = made["VpcLinkId"]
        return id_, {"arn": self._arn(id_), "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its tags; another name makes another link."""
        self._tag(self._arn(id_), old, inputs)
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._gateway.delete_vpc_link(VpcLinkId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._gateway.get_vpc_link(VpcLinkId=id_)) else None

    def _arn(self, id_: str) -> str:
        return f"arn:aws:apigateway:{self.world.region}::/vpclinks/{id_}"

    def _require_one_network(self, subnets: list[str], groups: list[str]) -> None:
        ec2 = self.world.client("ec2")
        described = ec2.describe_subnets(SubnetIds=subnets)["Subnets"] if subnets else []
        admitted = ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"] if groups else []
        vpcs = {each["VpcId"] for each in (*described, *admitted)}
        if not described or len(vpcs) != 1:
            named = ", ".join(sorted(vpcs)) or "none"
            raise RefusedError(f"a VPC link has subnets and security groups of one network; those given are of {named}")
