"""What a caller gets from a function that works, and from one that does not."""

ECHO = """
    def handler(event, context):
        print("got", event)
        return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn}
"""


async def test_a_handler_gets_the_event_and_its_value_is_the_answer(sandbox):
    arn = sandbox.deploy(ECHO)

    reply = await sandbox.invoke(arn, {"text": "ä"}, X_Amzn_Lambda_Request_Id="r-1")

    assert reply.status == 200
    assert not reply.failed
    assert reply.body == {"event": {"text": "ä"}, "id": "r-1", "arn": arn}
