"""The sentiment API, from a request to its answer."""

import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from services.sentiment.contracts import LABELS, MAX_BATCH_BYTES, MAX_TEXT_BYTES
from tests.services.sentiment.conftest import JSON, serving

CANARY = "canaryxyzzy"
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(("text", "label"), [("good", "positive"), ("bad", "negative"), ("a table", "neutral")])
def test_a_text_has_a_label_and_a_score_for_each(sentiment, text, label):
    answer = sentiment.predict(text)

    body = answer.json()
    assert answer.status_code == 200
    assert (body["label"], body["model_version"]) == (label, "tiny-1")
    assert list(body["scores"]) == list(LABELS)
    assert sum(body["scores"].values()) == pytest.approx(1, abs=1e-5)
    assert body["confidence"] == body["scores"][label] == max(body["scores"].values())


def test_a_batch_answers_in_the_order_of_its_texts(sentiment):
    texts = [("good " if number % 3 else "bad ") * (number % 5 + 1) for number in range(128)]

    answer = sentiment.client.post("/predict/batch", json={"texts": texts})

    found = [result["label"] for result in answer.json()["results"]]
    assert found == ["positive" if number % 3 else "negative" for number in range(128)]
    assert answer.json()["model_version"] == "tiny-1"


def test_one_text_and_a_batch_of_it_have_the_same_answer(sentiment):
    single = sentiment.predict("good table").json()

    (result,) = sentiment.client.post("/predict/batch", json={"texts": ["good table"]}).json()["results"]

    assert result["label"] == single["label"]
    assert result["scores"] == pytest.approx(single["scores"])


def test_ids_and_timings_are_in_the_headers(sentiment):
    headers = sentiment.predict("hello", headers={"X-Request-Id": "abc-1", "traceparent": TRACE}).headers

    assert headers["x-request-id"] == "abc-1"
    assert headers["traceparent"].split("-")[1] == TRACE.split("-")[1]
    assert [part.split(";")[0] for part in headers["server-timing"].split(", ")] == ["predict", "total"]


@pytest.mark.parametrize(
    "text", ["a", "a" * 5000, "\x00", "a\x00b", " ", "\u202e", "👩‍👩‍👧‍👦" * 100, "😀" * 5000, "\n\n"]
)
def test_any_text_of_1_to_5000_characters_is_answered(sentiment, text):
    assert sentiment.predict(text).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        ("/predict", {"text": "😀" * 5000}, MAX_TEXT_BYTES),
        ("/predict/batch", {"texts": ["😀" * 5000] * 128}, MAX_BATCH_BYTES),
    ],
)
def test_the_largest_allowed_body_fits_its_limit(sentiment, path, body, limit):
    content = json.dumps(body, ensure_ascii=True)

    answer = sentiment.client.post(path, content=content, headers=JSON)

    assert len(content) > 0.9 * limit
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "pointer", "detail"),
    [
        ("/predict", {"text": ""}, "#/text", "String should have at least 1 character."),
        ("/predict", {"text": "a" * 5001}, "#/text", "String should have at most 5000 characters."),
        ("/predict", {}, "#/text", "Field required."),
        ("/predict", {"text": 7}, "#/text", "Input should be a valid string."),
        ("/predict", {"text": "a", CANARY: 1}, "#", "An unknown field; /docs lists the known ones."),
        ("/predict/batch", {"texts": []}, "#/texts", "List should have at least 1 item after validation, not 0."),
        ("/predict/batch", {"texts": ["a", ""]}, "#/texts/1", "String should have at least 1 character."),
    ],
)
def test_a_wrong_request_is_told_where_and_what_is_allowed(sentiment, path, body, pointer, detail):
    answer = sentiment.client.post(path, json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"] == [{"pointer": pointer, "detail": detail}]


def test_ten_thousand_texts_are_refused_with_the_number_that_is_allowed(sentiment):
    answer = sentiment.client.post("/predict/batch", json={"texts": ["good"] * 10_000})

    assert answer.status_code == 422
    assert "at most 128 items" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b'{"text": "\\ud800"}', 422),
        (b'{"text": "\xff\xfe"}', 422),
        (b'{"text": "\xed\xa0\x80"}', 422),
        (b"[" * 50_000, 422),
        (b'{"text":' * 5_000, 422),
        (b'{"text": NaN}', 422),
        (b'{"text": "a", "text": 7}', 422),
        (b"\x00" * 100, 422),
        (b"x" * 1_000_000, 413),
    ],
)
def test_a_body_that_is_no_request_is_a_problem(sentiment, content, status):
    answer = sentiment.client.post("/predict", content=content, headers=JSON)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "request_id", "errors"}


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_body_without_a_length_is_cut_off_at_the_limit(sentiment, path):
    def endless():
        for _ in range(200):
            yield b" " * 65_536

    answer = sentiment.client.post(path, content=endless(), headers=JSON)

    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_a_body_that_does_not_say_it_is_json_is_refused(sentiment, kind):
    answer = sentiment.client.post("/predict", content=b'{"text": "a"}', headers={"Content-Type": kind})

    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


@given(text=ANY_TEXT)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_text_is_answered_with_an_error(sentiment, text):
    answer = sentiment.predict(text)

    assert answer.status_code == 200
    assert answer.json()["label"] in LABELS


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "texts", "x"]), inner, max_size=3)
        ),
    )
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_json_is_answered_with_a_failure_of_the_service(sentiment, body):
    content = json.dumps(body).encode()
    for path in ("/predict", "/predict/batch"):
        answer = sentiment.client.post(path, content=content, headers=JSON)

        assert answer.status_code in {200, 422}


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "soon", "", "9" * 10, "٣"])
def test_a_timeout_that_is_no_number_of_milliseconds_is_refused(sentiment, value):
    answer = sentiment.predict("good", headers={"X-Request-Timeout-Ms": value.encode()})

    assert answer.status_code == 400
    assert "X-Request-Timeout-Ms" in answer.json()["detail"]


def test_a_timeout_beyond_the_limit_is_cut_down_to_it(sentiment):
    assert sentiment.predict("good", headers={"X-Request-Timeout-Ms": "999999999"}).status_code == 200


def test_no_path_of_a_request_logs_its_text(cached_model, printed):
    with serving(LOG_LEVEL="DEBUG") as sentiment:
        client = sentiment.client
        sent = [
            sentiment.predict(CANARY),
            client.post("/predict/batch", json={"texts": [CANARY, CANARY]}),
            client.post("/predict", json={"text": CANARY * 1000}),
            client.post("/predict", json={"text": {"nested": CANARY}}),
            client.post("/predict", json={CANARY: CANARY}),
            client.post("/predict", json=CANARY),
            client.post("/predict", content=f'{{"text": "{CANARY}'.encode(), headers=JSON),
            client.post("/predict", content=b'{"text": "\xff' + CANARY.encode(), headers=JSON),
            client.post("/predict", content=CANARY.encode(), headers={"Content-Type": "text/plain"}),
            client.post("/predict", content=CANARY.encode() * 10_000, headers=JSON),
            client.post(f"/predict/{CANARY}?text={CANARY}", json={}),
            sentiment.predict("a", headers={"X-Request-Id": f"{CANARY} {CANARY}", "traceparent": CANARY}),
            sentiment.predict("a", headers={"X-Request-Timeout-Ms": CANARY}),
        ]
        sentiment.services.model.get = lambda: 1 / 0
        sent.append(sentiment.predict(CANARY))

    lines = printed()
    assert [answer.status_code for answer in sent] == [
        200, 200, 422, 422, 422, 422, 422, 422, 415, 413, 404, 200, 400, 500,
    ]  # fmt: skip
    assert CANARY not in lines.text
    assert all(CANARY not in answer.text + repr(answer.headers) for answer in sent)
    assert [line["status"] for line in lines.log if line["message"] == "Request" and line["status"] == 500] == [500]


def test_at_info_only_failures_and_slow_requests_are_told_one_by_one(sentiment, printed):
    sentiment.predict("good")
    sentiment.client.get("/nothing")
    sentiment.services.model.get = lambda: 1 / 0
    sentiment.predict("good", headers={"X-Request-Id": "failed-1"})

    told = [line for line in printed().log if line["message"] == "Request"]
    assert [(line["status"], line["request_id"]) for line in told] == [(500, "failed-1")]


def test_a_web_site_may_call_only_where_it_is_named(cached_model):
    with serving(CORS_ORIGINS='["https://shop.example"]') as sentiment:
        ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,content-type"}
        named = sentiment.client.options("/predict", headers={"Origin": "https://shop.example", **ask})
        other = sentiment.client.options("/predict", headers={"Origin": "https://evil.example", **ask})
        refused = sentiment.client.post("/predict", headers={"Origin": "https://shop.example"}, content=b"")

    assert named.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in other.headers
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (415, "https://shop.example")


def test_without_origins_no_web_site_may_call(sentiment):
    answer = sentiment.predict("good", headers={"Origin": "https://shop.example"})

    assert "access-control-allow-origin" not in answer.headers


def test_the_model_says_what_it_is(sentiment):
    body = sentiment.client.get("/model/info").json()

    assert (body["version"], body["labels"], body["backend"]) == ("tiny-1", list(LABELS), "onnx")
    assert set(body["files"]) == {"model.onnx", "tokenizer.json"}


def test_the_documentation_describes_every_answer(sentiment):
    document = sentiment.client.get("/openapi.json").json()

    assert document["servers"][0]["url"] == "."
    assert set(document["paths"]) == {"/predict", "/predict/batch", "/healthz", "/livez", "/readyz", "/model/info"}
    answers = set(document["paths"]["/predict"]["post"]["responses"])
    assert answers == {"200", "400", "401", "408", "413", "415", "422", "429", "503", "504"}
    assert document["paths"]["/predict"]["post"]["requestBody"]["content"].keys() == {"application/json"}


def test_the_documentation_page_loads_nothing_from_elsewhere(sentiment):
    page = sentiment.client.get("/docs").text

    assert "http://" not in page
    assert "https://" not in page
    assert 'src="/' not in page


def test_a_trailing_slash_does_not_redirect_out_of_the_prefix(sentiment):
    assert sentiment.client.get("/healthz/", follow_redirects=False).status_code == 404


@pytest.mark.parametrize(
    ("way", "scheme"),
    [
        ("api_key", {"type": "apiKey", "in": "header", "name": "X-Api-Key"}),
        ("jwt", {"type": "http", "scheme": "bearer"}),
    ],
)
def test_the_documentation_says_how_to_show_who_calls(way, scheme):
    needs = {"API_KEYS": f'{{"web": "{"0" * 64}"}}', "JWT_ISSUER": "https://issuer.example", "JWT_AUDIENCES": '["a"]'}
    with serving(ready=False, AUTHORIZATION=way, **needs) as sentiment:
        document = sentiment.client.get("/openapi.json").json()

    ((name, described),) = document["components"]["securitySchemes"].items()
    assert scheme.items() <= described.items()
    assert document["paths"]["/predict"]["post"]["security"] == [{name: []}]
    assert "security" not in document["paths"]["/healthz"]["get"]
