"""A program with arrows that no service declares yet, and every grant that they need."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from tests.stacks.declaring import ACCOUNT, a_function

CLUSTER = f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/training"
OF_ACCOUNT = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
Statement = dict[str, Any]


def allow(action: str | list[str], resource: str = "*", service: str = "", condition: Any = None) -> Statement:
    statement: Statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    statement |= {"Principal": {"Service": service}} if service else {}
    return statement | ({"Condition": condition} if condition else {})


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def a_role(name: str, service: str, *statements: Statement) -> aws.iam.Role:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    role = aws.iam.Role(name, assume_role_policy=document(trust))
    if statements:
        aws.iam.RolePolicy(f"{name}-policy", role=role.name, policy=document(*statements))
    return role


def a_queue(name: str, service: str) -> aws.sqs.Queue:
    queue = aws.sqs.Queue(name)
    policy = document(allow("sqs:SendMessage", service=service, condition=OF_ACCOUNT))
    aws.sqs.QueuePolicy(f"{name}-policy", queue_url=queue.url, policy=policy)
    return queue


def a_rule(name: str, arn: pulumi.Input[str], **more: Any) -> None:
    rule = aws.cloudwatch.EventRule(name, schedule_expression="rate(1 day)")
    aws.cloudwatch.EventTarget(f"{name}-target", rule=rule.name, arn=arn, **more)


def trains_every_night() -> None:
    execution = a_role("execution", "ecs-tasks.amazonaws.com")
    work = a_role("work", "ecs-tasks.amazonaws.com")
    task = aws.ecs.TaskDefinition(
        "training",
        family="training",
        container_definitions="[]",
        task_role_arn=work.arn,
        execution_role_arn=execution.arn,
    )
    passed = pulumi.Output.all(task.arn, work.arn, execution.arn).apply(
        lambda arns: document(
            allow("ecs:RunTask", arns[0]), allow("iam:PassRole", arns[1]), allow("iam:PassRole", arns[2])
        )
    )
    starter = a_role("starter", "events.amazonaws.com")
    aws.iam.RolePolicy("starter-policy", role=starter.name, policy=passed)
    letters = a_queue("letters", "events.amazonaws.com")
    target = {"task_definition_arn": task.arn}
    a_rule("nightly", CLUSTER, role_arn=starter.arn, ecs_target=target, dead_letter_config={"arn": letters.arn})


def tells_by_events(context: Path) -> None:
    key = aws.kms.Key(
        "topic-key", policy=document(allow(["kms:Decrypt", "kms:GenerateDataKey"], service="events.amazonaws.com"))
    )
    topic = aws.sns.Topic("news", kms_master_key_id=key.arn)
    policy = topic.arn.apply(lambda arn: document(allow("sns:Publish", arn, "events.amazonaws.com")))
    aws.sns.TopicPolicy("news-policy", arn=topic.arn, policy=policy)
    a_rule("to-topic", topic.arn)
    a_rule("to-queue", a_queue("inbox", "events.amazonaws.com").arn)
    machine = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:pipeline"
    starter = a_role("machine-starter", "events.amazonaws.com", allow("states:StartExecution", machine))
    a_rule("to-machine", machine, role_arn=starter.arn)

    function = a_function(context, asynchronous=True)
    rule = aws.cloudwatch.EventRule("to-function", schedule_expression="rate(1 day)")
    aws.cloudwatch.EventTarget("to-function-target", rule=rule.name, arn=function.alias_arn)
    called = {"action": "lambda:InvokeFunction", "function": function.function_name, "qualifier": function.alias_name}
    aws.lambda_.Permission("by-rule", principal="events.amazonaws.com", source_arn=rule.arn, **called)

    aws.sns.TopicSubscription("to-subscriber", topic=topic.arn, protocol="lambda", endpoint=function.alias_arn)
    aws.lambda_.Permission("by-topic", principal="sns.amazonaws.com", source_arn=topic.arn, **called)
    subscriber = a_queue("subscriber", "sns.amazonaws.com")
    aws.sns.TopicSubscription("to-subscribed-queue", topic=topic.arn, protocol="sqs", endpoint=subscriber.arn)


def writes_logs() -> None:
    bucket = aws.s3.Bucket("audit")
    trail = {"StringEquals": {"aws:SourceArn": f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/audit"}}
    owned = {"StringEquals": {**trail["StringEquals"], "s3:x-amz-acl": "bucket-owner-full-control"}}
    policy = bucket.arn.apply(
        lambda arn: document(
            allow("s3:GetBucketAcl", arn, "cloudtrail.amazonaws.com", trail),
            allow("s3:PutObject", f"{arn}/trail/AWSLogs/{ACCOUNT}/*", "cloudtrail.amazonaws.com", owned),
            allow(
                "s3:PutObject",
                f"{arn}/alb/AWSLogs/{ACCOUNT}/*",
                "logdelivery.elasticloadbalancing.amazonaws.com",
                OF_ACCOUNT,
            ),
        )
    )
    aws.s3.BucketPolicy("audit-policy", bucket=bucket.bucket, policy=policy)
    encrypt = allow("kms:GenerateDataKey*", service="cloudtrail.amazonaws.com", condition=trail)
    key = aws.kms.Key("trail-key", policy=document(encrypt))
    aws.cloudtrail.Trail("trail", name="audit", s3_bucket_name=bucket.bucket, s3_key_prefix="trail", kms_key_id=key.arn)
    aws.lb.LoadBalancer("balancer", access_logs={"bucket": bucket.bucket, "prefix": "alb", "enabled": True})
