"""A cache that several pods share: ElastiCache Serverless for Valkey, encrypted, with a user of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from stacks.components.arguments import checked_name, refuse, within
from stacks.components.names import stack_prefix
from stacks.components.network import Place

PORT, READER_PORT = 6379, 6380
_PASSWORD_LENGTH = 40  # ElastiCache takes 16 to 128
_USER = "service"


@dataclass(frozen=True, kw_only=True)
class SharedCacheArgs:
    """What a cache needs.

    Attributes:
        place: The network; it stands beside the nodes.
        clients: The security groups whose members may call.
        max_storage_gb: It evicts beyond, and costs no more than that.
        max_requests: ElastiCache's units a second at most, 1000 or more; it refuses beyond.
        kms_key_arn: A key of the owner's; absent: ElastiCache's own.
    """

    place: Place
    clients: Sequence[pulumi.Input[str]]
    max_storage_gb: int = 1
    max_requests: int = 5_000
    kms_key_arn: str | None = None

    def __post_init__(self) -> None:
        refuse(
            "SharedCacheArgs",
            [] if self.clients else ["clients is empty: nobody could call it"],
            within("max_storage_gb", self.max_storage_gb, 1, 5_000, "GB"),
            within("max_requests", self.max_requests, 1_000, 15_000_000, "a second"),
        )


class SharedCache(pulumi.ComponentResource):
    """A serverless cache.

    Attributes:
        url: With the user and the password, as `rediss://...`; secret.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: SharedCacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:storage:SharedCache", checked_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        password = random.RandomPassword(f"{name}-password", length=_PASSWORD_LENGTH, special=False, opts=child)
        users = _users(name, password.result, child)
        cache = aws.elasticache.ServerlessCache(
            f"{name}-cache",
            # ElastiCache takes 40 characters; the name is given, so a new one cannot be made beside it.
            name=f"{stack_prefix()}-{name}"[:40].rstrip("-"),
            engine="valkey",
            major_engine_version="8",
            subnet_ids=args.place.nodes.ids,
            security_group_ids=[_group(name, args, child).id],
            user_group_id=users.user_group_id,
            kms_key_id=args.kms_key_arn,
            cache_usage_limits={
                "data_storage": {"maximum": args.max_storage_gb, "unit": "GB"},
                "ecpu_per_seconds": [{"maximum": args.max_requests}],
            },
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(delete_before_replace=True)),
        )
        address = cache.endpoints.apply(lambda endpoints: str(endpoints[0].address))
        self.url = pulumi.Output.secret(
            pulumi.Output.concat("rediss://", _USER, ":", password.result, "@", address, f":{PORT}/0")
        )
        self.register_outputs({})


def _users(name: str, password: pulumi.Output[str], child: pulumi.ResourceOptions) -> aws.elasticache.UserGroup:
    prefix = f"{stack_prefix()}-{name}"[:40].rstrip("-")
    user = aws.elasticache.User(
        f"{name}-user",
        user_id=prefix,
        user_name=_USER,
        engine="valkey",
        access_string="on ~* resetchannels +@all -@admin -@dangerous",
        passwords=[password],
        opts=child,
    )
    return aws.elasticache.UserGroup(
        f"{name}-users", user_group_id=prefix, engine="valkey", user_ids=[user.user_id], opts=child
    )


def _group(name: str, args: SharedCacheArgs, child: pulumi.ResourceOptions) -> aws.ec2.SecurityGroup:
    group = aws.ec2.SecurityGroup(f"{name}-group", vpc_id=args.place.vpc_id, description="Calls of a cache", opts=child)
    for number, client in enumerate(args.clients):
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-from-{number}",
            security_group_id=group.id,
            referenced_security_group_id=client,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=READER_PORT,
            opts=child,
        )
    return group
