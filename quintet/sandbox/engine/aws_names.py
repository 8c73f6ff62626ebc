"""What AWS calls things: ARNs and ids by type token, for a cloud that only records.

Forms from the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html). What is not listed gets the
commonest form, `service:region:account:noun/name`.
"""

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_SERVICES: Mapping[str, str] = {
    "alb": "elasticloadbalancing",
    "apigatewayv2": "apigateway",
    "appautoscaling": "application-autoscaling",
    "cloudwatch/eventRule": "events",
    "cloudwatch/eventTarget": "events",
    "cloudwatch/logGroup": "logs",
    "cognito": "cognito-idp",
    "lb": "elasticloadbalancing",
    "sfn": "states",
    "vpc": "ec2",
}
_REGIONLESS = frozenset({"budgets", "cloudfront", "iam", "route53", "shield"})
_RESOURCES: Mapping[str, str] = {
    "apigatewayv2/api": "/apis/{id}",
    "apigatewayv2/stage": "/apis/{owner}/stages/{name}",
    "apigatewayv2/vpcLink": "/vpclinks/{id}",
    "cloudwatch/logGroup": "log-group:{name}",
    "cloudwatch/metricAlarm": "alarm:{name}",
    "ec2/defaultSecurityGroup": "security-group/{id}",
    "ec2/eip": "elastic-ip/{id}",
    "ec2/flowLog": "vpc-flow-log/{id}",
    "ec2/natGateway": "natgateway/{id}",
    "ecs/taskDefinition": "task-definition/{name}:1",
    "eks/addon": "addon/{owner}/{name}/{short}",
    "eks/podIdentityAssociation": "podidentityassociation/{owner}/a-{short}",
    "elasticache/serverlessCache": "serverlesscache:{name}",
    "elasticache/user": "user:{name}",
    "elasticache/userGroup": "usergroup:{name}",
    "kms/key": "key/{id}",
    "lambda/alias": "function:{owner}:{name}",
    "lambda/function": "function:{name}",
    "lb/listener": "listener/net/{owner}/{short}",
    "lb/loadBalancer": "loadbalancer/net/{name}/{short}",
    "lb/targetGroup": "targetgroup/{name}/{short}",
    "s3/bucket": "{name}",
    "s3/bucketObjectv2": "{name}",
    "secretsmanager/secret": "secret:{name}-{short}",
    "sfn/stateMachine": "stateMachine:{name}",
    "sns/topic": "{name}",
    "sqs/queue": "{name}",
    "vpc/securityGroupEgressRule": "security-group-rule/{id}",
    "vpc/securityGroupIngressRule": "security-group-rule/{id}",
}
_ACCOUNTLESS = frozenset({"s3", "apigateway"})
_ID_IS_ARN = frozenset(
    {"acm/certificate", "ecs/cluster", "ecs/service", "iam/policy", "lb/loadBalancer", "lb/listener", "lb/targetGroup",
     "secretsmanager/secret", "sfn/stateMachine", "sns/topic"}
)  # fmt: skip
_ID_PREFIXES: Mapping[str, str] = {
    "ec2/defaultSecurityGroup": "sg",
    "ec2/eip": "eipalloc",
    "ec2/flowLog": "fl",
    "ec2/internetGateway": "igw",
    "ec2/natGateway": "nat",
    "ec2/routeTable": "rtb",
    "ec2/routeTableAssociation": "rtbassoc",
    "ec2/securityGroup": "sg",
    "ec2/subnet": "subnet",
    "ec2/vpc": "vpc",
    "ec2/vpcEndpoint": "vpce",
    "vpc/securityGroupEgressRule": "sgr",
    "vpc/securityGroupIngressRule": "sgr",
}


@dataclass(frozen=True)
class AwsName:
    """What one resource is called.

    Attributes:
        type: The type token, as `aws:sns/topic:Topic`.
        name: The physical name; empty where the type has none.
        owner: For what belongs to a function or an API, that function's name or that API's id.
        seed: What tells the resource from others of its type; random-looking ids come from it.
    """

    type: str
    name: str
    owner: str
    seed: str
    region: str
    account: str

    @cached_property
    def module(self) -> str:
        """`sns/topic` of `aws:sns/topic:Topic`."""
        return self.type.split(":")[1]

    @cached_property
    def service(self) -> str:
        """The service as its ARNs name it."""
        group = self.module.partition("/")[0]
        return _SERVICES.get(self.module) or _SERVICES.get(group, group)

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that belong to this resource."""
        return hashlib.sha256(f"{self.type}\0{self.name}\0{self.seed}".encode()).hexdigest()

    @cached_property
    def id(self) -> str:
        """The id that the provider would give."""
        if self.module in _ID_IS_ARN:
            return self.arn
        if prefix := _ID_PREFIXES.get(self.module):
            return f"{prefix}-{self.digest[:17]}"
        if self.type.startswith("kubernetes:"):
            return self.name
        if self.module == "sqs/queue":
            return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{self.name}"
        if self.name and self.service != "apigateway":
            return self.name
        return self.short_id

    @cached_property
    def short_id(self) -> str:
        """An id that AWS makes up: a UUID for keys, ten characters elsewhere."""
        return str(uuid.UUID(self.digest[:32])) if self.service == "kms" else self.digest[:10]

    @cached_property
    def arn(self) -> str:
        """The ARN."""
        noun = re.sub(r"(?<!^)(?=[A-Z])", "-", self.module.partition("/")[2]).lower()
        has_id = self.module in _ID_PREFIXES
        form = _RESOURCES.get(self.module, f"{noun}/{{id}}" if has_id else f"{noun}/{{name}}")
        resource = form.format(
            id=self.id if has_id else self.short_id,
            name=self.name or self.short_id,
            owner=self.owner,
            short=self.digest[:6],
        )
        region = "" if self.service in _REGIONLESS or self.service == "s3" else self.region
        account = "" if self.service in _ACCOUNTLESS else self.account
        return f"arn:aws:{self.service}:{region}:{account}:{resource}"
