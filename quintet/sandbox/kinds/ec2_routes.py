"""Where packets of a network go: addresses, NAT gateways, route tables."""

from typing import Any

from quintet.sandbox.kinds.base import Properties, kind
from quintet.sandbox.kinds.calls import RefusedError, absent, chosen, require_one_of
from quintet.sandbox.kinds.ec2 import Ec2

_TARGETS = ("gatewayId", "natGatewayId")


@kind
class Eip(Ec2):
    """A public address that stays."""

    token = "aws:ec2/eip:Eip"
    noun = "elastic-ip"
    replace_on = frozenset({"domain"})
    consumed = frozenset({"tags"})

    def check(self, inputs: Properties) -> Properties:
        """Of a VPC: EC2 without one is gone."""
        require_one_of(inputs, "domain", ["vpc"])
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Have one."""
        made = self._ec2.allocate_address(Domain=inputs.get("domain", "vpc"), **self.tagged(inputs))
        id_, public = made["AllocationId"], made["PublicIp"]
        name = f"ec2-{public.replace('.', '-')}.compute-1.amazonaws.com"
        return id_, {**self.named(id_, inputs), "allocationId": id_, "publicIp": public, "publicDns": name}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its tags."""
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Give it back."""
        absent(lambda: self._ec2.release_address(AllocationId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self.described("addresses", AllocationIds=[id_]) else None


@kind
class NatGateway(Ec2):
    """The way out of what has no public address."""

    token = "aws:ec2/natGateway:NatGateway"
    noun = "natgateway"
    replace_on = frozenset({"allocationId", "connectivityType", "subnetId"})
    consumed = frozenset({"tags"})

    def check(self, inputs: Properties) -> Properties:
        """A public one needs an address, a private one may not have any."""
        require_one_of(inputs, "connectivityType", ["public", "private"])
        if not inputs.get("subnetId"):
            raise RefusedError("the sandbox makes NAT gateways of one zone: give `subnetId`")
        public = inputs.get("connectivityType", "public") == "public"
        if public != (inputs.get("allocationId") is not None):
            raise RefusedError("a NAT gateway of `connectivityType` public has an `allocationId`, and no other has")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it in its subnet."""
        self.existing("subnets", "SubnetIds", inputs["subnetId"])
        allocation = inputs.get("allocationId")
        address = self.existing("addresses", "AllocationIds", allocation) if allocation else {}
        arguments = chosen(inputs, "allocationId", "connectivityType", "subnetId")
        id_ = self._ec2.create_nat_gateway(**arguments, **self.tagged(inputs))["NatGateway"]["NatGatewayId"]
        return id_, {"tagsAll": inputs.get("tags") or {}, "publicIp": address.get("PublicIp", "")}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its tags."""
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._ec2.delete_nat_gateway(NatGatewayId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there; EC2 lists deleted ones for an hour."""
        found = self.described("nat_gateways", NatGatewayIds=[id_])
        return outputs if found and found[0]["State"] != "deleted" else None


@kind
class RouteTable(Ec2):
    """A route table; its routes are resources of their own."""

    token = "aws:ec2/routeTable:RouteTable"
    noun = "route-table"
    replace_on = frozenset({"vpcId"})
    consumed = frozenset({"tags"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it with the route to the network itself."""
        self.existing("vpcs", "VpcIds", inputs["vpcId"])
        made = self._ec2.create_route_table(VpcId=inputs["vpcId"], **self.tagged(inputs))["RouteTable"]
        id_ = made["RouteTableId"]
        return id_, {**self.named(id_, inputs), "ownerId": self.world.account}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its tags."""
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._ec2.delete_route_table(RouteTableId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self.described("route_tables", RouteTableIds=[id_]) else None


@kind
class Route(Ec2):
    """One route, to a gateway."""

    token = "aws:ec2/route:Route"
    noun = "route"
    replace_on = frozenset({"destinationCidrBlock", "routeTableId"})
    consumed = frozenset(_TARGETS)

    def check(self, inputs: Properties) -> Properties:
        """It leads somewhere, and to one place."""
        if inputs.get("destinationCidrBlock") is None:
            raise RefusedError("the sandbox knows routes by their `destinationCidrBlock`")
        if sum(inputs.get(name) is not None for name in _TARGETS) != 1:
            raise RefusedError(f"a route has one of {', '.join(f'`{name}`' for name in _TARGETS)}")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it into its table; `table_destination` is its id."""
        table, destination = inputs["routeTableId"], inputs["destinationCidrBlock"]
        if self._route(inputs):
            raise RefusedError(f"{table} has a route to {destination} already")
        self._refuse_another_network(inputs)
        self._ec2.create_route(**self._arguments(inputs))
        return f"{table}_{destination}", {"origin": "CreateRoute", "state": "active"}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Lead it elsewhere."""
        self._refuse_another_network(inputs)
        self._ec2.replace_route(**self._arguments(inputs))
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Take it away."""
        table, destination = outputs["routeTableId"], outputs["destinationCidrBlock"]
        absent(lambda: self._ec2.delete_route(RouteTableId=table, DestinationCidrBlock=destination))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether the table has it."""
        return outputs if self._route(outputs) else None

    def _route(self, inputs: Properties) -> dict[str, Any] | None:
        tables = self.described("route_tables", RouteTableIds=[inputs["routeTableId"]])
        routes = [route for table in tables for route in table["Routes"]]
        wanted = inputs["destinationCidrBlock"]
        return next((route for route in routes if route.get("DestinationCidrBlock") == wanted), None)

    def _arguments(self, inputs: Properties) -> dict[str, Any]:
        return chosen(inputs, "routeTableId", "destinationCidrBlock", *_TARGETS)

    def _refuse_another_network(self, inputs: Properties) -> None:
        vpc = self.existing("route_tables", "RouteTableIds", inputs["routeTableId"])["VpcId"]
        if gateway := inputs.get("gatewayId"):
            attached = self.existing("internet_gateways", "InternetGatewayIds", gateway)["Attachments"]
            theirs = [each["VpcId"] for each in attached]
        else:
            theirs = [self.existing("nat_gateways", "NatGatewayIds", inputs["natGatewayId"])["VpcId"]]
        if theirs != [vpc]:
            raise RefusedError(f"the route table is of {vpc}, its gateway of {', '.join(theirs) or 'no network'}")


class Association(Ec2):
    """A route table in use."""

    noun = "route-table-association"

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether the table has it."""
        by_id = {"Name": "association.route-table-association-id", "Values": [id_]}
        return outputs if self.described("route_tables", Filters=[by_id]) else None


@kind
class RouteTableAssociation(Association):
    """A route table for a subnet."""

    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    replace_on = frozenset({"routeTableId", "subnetId"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Let the subnet use the table."""
        table = self.existing("route_tables", "RouteTableIds", inputs["routeTableId"])
        subnet = self.existing("subnets", "SubnetIds", inputs["subnetId"])
        if table["VpcId"] != subnet["VpcId"]:
            raise RefusedError(f"the route table is of {table['VpcId']}, the subnet of {subnet['VpcId']}")
        by_subnet = {"Name": "association.subnet-id", "Values": [inputs["subnetId"]]}
        if others := self.described("route_tables", Filters=[by_subnet]):
            raise RefusedError(f"{inputs['subnetId']} uses a route table already: {others[0]['RouteTableId']}")
        return self._ec2.associate_route_table(**chosen(inputs, "routeTableId", "subnetId"))["AssociationId"], {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Back to the network's main table."""
        absent(lambda: self._ec2.disassociate_route_table(AssociationId=id_))


@kind
class MainRouteTableAssociation(Association):
    """A route table for every subnet that has none of its own."""

    token = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
    replace_on = frozenset({"routeTableId", "vpcId"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Take the place of the table that was the main one."""
        of_it = {"Name": "vpc-id", "Values": [inputs["vpcId"]]}
        main = {"Name": "association.main", "Values": ["true"]}
        [before] = self.described("route_tables", Filters=[of_it, main])
        [held] = [each for each in before["Associations"] if each["Main"]]
        new = self._replace(held["RouteTableAssociationId"], inputs["routeTableId"])
        return new, {"originalRouteTableId": before["RouteTableId"]}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Give the place back."""
        if self.read(id_, outputs) is not None:
            self._replace(id_, outputs["originalRouteTableId"])

    def _replace(self, association: str, table: str) -> str:
        self.existing("route_tables", "RouteTableIds", table)
        made = self._ec2.replace_route_table_association(AssociationId=association, RouteTableId=table)
        return str(made["NewAssociationId"])
