"""What is stored in buckets, tables, queues and groups is still there after an update."""

import pytest
from botocore.exceptions import ClientError

from tests.quintet.emulator.running import error_code
from tests.quintet.kinds.deploying import Deployer
from tests.quintet.kinds.test_every_kind import TABLE


def test_objects_stay_when_the_tags_of_their_bucket_change(deploy: Deployer) -> None:
    bucket = deploy.bucket()
    s3 = deploy.world.client("s3")
    s3.put_object(Bucket=bucket["bucket"], Key="kept", Body=b"data")

    bucket.update({"tags": {"a": "1"}})

    assert s3.get_object(Bucket=bucket["bucket"], Key="kept")["Body"].read() == b"data"


def test_a_bucket_with_objects_is_deleted_only_by_force(deploy: Deployer) -> None:
    kept, forced = deploy.bucket(), deploy.bucket(forceDestroy=True)
    s3 = deploy.world.client("s3")
    for bucket in (kept, forced):
        s3.put_bucket_versioning(Bucket=bucket.id, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=bucket.id, Key="a", Body=b"1")
        s3.put_object(Bucket=bucket.id, Key="a", Body=b"2")

    with pytest.raises(ClientError) as error:
        kept.delete()
    forced.delete()

    assert error_code(error) == "BucketNotEmpty"
    assert forced.read() is None


def test_items_stay_when_indexes_and_expiry_of_their_table_change(deploy: Deployer) -> None:
    table = deploy.make("aws:dynamodb/table:Table", **TABLE)
    dynamodb = deploy.world.client("dynamodb")
    item = {"decision_id": {"S": "1"}, "day_shard": {"S": "d"}, "decided_at": {"S": "t"}}
    dynamodb.put_item(TableName=table.id, Item=item)
    fewer = {**TABLE, "globalSecondaryIndexes": [], "attributes": TABLE["attributes"][:1]}

    table.update(fewer)
    table.update(TABLE)

    found = dynamodb.query(
        TableName=table.id,
        IndexName="by-day",
        KeyConditionExpression="day_shard = :d",
        ExpressionAttributeValues={":d": {"S": "d"}},
    )
    assert found["Items"] == [item]


def test_a_table_is_made_as_declared(deploy: Deployer) -> None:
    table = deploy.make("aws:dynamodb/table:Table", **TABLE, deletionProtectionEnabled=True)
    dynamodb = deploy.world.client("dynamodb")

    described = dynamodb.describe_table(TableName=table.id)["Table"]
    expiry = dynamodb.describe_time_to_live(TableName=table.id)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=table.id)["ContinuousBackupsDescription"]

    assert described["DeletionProtectionEnabled"]
    assert described["SSEDescription"]["Status"] == "ENABLED"
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_a_protected_table_is_not_deleted(deploy: Deployer) -> None:
    table = deploy.make("aws:dynamodb/table:Table", **TABLE, deletionProtectionEnabled=True)

    with pytest.raises(ClientError, match="protect"):
        table.delete()

    assert table.read() is not None


def test_another_key_replaces_a_table_and_another_index_does_not(deploy: Deployer) -> None:
    table = deploy.make("aws:dynamodb/table:Table", **TABLE)
    fewer = {**TABLE, "globalSecondaryIndexes": [], "attributes": TABLE["attributes"][:1]}
    other = {**fewer, "hashKey": "id", "attributes": [{"name": "id", "type": "S"}]}

    assert table.replaces(fewer) == ()
    assert table.replaces(other) == ("hashKey",)


def test_what_is_logged_stays_when_the_retention_changes(deploy: Deployer) -> None:
    group = deploy.make("aws:cloudwatch/logGroup:LogGroup", retentionInDays=7)
    logs = deploy.world.client("logs")
    logs.create_log_stream(logGroupName=group.id, logStreamName="s")

    group.update({"retentionInDays": 30})

    assert logs.describe_log_streams(logGroupName=group.id)["logStreams"]
    assert logs.describe_log_groups(logGroupNamePrefix=group.id)["logGroups"][0]["retentionInDays"] == 30


def test_an_object_from_a_text_has_its_content_and_type(deploy: Deployer) -> None:
    bucket = deploy.bucket()
    given = {"bucket": bucket.id, "key": "a/b.json", "content": "{}", "contentType": "application/json"}
    made = deploy.make("aws:s3/bucketObjectv2:BucketObjectv2", **given)

    found = deploy.world.client("s3").get_object(Bucket=bucket.id, Key="a/b.json")

    assert found["Body"].read() == b"{}"
    assert found["ContentType"] == "application/json"
    assert made["etag"] == found["ETag"].strip('"')


def test_an_alarm_is_put_as_declared(deploy: Deployer) -> None:
    alarm = deploy.make(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        comparisonOperator="GreaterThanThreshold",
        evaluationPeriods=3,
        datapointsToAlarm=2,
        threshold=1,
        metricName="Errors",
        namespace="Quintet",
        period=60,
        extendedStatistic="p99",
        dimensions={"service": "moderation"},
        okActions=["arn:aws:sns:us-east-1:123456789012:a"],
        treatMissingData="notBreaching",
    )

    found = deploy.world.client("cloudwatch").describe_alarms(AlarmNames=[alarm.id])["MetricAlarms"][0]

    assert found["TreatMissingData"] == "notBreaching"
    assert found["DatapointsToAlarm"] == 2
    assert found["Dimensions"] == [{"Name": "service", "Value": "moderation"}]
    assert found["OKActions"] == ["arn:aws:sns:us-east-1:123456789012:a"]


def test_a_queue_goes_back_to_the_default_of_what_is_left_out(deploy: Deployer) -> None:
    queue = deploy.make("aws:sqs/queue:Queue", visibilityTimeoutSeconds=99)

    queue.update({})

    found = deploy.world.client("sqs").get_queue_attributes(QueueUrl=queue.id, AttributeNames=["All"])["Attributes"]
    assert found["VisibilityTimeout"] == "30"
