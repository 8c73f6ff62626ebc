"""Domains of one's own in front of HTTP APIs."""

from typing import Any

from quintet.sandbox.kinds.apigatewayv2 import Gateway
from quintet.sandbox.kinds.base import Properties, kind
from quintet.sandbox.kinds.calls import absent, chosen, pascal, present


@kind
class DomainName(Gateway):
    """A domain of one's own; no name server of this machine knows it."""

    token = "aws:apigatewayv2/domainName:DomainName"
    replace_on = frozenset({"domainName"})
    consumed = frozenset({"domainNameConfiguration", "tags"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; the domain is its id."""
        name = inputs["domainName"]
        tags = {"Tags": inputs["tags"]} if inputs.get("tags") else {}
        answer = self._gateway.create_domain_name(DomainName=name, **self._configurations(inputs), **tags)
        arn = f"arn:aws:apigateway:{self.world.region}::/domainnames/{name}"
        made = answer["DomainNameConfigurations"][0]
        target = {"targetDomainName": made["ApiGatewayDomainName"], "hostedZoneId": made["HostedZoneId"]}
        return name, {
            "arn": arn,
            "apiMappingSelectionExpression": "$request.basepath",
            "domainNameConfiguration": {**inputs["domainNameConfiguration"], **target},
            "tagsAll": inputs.get("tags") or {},
        }

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its certificate and tags."""
        self._gateway.update_domain_name(DomainName=id_, **self._configurations(inputs))
        self._tag(old["arn"], old, inputs)
        target = {name: old["domainNameConfiguration"][name] for name in ("targetDomainName", "hostedZoneId")}
        configuration = {**inputs["domainNameConfiguration"], **target}
        return {"domainNameConfiguration": configuration, "tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._gateway.delete_domain_name(DomainName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._gateway.get_domain_name(DomainName=id_)) else None

    @staticmethod
    def _configurations(inputs: Properties) -> dict[str, Any]:
        given = inputs["domainNameConfiguration"]
        settable = {key: value for key, value in given.items() if key not in {"targetDomainName", "hostedZoneId"}}
        return {"DomainNameConfigurations": [pascal(settable)]}


@kind
class ApiMapping(Gateway):
    """Which API a domain serves."""

    token = "aws:apigatewayv2/apiMapping:ApiMapping"
    replace_on = frozenset({"domainName"})
    consumed = frozenset({"apiId", "apiMappingKey", "stage"})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it."""
        arguments = chosen(inputs, "domainName", "apiId", "apiMappingKey", "stage")
        return self._gateway.create_api_mapping(**arguments)["ApiMappingId"], {}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Point it elsewhere."""
        arguments = chosen(inputs, "domainName", "apiId", "apiMappingKey", "stage")
        self._gateway.update_api_mapping(ApiMappingId=id_, **arguments)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it."""
        domain = outputs["domainName"]
        absent(lambda: self._gateway.delete_api_mapping(DomainName=domain, ApiMappingId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        domain = outputs["domainName"]
        found = present(lambda: self._gateway.get_api_mapping(DomainName=domain, ApiMappingId=id_))
        return outputs if found else None
