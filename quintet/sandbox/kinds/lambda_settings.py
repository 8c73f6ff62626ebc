"""What stands around a function: aliases, permissions, concurrency kept ready, asynchronous invocation."""

from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import ONE_REGION, absent, chosen, pascal, present
from quintet.sandbox.kinds.lambda_ import invoke_arn


class OfFunction(Kind):
    """What belongs to a function."""

    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    @property
    def _lambda(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("lambda")


def _bare(function: str) -> str:
    """A function's name, from its name or its ARN, with or without a qualifier."""
    return function.split(":")[6] if function.startswith("arn:") else function.partition(":")[0]


@kind
class Alias(OfFunction):
    """A name for a version."""

    token = "aws:lambda/alias:Alias"
    name_input = "name"
    name_limit = 128
    replace_on = frozenset({"functionName"})
    consumed = frozenset({"description", "functionVersion", "routingConfig"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its ARN is its id."""
        settings = {"FunctionVersion": inputs["functionVersion"], **self._settings(inputs)}
        name, function = inputs["name"], _bare(inputs["functionName"])
        arn = self._lambda.create_alias(FunctionName=function, Name=name, **settings)["AliasArn"]
        return arn, {"arn": arn, "invokeArn": invoke_arn(self.world.region, arn)}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Point it elsewhere."""
        settings = {"FunctionVersion": inputs["functionVersion"], **self._settings(inputs)}
        name, function = inputs["name"], _bare(inputs["functionName"])
        self._lambda.update_alias(FunctionName=function, Name=name, **settings)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        name, function = outputs["name"], _bare(outputs["functionName"])
        absent(lambda: self._lambda.delete_alias(FunctionName=function, Name=name))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """The version and weights as they are now: a rollout shifts them outside the program."""
        name, function = outputs["name"], _bare(outputs["functionName"])
        found = present(lambda: self._lambda.get_alias(FunctionName=function, Name=name))
        if found is None:
            return None
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        routing = {"routingConfig": {"additionalVersionWeights": weights}} if weights else {}
        kept = {key: value for key, value in outputs.items() if key != "routingConfig"}
        return {**kept, "functionVersion": found["FunctionVersion"], **routing}

    @staticmethod
    def _settings(inputs: Properties) -> dict[str, Any]:
        weights = (inputs.get("routingConfig") or {}).get("additionalVersionWeights") or {}
        return {"Description": inputs.get("description", ""), "RoutingConfig": {"AdditionalVersionWeights": weights}}


@kind
class Permission(OfFunction):
    """Who may invoke a function; the emulator enforces it for HTTP APIs, other accounts and events."""

    token = "aws:lambda/permission:Permission"
    name_input = "statementId"
    name_limit = 100
    consumed = frozenset(
        {"action", "eventSourceToken", "function", "functionUrlAuthType", "invokedViaFunctionUrl", "principal",
         "principalOrgId", "qualifier", "sourceAccount", "sourceArn"}
    )  # fmt: skip

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Add the statement; its id is its id."""
        names = {"principalOrgId": "PrincipalOrgID"}
        others = sorted(self.consumed - {"function"})
        arguments = chosen(inputs, *others, renamed=names)
        self._lambda.add_permission(
            FunctionName=_bare(inputs["function"]), StatementId=inputs["statementId"], **arguments
        )
        return inputs["statementId"], {}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Remove the statement."""
        qualifier = chosen(outputs, "qualifier")
        function = _bare(outputs["function"])
        absent(lambda: self._lambda.remove_permission(FunctionName=function, StatementId=id_, **qualifier))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether the function's policy has the statement."""
        qualifier = chosen(outputs, "qualifier")
        function = _bare(outputs["function"])
        found = present(lambda: self._lambda.get_policy(FunctionName=function, **qualifier))
        return outputs if found and f'"{id_}"' in found["Policy"] else None


@kind
class ProvisionedConcurrencyConfig(OfFunction):
    """Instances kept ready; the emulator keeps the number, the sandbox starts instances on the first call."""

    token = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
    replace_on = frozenset({"functionName", "qualifier"})
    consumed = frozenset({"provisionedConcurrentExecutions", "skipDestroy"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it."""
        self.update("", {}, inputs)
        return f"{_bare(inputs['functionName'])},{inputs['qualifier']}", {}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        arguments = chosen(inputs, "qualifier", "provisionedConcurrentExecutions")
        self._lambda.put_provisioned_concurrency_config(FunctionName=_bare(inputs["functionName"]), **arguments)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Remove it."""
        name, qualifier = _bare(outputs["functionName"]), outputs["qualifier"]
        if not outputs.get("skipDestroy"):
            absent(lambda: self._lambda.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether it is there."""
        name, qualifier = _bare(outputs["functionName"]), outputs["qualifier"]
        call = self._lambda.get_provisioned_concurrency_config
        return outputs if present(lambda: call(FunctionName=name, Qualifier=qualifier)) else None


@kind
class FunctionEventInvokeConfig(OfFunction):
    """How asynchronous invocations are tried again and where failed ones go."""

    token = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
    replace_on = frozenset({"functionName", "qualifier"})
    consumed = frozenset({"destinationConfig", "maximumEventAgeInSeconds", "maximumRetryAttempts"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it."""
        self.update("", {}, inputs)
        return ":".join(filter(None, (_bare(inputs["functionName"]), inputs.get("qualifier")))), {}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        arguments = chosen(inputs, "qualifier", "maximumEventAgeInSeconds", "maximumRetryAttempts")
        if destinations := inputs.get("destinationConfig"):
            arguments["DestinationConfig"] = pascal(destinations)
        self._lambda.put_function_event_invoke_config(FunctionName=_bare(inputs["functionName"]), **arguments)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Remove it."""
        name, qualifier = _bare(outputs["functionName"]), chosen(outputs, "qualifier")
        absent(lambda: self._lambda.delete_function_event_invoke_config(FunctionName=name, **qualifier))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether it is there."""
        name, qualifier = _bare(outputs["functionName"]), chosen(outputs, "qualifier")
        call = self._lambda.get_function_event_invoke_config
        return outputs if present(lambda: call(FunctionName=name, **qualifier)) else None
