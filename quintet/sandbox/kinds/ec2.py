"""Networks: what all types of EC2 share, then VPCs, subnets and their way to the internet.

The emulator keeps what it is told; that addresses fit into one another, and that what is named exists, is held here.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import ONE_REGION, RefusedError, absent, chosen, present, removed_tags, tag_list

_LARGEST, _SMALLEST = 16, 28
"""Prefix lengths of a VPC and of a subnet (Amazon VPC user guide, "VPC CIDR blocks")."""


class Ec2(Kind):
    """What all types of EC2 share."""

    noun: ClassVar[str]
    """What EC2 calls it in ARNs and where tags are given."""
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    @property
    def _ec2(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("ec2")

    def arn(self, id_: str) -> str:
        """Its ARN."""
        return f"arn:aws:ec2:{self.world.region}:{self.world.account}:{self.noun}/{id_}"

    def named(self, id_: str, inputs: Properties) -> Properties:
        """The outputs that all of them have."""
        return {"arn": self.arn(id_), "tagsAll": inputs.get("tags") or {}}

    def tagged(self, inputs: Properties) -> dict[str, Any]:
        """The tags as an argument of a call that makes it."""
        tags = inputs.get("tags")
        return {"TagSpecifications": [{"ResourceType": self.noun, "Tags": tag_list(tags)}]} if tags else {}

    def retag(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change the tags; the outputs that this changed."""
        if gone := removed_tags(old, inputs):
            self._ec2.delete_tags(Resources=[id_], Tags=[{"Key": name} for name in gone])
        if tags := inputs.get("tags"):
            self._ec2.create_tags(Resources=[id_], Tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}

    def described(self, what: str, **arguments: list[Any]) -> list[dict[str, Any]]:
        """What `describe_<what>` lists; nothing where EC2 answers that there is none."""
        answer = present(lambda: getattr(self._ec2, f"describe_{what}")(**arguments)) or {}
        return next((item for item in answer.values() if isinstance(item, list)), [])

    def existing(self, what: str, name: str, id_: str) -> dict[str, Any]:
        """What an input refers to.

        Args:
            what: As in `describe_<what>`.
            name: The argument of that call that takes ids.
            id_: The id.

        Raises:
            RefusedError: There is no such thing.
        """
        if found := self.described(what, **{name: [id_]}):
            return found[0]
        raise RefusedError(f"{id_} is none of the {what.replace('_', ' ')} that exist")


def network(value: Any, name: str) -> IPv4Network | None:  # noqa: ANN401  an input, judged here
    """A block of addresses; None where it is not known yet.

    Raises:
        RefusedError: It is none, or none of the sizes that a VPC or a subnet may have.
    """
    if value is None or is_unknown(value):
        return None
    try:
        block = IPv4Network(value)
    except ValueError as error:
        raise RefusedError(f"`{name}` is {value!r}: {error}") from None
    if not _LARGEST <= block.prefixlen <= _SMALLEST:
        raise RefusedError(f"`{name}` is {value!r}; AWS takes /{_LARGEST} to /{_SMALLEST}")
    return block


@kind
class Vpc(Ec2):
    """A network of its own."""

    token = "aws:ec2/vpc:Vpc"
    noun = "vpc"
    replace_on = frozenset({"cidrBlock", "instanceTenancy"})
    consumed = frozenset({"enableDnsHostnames", "enableDnsSupport", "tags"})

    def check(self, inputs: Properties) -> Properties:
        """It needs addresses."""
        if inputs.get("cidrBlock") is None:
            raise RefusedError("a VPC needs a `cidrBlock`")
        network(inputs["cidrBlock"], "cidrBlock")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it, with the route table, the access list and the security group that AWS gives to each."""
        arguments = chosen(inputs, "cidrBlock", "instanceTenancy")
        id_ = self._ec2.create_vpc(**arguments, **self.tagged(inputs))["Vpc"]["VpcId"]
        return id_, {**self.named(id_, inputs), **self._names(id_, inputs), **self._defaults(id_)}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its names and tags."""
        return {**self._names(id_, inputs), **self.retag(id_, old, inputs)}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it; AWS refuses while something lies in it."""
        absent(lambda: self._ec2.delete_vpc(VpcId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self.described("vpcs", VpcIds=[id_]) else None

    def _names(self, id_: str, inputs: Properties) -> Properties:
        support, hostnames = inputs.get("enableDnsSupport", True), inputs.get("enableDnsHostnames", False)
        self._ec2.modify_vpc_attribute(VpcId=id_, EnableDnsSupport={"Value": support})
        self._ec2.modify_vpc_attribute(VpcId=id_, EnableDnsHostnames={"Value": hostnames})
        return {"enableDnsSupport": support, "enableDnsHostnames": hostnames}

    def _defaults(self, id_: str) -> Properties:
        of_it = {"Name": "vpc-id", "Values": [id_]}
        groups = self.described("security_groups", Filters=[of_it, {"Name": "group-name", "Values": ["default"]}])
        tables = self.described("route_tables", Filters=[of_it, {"Name": "association.main", "Values": ["true"]}])
        lists = self.described("network_acls", Filters=[of_it, {"Name": "default", "Values": ["true"]}])
        [table], [group], [access] = tables, groups, lists
        return {
            "defaultNetworkAclId": access["NetworkAclId"],
            "defaultRouteTableId": table["RouteTableId"],
            "defaultSecurityGroupId": group["GroupId"],
            "mainRouteTableId": table["RouteTableId"],
            "ownerId": self.world.account,
        }


@kind
class Subnet(Ec2):
    """A part of a network in one zone."""

    token = "aws:ec2/subnet:Subnet"
    noun = "subnet"
    replace_on = frozenset({"availabilityZone", "availabilityZoneId", "cidrBlock", "vpcId"})
    consumed = frozenset(
        {"enableResourceNameDnsARecordOnLaunch", "mapPublicIpOnLaunch", "privateDnsHostnameTypeOnLaunch", "tags"}
    )

    def check(self, inputs: Properties) -> Properties:
        """Addresses of its own."""
        network(inputs.get("cidrBlock"), "cidrBlock")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it within its network."""
        self._refuse_what_does_not_fit(inputs)
        arguments = chosen(inputs, "availabilityZone", "availabilityZoneId", "cidrBlock", "vpcId")
        made = self._ec2.create_subnet(**arguments, **self.tagged(inputs))["Subnet"]
        id_ = made["SubnetId"]
        zone = {"availabilityZone": made["AvailabilityZone"], "availabilityZoneId": made["AvailabilityZoneId"]}
        return id_, {**self.named(id_, inputs), "ownerId": self.world.account, **zone, **self._launch(id_, inputs)}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its tags and what new machines in it get."""
        return {**self._launch(id_, inputs), **self.retag(id_, old, inputs)}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._ec2.delete_subnet(SubnetId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self.described("subnets", SubnetIds=[id_]) else None

    def _launch(self, id_: str, inputs: Properties) -> Properties:
        public = inputs.get("mapPublicIpOnLaunch", False)
        record = inputs.get("enableResourceNameDnsARecordOnLaunch", False)
        naming = inputs.get("privateDnsHostnameTypeOnLaunch", "ip-name")
        self._ec2.modify_subnet_attribute(SubnetId=id_, MapPublicIpOnLaunch={"Value": public})
        self._ec2.modify_subnet_attribute(SubnetId=id_, EnableResourceNameDnsARecordOnLaunch={"Value": record})
        self._ec2.modify_subnet_attribute(SubnetId=id_, PrivateDnsHostnameTypeOnLaunch=naming)
        return {"mapPublicIpOnLaunch": public}

    def _refuse_what_does_not_fit(self, inputs: Properties) -> None:
        block, vpc = IPv4Network(inputs["cidrBlock"]), self.existing("vpcs", "VpcIds", inputs["vpcId"])
        if not block.subnet_of(IPv4Network(vpc["CidrBlock"])):
            raise RefusedError(f"`cidrBlock` {block} is not within {vpc['CidrBlock']}, the addresses of its VPC")
        for other in self.described("subnets", Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]):
            if block.overlaps(IPv4Network(other["CidrBlock"])):
                raise RefusedError(f"`cidrBlock` {block} overlaps with {other['CidrBlock']} of {other['SubnetId']}")
        zones = [zone["ZoneName"] for zone in self.described("availability_zones")]
        if inputs.get("availabilityZone", zones[0]) not in zones:
            raise RefusedError(f"`availabilityZone` is {inputs['availabilityZone']!r}; there are {', '.join(zones)}")


@kind
class InternetGateway(Ec2):
    """A network's door to the internet."""

    token = "aws:ec2/internetGateway:InternetGateway"
    noun = "internet-gateway"
    consumed = frozenset({"tags", "vpcId"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it and put it into its VPC."""
        made = self._ec2.create_internet_gateway(**self.tagged(inputs))["InternetGateway"]
        id_ = made["InternetGatewayId"]
        self._move(id_, None, inputs.get("vpcId"))
        return id_, {**self.named(id_, inputs), "ownerId": self.world.account}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Move it into another VPC, change its tags."""
        if old.get("vpcId") != inputs.get("vpcId"):
            self._move(id_, old.get("vpcId"), inputs.get("vpcId"))
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:
        """Take it out and delete it."""
        if self.read(id_, outputs) is not None:
            self._move(id_, outputs.get("vpcId"), None)
            absent(lambda: self._ec2.delete_internet_gateway(InternetGatewayId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self.described("internet_gateways", InternetGatewayIds=[id_]) else None

    def _move(self, id_: str, from_: str | None, to: str | None) -> None:
        if from_:
            self._ec2.detach_internet_gateway(InternetGatewayId=id_, VpcId=from_)
        if to:
            self.existing("vpcs", "VpcIds", to)
            others = self.described("internet_gateways", Filters=[{"Name": "attachment.vpc-id", "Values": [to]}])
            if others:
                raise RefusedError(f"{to} has an internet gateway already: {others[0]['InternetGatewayId']}")
            self._ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=to)
