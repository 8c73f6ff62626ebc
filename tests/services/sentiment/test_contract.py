"""The service keeps the contract of its OpenAPI document, for requests that fit it and for those that do not."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

TIMEOUT = "X-Request-Timeout-Ms"
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
# A request without parameters and body cannot be wrong: the GETs have no negative case.
OPERATIONS = [
    ("/predict", "POST", POSITIVE),
    ("/predict", "POST", NEGATIVE),
    ("/predict/batch", "POST", POSITIVE),
    ("/predict/batch", "POST", NEGATIVE),
    ("/healthz", "GET", POSITIVE),
    ("/livez", "GET", POSITIVE),
    ("/readyz", "GET", POSITIVE),
    ("/model/info", "GET", POSITIVE),
]


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_answer_is_one_that_the_document_describes(sentiment, path, method, mode):
    schema = schemathesis.openapi.from_asgi("/openapi.json", sentiment.client.app)

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def holds(case):
        headers = case.headers if case.headers is not None else {}
        # A caller that waits for a millisecond is told 504, which is right and yet looks like a fault.
        if re.fullmatch("[1-9][0-9]*", str(headers.get(TIMEOUT))):
            headers[TIMEOUT] = "999999999"
        case.call_and_validate()

    holds()
