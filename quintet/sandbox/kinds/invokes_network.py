"""Provider functions about networks: what a program asks of those that are there before it declares."""

from typing import TYPE_CHECKING, Any

from quintet.sandbox.kinds.base import Properties, invoke
from quintet.sandbox.kinds.calls import RefusedError, present

if TYPE_CHECKING:
    from quintet.sandbox.world import World

_LETTERS = "abc"


@invoke("aws:index/getAvailabilityZones:getAvailabilityZones")
def get_availability_zones(world: "World", arguments: Properties) -> Properties:  # noqa: ARG001  an invoke's signature
    """The three zones of the region; a preview without an emulator knows them, too."""
    region = world.region
    names = [f"{region}{letter}" for letter in _LETTERS]
    ids = [f"{region.replace('-', '')[:3]}{region[-1]}-az{number}" for number, _ in enumerate(_LETTERS, start=1)]
    if world.url:
        zones = world.client("ec2").describe_availability_zones()["AvailabilityZones"]
        names, ids = [zone["ZoneName"] for zone in zones], [zone["ZoneId"] for zone in zones]
    return {"id": region, "region": region, "names": names, "zoneIds": ids, "groupNames": [region]}


@invoke("aws:ec2/getVpc:getVpc")
def get_vpc(world: "World", arguments: Properties) -> Properties:
    """A VPC by its id, or the only one that the filters leave.

    Raises:
        RefusedError: There is none, or more than one.
    """
    vpc = _one(world, "vpcs", "VpcIds", arguments)
    id_ = vpc["VpcId"]
    return {
        "arn": f"arn:aws:ec2:{world.region}:{world.account}:vpc/{id_}",
        "cidrBlock": vpc["CidrBlock"],
        "default": vpc["IsDefault"],
        "dhcpOptionsId": vpc["DhcpOptionsId"],
        "id": id_,
        "instanceTenancy": vpc["InstanceTenancy"],
        "ownerId": world.account,
        "region": world.region,
        "state": vpc["State"],
        "tags": _tags(vpc),
    }


@invoke("aws:ec2/getSubnet:getSubnet")
def get_subnet(world: "World", arguments: Properties) -> Properties:
    """A subnet by its id, or the only one that the filters leave.

    Raises:
        RefusedError: There is none, or more than one.
    """
    subnet = _one(world, "subnets", "SubnetIds", arguments)
    id_ = subnet["SubnetId"]
    return {
        "arn": f"arn:aws:ec2:{world.region}:{world.account}:subnet/{id_}",
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "cidrBlock": subnet["CidrBlock"],
        "id": id_,
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        "ownerId": world.account,
        "region": world.region,
        "state": subnet["State"],
        "tags": _tags(subnet),
        "vpcId": subnet["VpcId"],
    }


@invoke("aws:ec2/getSubnets:getSubnets")
def get_subnets(world: "World", arguments: Properties) -> Properties:
    """The ids of the subnets that the filters and tags leave; none where nothing runs yet."""
    found = world.client("ec2").describe_subnets(Filters=_filters(arguments))["Subnets"] if world.url else []
    return {"id": world.region, "ids": sorted(subnet["SubnetId"] for subnet in found), "region": world.region}


@invoke("aws:ec2/getPrefixList:getPrefixList")
def get_prefix_list(world: "World", arguments: Properties) -> Properties:
    """The addresses of a service of AWS, by the list's name or id.

    Raises:
        RefusedError: There is no such list.
    """
    found = _prefix_list(world, arguments)
    blocks = world.client("ec2").describe_prefix_lists(PrefixListIds=[found["PrefixListId"]])["PrefixLists"]
    id_, name = found["PrefixListId"], found["PrefixListName"]
    return {"cidrBlocks": blocks[0]["Cidrs"], "id": id_, "name": name, "region": world.region}


@invoke("aws:ec2/getManagedPrefixList:getManagedPrefixList")
def get_managed_prefix_list(world: "World", arguments: Properties) -> Properties:
    """A list of addresses, by its name or id.

    Raises:
        RefusedError: There is no such list.
    """
    found = _prefix_list(world, arguments)
    id_ = found["PrefixListId"]
    entries = world.client("ec2").get_managed_prefix_list_entries(PrefixListId=id_)["Entries"]
    return {
        "addressFamily": found["AddressFamily"],
        "arn": found["PrefixListArn"],
        "entries": [{"cidr": entry["Cidr"], "description": entry.get("Description", "")} for entry in entries],
        "id": id_,
        "maxEntries": found["MaxEntries"],
        "name": found["PrefixListName"],
        "ownerId": found["OwnerId"],
        "region": world.region,
        "version": found["Version"],
    }


def _prefix_list(world: "World", arguments: Properties) -> dict[str, Any]:
    wanted = {"prefix-list-id": arguments.get("prefixListId") or arguments.get("id")}
    wanted["prefix-list-name"] = arguments.get("name")
    filters = [{"Name": name, "Values": [value]} for name, value in wanted.items() if value]
    found = world.client("ec2").describe_managed_prefix_lists(Filters=filters)["PrefixLists"] if world.url else []
    if len(found) != 1:
        raise RefusedError(f"{len(found)} prefix lists are as wanted, one must be: {wanted}")
    return dict(found[0])


def _one(world: "World", what: str, ids: str, arguments: Properties) -> dict[str, Any]:
    given = {ids: [arguments["id"]]} if arguments.get("id") else {"Filters": _filters(arguments)}
    ask = getattr(world.client("ec2"), f"describe_{what}") if world.url else dict
    answer = present(lambda: ask(**given)) or {}
    found = answer.get(what.capitalize(), [])
    if len(found) != 1:
        raise RefusedError(f"{len(found)} {what} are as wanted, one must be: {given}")
    return dict(found[0])


def _filters(arguments: Properties) -> list[dict[str, Any]]:
    plain = {"vpc-id": arguments.get("vpcId"), "cidr-block": arguments.get("cidrBlock")}
    made = [{"Name": name, "Values": [value]} for name, value in plain.items() if value]
    made += [{"Name": f"tag:{name}", "Values": [value]} for name, value in (arguments.get("tags") or {}).items()]
    return made + [{"Name": each["name"], "Values": each["values"]} for each in arguments.get("filters") or []]


def _tags(described: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
