"""Keys and their aliases."""

from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import (
    ONE_REGION,
    RefusedError,
    absent,
    document,
    present,
    removed_tags,
    tag_list,
)

_DELETION_DAYS = 30


@kind
class Key(Kind):
    """A key, symmetric or for HMAC; the emulator enforces its policy."""

    token = "aws:kms/key:Key"
    replace_on = frozenset({"customerMasterKeySpec", "keyUsage", "multiRegion"})
    consumed = frozenset(
        {"bypassPolicyLockoutSafetyCheck", "deletionWindowInDays", "description", "enableKeyRotation", "isEnabled",
         "policy", "rotationPeriodInDays", "tags"}
    )  # fmt: skip
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def check(self, inputs: Properties) -> Properties:
        """Refuse rotation of what KMS does not rotate."""
        spec = inputs.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT")
        if inputs.get("enableKeyRotation") and spec != "SYMMETRIC_DEFAULT":
            raise RefusedError(f"KMS does not rotate keys of spec {spec}: leave out `enableKeyRotation`")
        if str(spec).startswith("HMAC") and inputs.get("keyUsage") != "GENERATE_VERIFY_MAC":
            raise RefusedError(f'a key of spec {spec} needs `keyUsage` "GENERATE_VERIFY_MAC"')
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its key id is its id."""
        policy = {"Policy": document(inputs["policy"], "`policy`")} if inputs.get("policy") else {}
        key = self._kms.create_key(
            KeySpec=inputs.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT"),
            KeyUsage=inputs.get("keyUsage", "ENCRYPT_DECRYPT"),
            Description=inputs.get("description", ""),
            MultiRegion=bool(inputs.get("multiRegion")),
            BypassPolicyLockoutSafetyCheck=bool(inputs.get("bypassPolicyLockoutSafetyCheck")),
            Tags=tag_list(inputs.get("tags"), key="TagKey", value="TagValue"),
            **policy,
        )["KeyMetadata"]
        self._rotate(key["KeyId"], inputs)
        if inputs.get("isEnabled") is False:
            self._kms.disable_key(KeyId=key["KeyId"])
        return key["KeyId"], {"arn": key["Arn"], "keyId": key["KeyId"], "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change policy, description, rotation, state and tags."""
        kms = self._kms
        if inputs.get("policy") and inputs["policy"] != old.get("policy"):
            kms.put_key_policy(KeyId=id_, PolicyName="default", Policy=document(inputs["policy"], "`policy`"))
        kms.update_key_description(KeyId=id_, Description=inputs.get("description", ""))
        self._rotate(id_, inputs)
        (kms.disable_key if inputs.get("isEnabled") is False else kms.enable_key)(KeyId=id_)
        if gone := removed_tags(old, inputs):
            kms.untag_resource(KeyId=id_, TagKeys=gone)
        if tags := inputs.get("tags"):
            kms.tag_resource(KeyId=id_, Tags=tag_list(tags, key="TagKey", value="TagValue"))
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Schedule its deletion, which is all that KMS does."""
        if self.read(id_, outputs) is not None:
            days = outputs.get("deletionWindowInDays", _DELETION_DAYS)
            self._kms.schedule_key_deletion(KeyId=id_, PendingWindowInDays=days)

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there and not about to be deleted."""
        found = present(lambda: self._kms.describe_key(KeyId=id_))
        return outputs if found and found["KeyMetadata"]["KeyState"] != "PendingDeletion" else None

    def _rotate(self, key: str, inputs: Properties) -> None:
        if inputs.get("enableKeyRotation"):
            days = {"RotationPeriodInDays": days} if (days := inputs.get("rotationPeriodInDays")) else {}
            self._kms.enable_key_rotation(KeyId=key, **days)
        elif inputs.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT":
            self._kms.disable_key_rotation(KeyId=key)

    @property
    def _kms(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("kms")


@kind
class Alias(Kind):
    """A name for a key."""

    token = "aws:kms/alias:Alias"
    name_input = "name"
    name_limit = 256
    consumed = frozenset({"targetKeyId"})
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def check(self, inputs: Properties) -> Properties:
        """An alias begins with `alias/`; the name that the pattern proposes does not."""
        name = inputs["name"]
        return inputs if name.startswith("alias/") else {**inputs, "name": f"alias/{name}"}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its name is its id."""
        self._kms.create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
        return inputs["name"], self._outputs(inputs)

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Point it at another key."""
        self._kms.update_alias(AliasName=id_, TargetKeyId=inputs["targetKeyId"])
        return self._outputs(inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._kms.delete_alias(AliasName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        aliases = self._kms.get_paginator("list_aliases").paginate().search("Aliases[].AliasName")
        return outputs if id_ in aliases else None

    def _outputs(self, inputs: Properties) -> Properties:
        here = f"arn:aws:kms:{self.world.region}:{self.world.account}"
        key = inputs["targetKeyId"]
        return {
            "arn": f"{here}:{inputs['name']}",
            "targetKeyArn": key if key.startswith("arn:") else f"{here}:key/{key}",
        }

    @property
    def _kms(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("kms")
