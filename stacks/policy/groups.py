"""Security groups that belong together let out what the other lets in."""

from collections.abc import Iterator

from stacks.policy.declared import Declared, Finding, Rule, Stack

_IN = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_OUT = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
_GROUP = "aws:ec2/securityGroup:SecurityGroup"
_OTHER_SIDE = {_IN: _OUT, _OUT: _IN}
_OWN, _PEER = "securityGroupId", "referencedSecurityGroupId"


def _pairs(rule: Declared, stack: Stack) -> Iterator[Finding]:
    other = _OTHER_SIDE.get(rule.type)
    # The group of a cluster, or of somebody else's, is not declared here, nor what it lets through.
    peer = next((group for group in stack.of(_GROUP) if group.urn in rule.sources.get(_PEER, ())), None)
    if other is None or peer is None or any(_answers(rule, candidate) for candidate in stack.of(other)):
        return
    port = rule.props.get("fromPort")
    if rule.type == _IN:
        found = f"lets in {peer.name} at port {port}, which lets nothing out to there"
        yield Finding(found, "Declare its SecurityGroupEgressRule")
    else:
        found = f"lets out to {peer.name} at port {port}, which lets nothing in there"
        yield Finding(found, "Declare its SecurityGroupIngressRule")


def _answers(rule: Declared, other: Declared) -> bool:
    same = all(rule.props.get(key) == other.props.get(key) for key in ("ipProtocol", "fromPort", "toPort"))
    swapped = rule.sources.get(_OWN) == other.sources.get(_PEER) and rule.sources.get(_PEER) == other.sources.get(_OWN)
    return same and swapped


RULE = Rule(
    name="security-groups-pair",
    why="A connection needs both groups; where one forgets, requests time out and nothing says why.",
    check=_pairs,
    whole=True,
)
