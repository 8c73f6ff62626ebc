"""Image functions. The emulator keeps their configuration and versions; the sandbox runs them as processes."""

import fnmatch
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import ONE_REGION, RefusedError, absent, only, pascal, present, removed_tags
from quintet.sandbox.kinds.ecr import pushed_digest

_CONFIGURATION = frozenset(
    {"deadLetterConfig", "description", "environment", "ephemeralStorage", "imageConfig", "kmsKeyArn", "loggingConfig",
     "memorySize", "role", "timeout", "tracingConfig"}
)  # fmt: skip
"""What UpdateFunctionConfiguration changes."""

_CODE = frozenset({"imageUri", "architectures"})
_IMAGE_CONFIG = {"commands": "Command", "entryPoints": "EntryPoint", "workingDirectory": "WorkingDirectory"}
_DEFAULTS = {"timeout": 3, "memorySize": 128, "description": "", "ephemeralStorage": {"size": 512}}


@kind
class Function(Kind):
    """A function of package type Image."""

    token = "aws:lambda/function:Function"
    name_input = "name"
    name_limit = 64
    replace_on = frozenset({"packageType"})
    volatile = frozenset(
        {"version", "qualifiedArn", "qualifiedInvokeArn", "lastModified", "codeSha256", "sourceCodeSize"}
    )
    consumed = _CONFIGURATION | _CODE | {"publish", "reservedConcurrentExecutions", "skipDestroy", "tags"}
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "sourceCodeHash": "an image is known by its digest",
        "vpcConfig": "a process of this machine has this machine's network",
        "replaceSecurityGroupsOnDestroy": "a process of this machine has this machine's network",
        "replacementSecurityGroupIds": "a process of this machine has this machine's network",
        "useResourceTimeoutForPropagation": "the sandbox is at once",
    }

    def check(self, inputs: Properties) -> Properties:
        """An image, and an environment that Lambda takes."""
        if inputs.get("packageType") != "Image" or not inputs.get("imageUri"):
            raise RefusedError('the sandbox runs functions of `packageType` "Image" with an `imageUri`')
        variables = (inputs.get("environment") or {}).get("variables") or {}
        if variables and not is_unknown(variables):
            from quintet.sandbox.functions import InvalidEnvironmentError, refuse_invalid  # noqa: PLC0415  brings aiohttp

            try:
                refuse_invalid(variables)
            except InvalidEnvironmentError as error:
                raise RefusedError(str(error)) from None
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it, and publish its first version where `publish` is set; its name is its id."""
        self._require_trust(inputs["role"])
        image = self._image(inputs["imageUri"])
        made = self._lambda.create_function(
            FunctionName=inputs["name"],
            PackageType="Image",
            Code={"ImageUri": image},
            Publish=bool(inputs.get("publish")),
            **({"Architectures": inputs["architectures"]} if inputs.get("architectures") else {}),
            **({"Tags": inputs["tags"]} if inputs.get("tags") else {}),
            **_configuration(inputs),
        )
        self._reserve(inputs["name"], inputs)
        return inputs["name"], {**self._outputs(inputs, made, image), "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change configuration and code, and publish a version when one of them changed."""
        changed = {key for key in self.consumed if old.get(key) != inputs.get(key)}
        image = self._image(inputs["imageUri"])
        if changed & _CONFIGURATION:
            self._require_trust(inputs["role"])
            self._lambda.update_function_configuration(FunctionName=id_, **_configuration(inputs, removed=old))
        if changed & _CODE:
            architectures = inputs.get("architectures") or ["x86_64"]
            self._lambda.update_function_code(FunctionName=id_, ImageUri=image, Architectures=architectures)
        if "reservedConcurrentExecutions" in changed:
            self._reserve(id_, inputs)
        self._tag(old, inputs)
        outputs = {"tagsAll": inputs.get("tags") or {}}
        if changed & (_CONFIGURATION | _CODE | {"publish"}):
            return {**outputs, **self._published(id_, inputs, image)}
        return outputs | {name: old[name] for name in self.volatile if name in old}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it with its versions, unless `skipDestroy`, and end its processes."""
        if outputs.get("skipDestroy"):
            return
        absent(lambda: self._lambda.delete_function(FunctionName=id_))
        if self.world.functions:
            self.world.functions.forget(id_)

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there with the version that the state names."""
        qualifier = {} if outputs.get("version") in {None, "$LATEST"} else {"Qualifier": outputs["version"]}
        return outputs if present(lambda: self._lambda.get_function(FunctionName=id_, **qualifier)) else None

    def _published(self, name: str, inputs: Properties, image: str) -> Properties:
        if not inputs.get("publish"):
            return self._outputs(inputs, self._lambda.get_function_configuration(FunctionName=name), image)
        return self._outputs(inputs, self._lambda.publish_version(FunctionName=name), image)

    def _outputs(self, inputs: Properties, made: Properties, image: str) -> Properties:
        arn = f"arn:aws:lambda:{self.world.region}:{self.world.account}:function:{inputs['name']}"
        qualified = f"{arn}:{made['Version']}"
        return {
            "arn": arn,
            "version": made["Version"],
            "qualifiedArn": qualified,
            "invokeArn": invoke_arn(self.world.region, arn),
            "qualifiedInvokeArn": invoke_arn(self.world.region, qualified),
            "responseStreamingInvokeArn": _streaming_arn(self.world.region, arn),
            "lastModified": made["LastModified"],
            "codeSha256": image.rpartition("@sha256:")[2],
            "sourceCodeSize": 0,
        }  # fmt: skip

    def _image(self, uri: str) -> str:
        """The image by digest, as Lambda resolves a tag once; it must be in ECR and built in this sandbox."""
        repository = uri.partition("@")[0]
        digest = pushed_digest(self.world, uri)
        if digest is None:
            raise RefusedError(f"Source image {uri} does not exist. Provide a valid source image.")
        self.world.images.get(digest)
        return f"{repository}@{digest}"

    def _require_trust(self, role_arn: str) -> None:
        """CreateFunction refuses a role that Lambda may not assume; the emulator only asks that it exists."""
        role = present(lambda: self.world.client("iam").get_role(RoleName=role_arn.rpartition("/")[2]))
        if role is None:
            raise RefusedError(f"there is no role {role_arn}")
        policy = role["Role"]["AssumeRolePolicyDocument"]
        if not trusts(policy if isinstance(policy, dict) else json.loads(policy), "lambda.amazonaws.com"):
            raise RefusedError(
                f"the role {role_arn} cannot be assumed by Lambda: its trust policy does not allow `sts:AssumeRole` to "
                "the service lambda.amazonaws.com"
            )

    def _reserve(self, name: str, inputs: Properties) -> None:
        """-1 is Pulumi's word for none reserved."""
        reserved = inputs.get("reservedConcurrentExecutions", -1)
        if reserved is not None and reserved >= 0:
            self._lambda.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
        else:
            absent(lambda: self._lambda.delete_function_concurrency(FunctionName=name))

    def _tag(self, old: Properties, inputs: Properties) -> None:
        if gone := removed_tags(old, inputs):
            self._lambda.untag_resource(Resource=old["arn"], TagKeys=gone)
        if tags := inputs.get("tags"):
            self._lambda.tag_resource(Resource=old["arn"], Tags=tags)

    @property
    def _lambda(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("lambda")


def invoke_arn(region: str, arn: str, version: str = "2015-03-31", action: str = "invocations") -> str:
    """What an API Gateway integration names to invoke a function."""
    return f"arn:aws:apigateway:{region}:lambda:path/{version}/functions/{arn}/{action}"


def _streaming_arn(region: str, arn: str) -> str:
    return invoke_arn(region, arn, "2021-11-15", "response-streaming-invocations")


def trusts(policy: Mapping[str, Any], service: str, action: str = "sts:AssumeRole") -> bool:
    """Whether a trust policy lets a service assume the role, or tag the session; conditions are taken to hold."""
    allowed = False
    for statement in _listed(policy.get("Statement", [])):
        principal = statement.get("Principal", {})
        services = ["*"] if principal == "*" else _listed(principal.get("Service", []))
        actions = _listed(statement.get("Action", []))
        concerned = any(fnmatch.fnmatchcase(action.lower(), allows.lower()) for allows in actions)
        if concerned and {service, "*"} & set(services):
            if statement.get("Effect") == "Deny":
                return False
            allowed = True
    return allowed


def _listed(value: Any) -> list[Any]:  # noqa: ANN401  one or several, as IAM takes both
    return value if isinstance(value, list) else [value]


def _configuration(inputs: Properties, removed: Iterable[str] = ()) -> dict[str, Any]:
    """The configuration to put; what the old inputs had and the new ones have not goes back to its default."""
    defaults = {name: _DEFAULTS.get(name, {}) for name in _CONFIGURATION if name in removed}
    given = {**defaults, **{name: inputs[name] for name in _CONFIGURATION if inputs.get(name) is not None}}
    image_config = given.pop("imageConfig", None)
    environment = given.pop("environment", None)
    arguments: dict[str, Any] = pascal(given, {"kmsKeyArn": "KMSKeyArn"})
    if image_config is not None:
        only(image_config, _IMAGE_CONFIG, "`imageConfig`")
        arguments["ImageConfig"] = {_IMAGE_CONFIG[key]: item for key, item in image_config.items() if item is not None}
    if environment is not None:
        only(environment, ("variables",), "`environment`")
        arguments["Environment"] = {"Variables": environment.get("variables") or {}}
    return arguments
