"""Security groups and their rules. Nothing filters packets here; an HTTP API asks them before it uses a VPC link."""

from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Properties, kind
from quintet.sandbox.kinds.calls import RefusedError, absent, only, present
from quintet.sandbox.kinds.ec2 import Ec2

_INLINE = (
    "cidrBlocks", "description", "fromPort", "ipv6CidrBlocks", "prefixListIds", "protocol", "securityGroups", "self",
    "toPort",
)  # fmt: skip
_SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
_EVERY_PROTOCOL = "-1"


class Group(Ec2):
    """A security group with the rules that are written into it."""

    noun = "security-group"

    def rule_by_rule(self, id_: str, inputs: Properties, old: Properties) -> None:
        """Make the rules within the group what is declared; what is not declared there stays."""
        for key, direction in (("ingress", "ingress"), ("egress", "egress")):
            if inputs.get(key) != old.get(key):
                self.revoke_all(id_, direction)
                permissions = [_permission(id_, rule) for rule in inputs.get(key) or []]
                if permissions:
                    authorize = getattr(self._ec2, f"authorize_security_group_{direction}")
                    authorize(GroupId=id_, IpPermissions=permissions)

    def revoke_all(self, id_: str, direction: str) -> None:
        """Take every rule of a direction away."""
        rules = self.described("security_group_rules", Filters=[{"Name": "group-id", "Values": [id_]}])
        ids = {rule["SecurityGroupRuleId"] for rule in rules if rule["IsEgress"] == (direction == "egress")}
        if ids:
            revoke = getattr(self._ec2, f"revoke_security_group_{direction}")
            revoke(GroupId=id_, SecurityGroupRuleIds=sorted(ids))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self.described("security_groups", GroupIds=[id_]) else None


@kind
class SecurityGroup(Group):
    """Who may speak with whom."""

    token = "aws:ec2/securityGroup:SecurityGroup"
    name_input = "name"
    name_limit = 255
    replace_on = frozenset({"description", "vpcId"})
    consumed = frozenset({"egress", "ingress", "tags"})
    ignored: ClassVar[dict[str, str]] = {
        **Ec2.ignored,
        "revokeRulesOnDelete": "the emulator deletes a group with its rules",
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it without the rule that lets everything out, as the AWS provider does."""
        self.existing("vpcs", "VpcIds", inputs["vpcId"])
        description = inputs.get("description", "Managed by Pulumi")
        names = {"GroupName": inputs["name"], "Description": description, "VpcId": inputs["vpcId"]}
        id_ = self._ec2.create_security_group(**names, **self.tagged(inputs))["GroupId"]
        self.revoke_all(id_, "egress")
        self.rule_by_rule(id_, inputs, {})
        return id_, {**self.named(id_, inputs), "description": description, "ownerId": self.world.account}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its rules and tags."""
        self.rule_by_rule(id_, inputs, old)
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._ec2.delete_security_group(GroupId=id_))


@kind
class DefaultSecurityGroup(Group):
    """The group that AWS gives to each network: taken over, and without rules unless some are given."""

    token = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    replace_on = frozenset({"vpcId"})
    consumed = frozenset({"egress", "ingress", "tags"})
    ignored: ClassVar[dict[str, str]] = {**Ec2.ignored, "revokeRulesOnDelete": "nobody deletes this group"}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Take it over."""
        filters = [{"Name": "vpc-id", "Values": [inputs["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
        [group] = self.described("security_groups", Filters=filters)
        id_ = group["GroupId"]
        for direction in ("ingress", "egress"):
            self.revoke_all(id_, direction)
        self.rule_by_rule(id_, inputs, {})
        tags = self.retag(id_, {}, inputs)
        names = {"name": "default", "description": group["Description"], "ownerId": self.world.account}
        return id_, {**self.named(id_, inputs), **names, **tags}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its rules and tags."""
        self.rule_by_rule(id_, inputs, old)
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:
        """Nothing: it goes with its network."""


class Rule(Ec2):
    """One rule of a security group."""

    noun = "security-group-rule"
    direction: ClassVar[str]
    # 1.5.33 of the emulator loses another group, and keeps the ports of a rule that becomes one about every protocol.
    replace_on = frozenset({"ipProtocol", "referencedSecurityGroupId", "securityGroupId"})
    consumed = frozenset({"cidrIpv4", "cidrIpv6", "description", "fromPort", "prefixListId", "tags", "toPort"})

    def check(self, inputs: Properties) -> Properties:
        """One other side; ports unless it is about every protocol."""
        if sum(inputs.get(name) is not None for name in _SOURCES) != 1:
            raise RefusedError(f"a rule has one of {', '.join(f'`{name}`' for name in _SOURCES)}")
        ports = [inputs.get("fromPort"), inputs.get("toPort")]
        if inputs.get("ipProtocol") == _EVERY_PROTOCOL and ports != [None, None]:
            raise RefusedError(
                'a rule of `ipProtocol` "-1" is about every port: it takes no `fromPort` and no `toPort`'
            )
        if inputs.get("ipProtocol") in {"tcp", "udp"} and None in ports:
            raise RefusedError("a rule about tcp or udp needs `fromPort` and `toPort`")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it into its group; its own id is its id."""
        group = inputs["securityGroupId"]
        self.existing("security_groups", "GroupIds", group)
        if other := inputs.get("referencedSecurityGroupId"):
            self.existing("security_groups", "GroupIds", other)
        before = {rule["SecurityGroupRuleId"] for rule in self._rules(group)}
        authorize = getattr(self._ec2, f"authorize_security_group_{self.direction}")
        answer = authorize(GroupId=group, IpPermissions=[_of_rule(inputs)], **self.tagged(inputs))
        id_ = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        if id_ in before:
            raise RefusedError(f"{group} has this very rule already ({id_})")
        return id_, {**self.named(id_, inputs), "securityGroupRuleId": id_}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change what it admits; its id stays."""
        self._ec2.modify_security_group_rules(
            GroupId=inputs["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": id_, "SecurityGroupRule": _request(inputs)}],
        )
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:
        """Take it away; it is gone already where its group is."""
        revoke = getattr(self._ec2, f"revoke_security_group_{self.direction}")
        present(lambda: revoke(GroupId=outputs["securityGroupId"], SecurityGroupRuleIds=[id_]))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether its group has it."""
        ids = {rule["SecurityGroupRuleId"] for rule in self._rules(outputs["securityGroupId"])}
        return outputs if id_ in ids else None

    def _rules(self, group: str) -> list[dict[str, Any]]:
        return self.described("security_group_rules", Filters=[{"Name": "group-id", "Values": [group]}])


@kind
class IngressRule(Rule):
    """Who may come in."""

    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    direction = "ingress"


@kind
class EgressRule(Rule):
    """Where it may go."""

    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    direction = "egress"


def _ports(rule: Properties) -> dict[str, Any]:
    given = {"FromPort": rule.get("fromPort"), "ToPort": rule.get("toPort")}
    return {name: port for name, port in given.items() if port is not None}


def _of_rule(inputs: Properties) -> dict[str, Any]:
    """A rule as an `IpPermission`."""
    about = {"Description": inputs["description"]} if inputs.get("description") else {}
    sides = {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    side = next(name for name in _SOURCES if inputs.get(name) is not None)
    listed, member = sides[side]
    return {"IpProtocol": inputs["ipProtocol"], **_ports(inputs), listed: [{member: inputs[side], **about}]}


def _request(inputs: Properties) -> dict[str, Any]:
    """A rule as `ModifySecurityGroupRules` takes it."""
    names = {
        "cidrIpv4": "CidrIpv4",
        "cidrIpv6": "CidrIpv6",
        "description": "Description",
        "ipProtocol": "IpProtocol",
        "prefixListId": "PrefixListId",
    }
    given = {theirs: inputs[ours] for ours, theirs in names.items() if inputs.get(ours) is not None}
    return {**given, **_ports(inputs)}


def _permission(group: str, rule: Properties) -> dict[str, Any]:
    """A rule that is written into its group, which may have several other sides."""
    only(rule, _INLINE, "a rule of a security group")
    about = {"Description": rule["description"]} if rule.get("description") else {}
    others = [*(rule.get("securityGroups") or []), *([group] if rule.get("self") else [])]
    ports = {} if rule["protocol"] == _EVERY_PROTOCOL else _ports(rule)
    return {
        "IpProtocol": rule["protocol"],
        **ports,
        "IpRanges": [{"CidrIp": block, **about} for block in rule.get("cidrBlocks") or []],
        "Ipv6Ranges": [{"CidrIpv6": block, **about} for block in rule.get("ipv6CidrBlocks") or []],
        "PrefixListIds": [{"PrefixListId": each, **about} for each in rule.get("prefixListIds") or []],
        "UserIdGroupPairs": [{"GroupId": other, **about} for other in others],
    }
