"""Roles and policies; the emulator enforces them on what runs under a role."""

from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import absent, chosen, document, present, removed_tags, tag_list

_KEPT_VERSIONS = 5
"""Versions of a managed policy that IAM keeps; a sixth is refused (IAM quotas)."""


@kind
class Role(Kind):
    """A role, with who may assume it."""

    token = "aws:iam/role:Role"
    name_input = "name"
    name_limit = 64
    replace_on = frozenset({"path"})
    consumed = frozenset(
        {"assumeRolePolicy", "description", "forceDetachPolicies", "maxSessionDuration", "permissionsBoundary", "tags"}
    )

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its name is its id."""
        role = self._iam.create_role(
            RoleName=inputs["name"],
            AssumeRolePolicyDocument=document(inputs["assumeRolePolicy"], "`assumeRolePolicy`"),
            Tags=tag_list(inputs.get("tags")),
            **chosen(inputs, "path", "description", "maxSessionDuration", "permissionsBoundary"),
        )["Role"]
        return inputs["name"], {
            "arn": role["Arn"],
            "createDate": role["CreateDate"].isoformat(),
            "uniqueId": role["RoleId"],
            "path": role["Path"],
            "maxSessionDuration": inputs.get("maxSessionDuration", 3600),
            "tagsAll": inputs.get("tags") or {},
        }

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change trust, description, duration, boundary and tags."""
        iam = self._iam
        trust = document(inputs["assumeRolePolicy"], "`assumeRolePolicy`")
        iam.update_assume_role_policy(RoleName=id_, PolicyDocument=trust)
        duration = inputs.get("maxSessionDuration", 3600)
        iam.update_role(RoleName=id_, Description=inputs.get("description", ""), MaxSessionDuration=duration)
        if boundary := inputs.get("permissionsBoundary"):
            iam.put_role_permissions_boundary(RoleName=id_, PermissionsBoundary=boundary)
        elif old.get("permissionsBoundary"):
            iam.delete_role_permissions_boundary(RoleName=id_)
        if gone := removed_tags(old, inputs):
            iam.untag_role(RoleName=id_, TagKeys=gone)
        if tags := inputs.get("tags"):
            iam.tag_role(RoleName=id_, Tags=tag_list(tags))
        return {"maxSessionDuration": duration, "tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it; attached policies are detached first only with `forceDetachPolicies`."""
        if outputs.get("forceDetachPolicies") and self.read(id_, outputs) is not None:
            for policy in self._iam.list_attached_role_policies(RoleName=id_)["AttachedPolicies"]:
                self._iam.detach_role_policy(RoleName=id_, PolicyArn=policy["PolicyArn"])
            for name in self._iam.list_role_policies(RoleName=id_)["PolicyNames"]:
                self._iam.delete_role_policy(RoleName=id_, PolicyName=name)
        absent(lambda: self._iam.delete_role(RoleName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._iam.get_role(RoleName=id_)) else None

    @property
    def _iam(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("iam")


@kind
class RolePolicy(Kind):
    """A policy inside a role."""

    token = "aws:iam/rolePolicy:RolePolicy"
    name_input = "name"
    name_limit = 128
    replace_on = frozenset({"role"})
    consumed = frozenset({"policy"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; `role:name` is its id."""
        self.update("", {}, inputs)
        return f"{inputs['role']}:{inputs['name']}", {}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        policy = document(inputs["policy"], "`policy`")
        self._iam.put_role_policy(RoleName=inputs["role"], PolicyName=inputs["name"], PolicyDocument=policy)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Remove it."""
        absent(lambda: self._iam.delete_role_policy(RoleName=outputs["role"], PolicyName=outputs["name"]))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether the role has it."""
        found = present(lambda: self._iam.get_role_policy(RoleName=outputs["role"], PolicyName=outputs["name"]))
        return outputs if found else None

    @property
    def _iam(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("iam")


@kind
class RolePolicyAttachment(Kind):
    """A managed policy on a role."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    replace_on = frozenset({"role", "policyArn"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Attach it."""
        self.world.client("iam").attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return f"{inputs['role']}/{inputs['policyArn']}", {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Detach it."""
        iam = self.world.client("iam")
        absent(lambda: iam.detach_role_policy(RoleName=outputs["role"], PolicyArn=outputs["policyArn"]))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether the role has it."""
        iam = self.world.client("iam")
        answer = present(lambda: iam.list_attached_role_policies(RoleName=outputs["role"]))
        attached = {policy["PolicyArn"] for policy in answer["AttachedPolicies"]} if answer else set()
        return outputs if outputs["policyArn"] in attached else None


@kind
class Policy(Kind):
    """A managed policy of the account."""

    token = "aws:iam/policy:Policy"
    name_input = "name"
    name_limit = 128
    replace_on = frozenset({"path", "description"})
    consumed = frozenset({"policy", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {"delayAfterPolicyCreationInMs": "the sandbox is at once"}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its ARN is its id."""
        policy = self._iam.create_policy(
            PolicyName=inputs["name"],
            PolicyDocument=document(inputs["policy"], "`policy`"),
            Tags=tag_list(inputs.get("tags")),
            **chosen(inputs, "path", "description"),
        )["Policy"]
        arn = policy["Arn"]
        outputs = {"arn": arn, "policyId": policy["PolicyId"], "path": policy["Path"], "attachmentCount": 0}
        return arn, {**outputs, "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Make a new default version, without the oldest where there is no room."""
        versions = self._iam.list_policy_versions(PolicyArn=id_)["Versions"]
        if len(versions) >= _KEPT_VERSIONS:
            oldest = min((v for v in versions if not v["IsDefaultVersion"]), key=lambda v: int(v["VersionId"][1:]))
            self._iam.delete_policy_version(PolicyArn=id_, VersionId=oldest["VersionId"])
        text = document(inputs["policy"], "`policy`")
        self._iam.create_policy_version(PolicyArn=id_, PolicyDocument=text, SetAsDefault=True)
        if gone := removed_tags(old, inputs):
            self._iam.untag_policy(PolicyArn=id_, TagKeys=gone)
        if tags := inputs.get("tags"):
            self._iam.tag_policy(PolicyArn=id_, Tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it with its versions."""
        if self.read(id_, outputs) is None:
            return
        for version in self._iam.list_policy_versions(PolicyArn=id_)["Versions"]:
            if not version["IsDefaultVersion"]:
                self._iam.delete_policy_version(PolicyArn=id_, VersionId=version["VersionId"])
        absent(lambda: self._iam.delete_policy(PolicyArn=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._iam.get_policy(PolicyArn=id_)) else None

    @property
    def _iam(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("iam")
