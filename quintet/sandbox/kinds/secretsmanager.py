"""Secrets."""

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import (
    ONE_REGION,
    RefusedError,
    absent,
    chosen,
    document,
    present,
    removed_tags,
    tag_list,
)

_RECOVERY_DAYS = 30


@kind
class Secret(Kind):
    """A secret without a value."""

    token = "aws:secretsmanager/secret:Secret"
    name_input = "name"
    name_limit = 512
    consumed = frozenset({"description", "kmsKeyId", "policy", "recoveryWindowInDays", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "forceOverwriteReplicaSecret": "the sandbox has one region"}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its ARN is its id."""
        tags = tag_list(inputs.get("tags"))
        arn = self._secrets.create_secret(Tags=tags, **chosen(inputs, "name", "description", "kmsKeyId"))["ARN"]
        self._allow(arn, inputs)
        return arn, {"arn": arn, "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its description, key, policy and tags; its value stays."""
        description = inputs.get("description", "")
        self._secrets.update_secret(SecretId=id_, Description=description, **chosen(inputs, "kmsKeyId"))
        self._allow(id_, inputs)
        if old.get("policy") and not inputs.get("policy"):
            self._secrets.delete_resource_policy(SecretId=id_)
        if gone := removed_tags(old, inputs):
            self._secrets.untag_resource(SecretId=id_, TagKeys=gone)
        if tags := inputs.get("tags"):
            self._secrets.tag_resource(SecretId=id_, Tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it: at once where the recovery window is 0, else scheduled, and its name is taken until then."""
        days = outputs.get("recoveryWindowInDays", _RECOVERY_DAYS)
        window: dict[str, Any] = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        absent(lambda: self._secrets.delete_secret(SecretId=id_, **window))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there and not about to be deleted."""
        found = present(lambda: self._secrets.describe_secret(SecretId=id_))
        return outputs if found and not found.get("DeletedDate") else None

    def _allow(self, arn: str, inputs: Properties) -> None:
        if policy := inputs.get("policy"):
            self._secrets.put_resource_policy(SecretId=arn, ResourcePolicy=document(policy, "`policy`"))

    @property
    def _secrets(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("secretsmanager")


@kind
class SecretVersion(Kind):
    """A secret's value. Another value is another version, which becomes the current one."""

    token = "aws:secretsmanager/secretVersion:SecretVersion"
    consumed = frozenset({"secretBinary", "secretId", "secretString", "versionStages"})
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def check(self, inputs: Properties) -> Properties:
        """One value."""
        if sum(inputs.get(name) is not None for name in ("secretString", "secretBinary")) != 1:
            raise RefusedError("a secret's version needs one of `secretString` and `secretBinary`")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put the value; `secret|version` is its id."""
        arguments = chosen(inputs, "secretId", "secretString", "versionStages")
        if binary := inputs.get("secretBinary"):
            arguments["SecretBinary"] = base64.b64decode(binary)
        answer = self._secrets.put_secret_value(**arguments)
        version = answer["VersionId"]
        names = {"arn": answer["ARN"], "secretArn": answer["ARN"], "versionId": version}
        stages = {"versionStages": answer["VersionStages"], "hasSecretStringWo": False}
        return f"{inputs['secretId']}|{version}", {**names, **stages}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Nothing: the current version goes with its secret, or when another one takes its place."""

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether the secret has the version."""
        secret, version = outputs["secretId"], outputs["versionId"]
        found = present(lambda: self._secrets.describe_secret(SecretId=secret))
        return outputs if found and version in found.get("VersionIdsToStages", {}) else None

    @property
    def _secrets(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("secretsmanager")
