"""A KMS key that makes keyed hashes: equal texts can be found without the texts being kept."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.components.arguments import checked_name, refuse, within
from stacks.components.uses import Statement, Use


@dataclass(frozen=True, kw_only=True)
class HashKeyArgs:
    """What a hash key needs.

    Attributes:
        protected: The key cannot be deleted by Pulumi. Without the key no stored hash can be matched again.
        deletion_days: How long a deleted key can be brought back, in days (KMS allows 7 to 30).
    """

    protected: bool = True
    deletion_days: int = 30

    def __post_init__(self) -> None:
        refuse("HashKeyArgs", within("deletion_days", self.deletion_days, 7, 30, "days"))


class HashKey(pulumi.ComponentResource):
    """An HMAC-SHA-256 key that never leaves KMS.

    Attributes:
        arn: The key's ARN.
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: HashKeyArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:security:HashKey", checked_name(name), None, opts)
        args = args or HashKeyArgs()
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Keyed hashes of {name}",
            key_usage="GENERATE_VERIFY_MAC",
            customer_master_key_spec="HMAC_256",
            # KMS does not rotate HMAC keys by itself, and a rotated key would no longer match what is stored.
            deletion_window_in_days=args.deletion_days,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protected),
        )
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})

    def mac(self) -> Use:
        """Make hashes; the identifier is the key's ARN."""
        return Use(self.arn, (Statement(actions=("kms:GenerateMac",), resources=(self.arn,)),))
