"""The moderation API, from a request to its answer and its row in the log."""

import json
import time

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from services.moderation.contracts import MAX_BODY_BYTES
from services.moderation.policy import LABELS
from tests.services.common.test_artifacts import damage
from tests.services.conftest import serve, use_aws
from tests.services.tiny_model import write_model

CANARY = "canaryxyzzy"
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@pytest.fixture
def log_settings(aws, settings, monkeypatch):
    use_aws(monkeypatch, aws.url)
    return settings.model_copy(update={"hash_key_id": aws.hash_key_id})


def test_an_insult_is_flagged(moderation):
    answer = moderation.moderate("You idiot!")

    assert answer.status_code == 200
    assert answer.json() == {
        "is_toxic": True,
        "scores": dict.fromkeys(LABELS, 0.017986) | {"toxic": 0.982014, "insult": 0.982014},
        "flagged_categories": ["toxic", "insult"],
        "confidence": 0.982014,
        "model_version": "tiny-1",
        "policy_version": "default-1",
    }


def test_friendly_text_is_not_flagged(moderation):
    body = moderation.moderate("How kind of you").json()

    assert (body["is_toxic"], body["flagged_categories"], body["confidence"]) == (False, [], 0.982014)


def test_ids_and_timings_are_in_the_headers(moderation):
    headers = moderation.moderate("hello").headers

    assert len(headers["x-decision-id"]) == 26
    assert headers["x-request-id"]
    assert headers["traceparent"]
    assert [part.split(";")[0] for part in headers["server-timing"].split(", ")] == ["load", "model", "total"]


def test_a_batch_answers_in_the_order_of_its_texts(moderation):
    texts = ["idiot" if number % 3 == 0 else "word " * (number % 7 + 1) for number in range(32)]

    answer = moderation.client.post("/moderate/batch", json={"texts": texts})

    assert [result["is_toxic"] for result in answer.json()["results"]] == [text == "idiot" for text in texts]
    assert len(set(answer.headers["x-decision-id"].split(","))) == 32


def test_an_insult_at_the_end_of_a_long_text_is_found(moderation):
    assert moderation.moderate("word " * 998 + "idiot").json()["is_toxic"] is True


@pytest.mark.parametrize("text", ["a", "a" * 5000, "\x00", "a\x00b", " ", "\u202e", "👩‍👩‍👧‍👦" * 100, "😀" * 5000])
def test_any_text_of_1_to_5000_characters_is_judged(moderation, text):
    assert moderation.moderate(text).status_code == 200


def test_the_largest_allowed_batch_fits_the_limit_of_the_body(moderation):
    body = json.dumps({"texts": ["😀" * 5000] * 32}, ensure_ascii=True)

    answer = moderation.client.post("/moderate/batch", content=body, headers={"Content-Type": "application/json"})

    assert len(body) > 0.9 * MAX_BODY_BYTES
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "pointer", "detail"),
    [
        ("/moderate", {"text": ""}, "#/text", "String should have at least 1 character."),
        ("/moderate", {"text": "a" * 5001}, "#/text", "String should have at most 5000 characters."),
        ("/moderate", {}, "#/text", "Field required."),
        ("/moderate", {"text": 7}, "#/text", "Input should be a valid string."),
        ("/moderate", {"text": "a", CANARY: 1}, "#", "An unknown field; /docs lists the known ones."),
        ("/moderate/batch", {"texts": []}, "#/texts", "List should have at least 1 item after validation, not 0."),
        (
            "/moderate/batch",
            {"texts": ["a"] * 33},
            "#/texts",
            "List should have at most 32 items after validation, not 33.",
        ),
        ("/moderate/batch", {"texts": ["a", ""]}, "#/texts/1", "String should have at least 1 character."),
    ],
)
def test_a_wrong_request_is_told_where_and_what_is_allowed(moderation, path, body, pointer, detail):
    answer = moderation.client.post(path, json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"] == [{"pointer": pointer, "detail": detail}]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b'{"text": "\\ud800"}', 422),
        (b'{"text": "\xff\xfe"}', 400),
        (b'{"text": "\xed\xa0\x80"}', 422),
        (b"[" * 100_000, 400),
        (b'{"text": NaN}', 422),
        (b"x" * (MAX_BODY_BYTES + 1), 413),
    ],
)
def test_a_body_that_is_no_request_is_a_problem(moderation, content, status):
    answer = moderation.client.post("/moderate", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "request_id", "errors"}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_a_body_that_does_not_say_it_is_json_is_refused(moderation, kind):
    answer = moderation.client.post("/moderate", content=b'{"text": "a"}', headers={"Content-Type": kind})

    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


@given(text=ANY_TEXT)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_text_is_answered_with_an_error(moderation, text):
    answer = moderation.moderate(text)

    assert answer.status_code == 200
    scores = answer.json()["scores"]
    assert answer.json()["flagged_categories"] == [label for label in LABELS if scores[label] >= 0.5]


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "texts", "x"]), inner, max_size=3)
        ),
    )
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_json_is_answered_with_a_failure_of_the_service(moderation, body):
    content = json.dumps(body).encode()
    for path in ("/moderate", "/moderate/batch"):
        answer = moderation.client.post(path, content=content, headers={"Content-Type": "application/json"})

        assert answer.status_code in {200, 422}


def test_it_lives_before_it_is_ready(settings):
    (moderation,) = [next(serve(settings))]

    assert moderation.client.get("/health").json() == {"status": "ok"}
    answer = moderation.client.get("/ready")
    assert answer.status_code == 503
    assert "manifest.json cannot be read from the model store: EndpointConnectionError" in answer.json()["detail"]


def test_it_is_ready_when_the_model_is_loaded(moderation):
    assert moderation.client.get("/ready").json() == {"status": "ready", "model_version": "tiny-1"}


def test_a_corrupt_model_answers_503_and_says_so(cached_model, settings, printed):
    damage(cached_model / "model.onnx")
    moderation = next(serve(settings))

    answers = [moderation.moderate("hello"), moderation.client.get("/ready")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert answers[0].json()["type"] == "urn:problem-type:model-unavailable"
    assert printed().metric("ModelUnavailable") == 2


def test_a_model_of_other_labels_answers_503_and_names_them(cached_model, settings):
    write_model(cached_model, labels=["positive", "negative"])
    moderation = next(serve(settings))

    answer = moderation.moderate("hello")

    assert answer.status_code == 503
    assert "found positive, negative" in answer.json()["detail"]


def test_a_model_without_numbers_answers_503(cached_model, settings):
    write_model(cached_model, poison=float("nan"))
    moderation = next(serve(settings))

    assert moderation.moderate("hello").status_code == 503


def test_a_model_that_appears_later_is_loaded_by_a_later_request(settings, aws, monkeypatch, tmp_path):
    moderation = next(serve(settings))
    first = moderation.moderate("hello")
    folder = write_model(tmp_path / "later")
    use_aws(monkeypatch, aws.url)
    for path in folder.iterdir():
        aws.client("s3").put_object(Bucket="models", Key=f"moderation/tiny-1/{path.name}", Body=path.read_bytes())
    time.sleep(int(first.headers["retry-after"]))

    assert (first.status_code, moderation.moderate("hello").status_code) == (503, 200)


def test_a_decision_is_logged_without_its_text(cached_model, log_settings, aws):
    moderation = next(serve(log_settings))

    answer = moderation.moderate(f"you idiot {CANARY}", headers={"X-Request-Id": "request-1"})
    moderation.flush()

    row = aws.rows()[answer.headers["x-decision-id"]]
    assert CANARY not in repr(row)
    assert row["request_id"] == "request-1"
    assert {label: float(score) for label, score in row["scores"].items()} == answer.json()["scores"]
    assert (row["is_toxic"], row["flagged"], row["text_length"]) == (True, ["toxic", "insult"], 21)
    assert (row["model_version"], row["policy_version"]) == ("tiny-1", "default-1")


def test_a_batch_logs_each_of_its_texts(cached_model, log_settings, aws):
    moderation = next(serve(log_settings))

    answer = moderation.client.post("/moderate/batch", json={"texts": ["a" * length for length in range(1, 33)]})
    moderation.flush()

    ids, rows = answer.headers["x-decision-id"].split(","), aws.rows()
    assert [rows[name]["text_length"] for name in ids] == list(range(1, 33))


def test_a_log_that_is_down_changes_no_answer_and_is_counted(moderation, printed):
    answer = moderation.moderate("hello")
    moderation.flush()

    lines = printed()
    assert answer.status_code == 200
    assert lines.metric("DecisionLogFailures") == 1
    failed = next(line for line in lines.log if line["level"] == "ERROR")
    assert failed["exception"].endswith("DecisionLogUnavailable: 1 may not be written: EndpointConnectionError.")
    assert failed["request_id"] == answer.headers["x-request-id"]


def test_what_is_flagged_is_counted(moderation, printed):
    moderation.client.post("/moderate/batch", json={"texts": ["idiot", "hello", "kill"]})

    assert printed().metric("Flagged") == 2


def test_no_path_of_a_request_logs_its_text(moderation, printed, monkeypatch):
    client, kind = moderation.client, {"Content-Type": "application/json"}
    moderation.services.logger.setLevel("DEBUG")
    client.get("/ready")
    sent = [
        client.post("/moderate", json={"text": CANARY}),
        client.post("/moderate/batch", json={"texts": [CANARY, CANARY]}),
        client.post("/moderate", json={"text": CANARY * 1000}),
        client.post("/moderate", json={"text": {"nested": CANARY}}),
        client.post("/moderate", json={CANARY: CANARY}),
        client.post("/moderate", json=CANARY),
        client.post("/moderate", content=f'{{"text": "{CANARY}'.encode(), headers=kind),
        client.post("/moderate", content=b'{"text": "\xff' + CANARY.encode(), headers=kind),
        client.post("/moderate", content=CANARY.encode(), headers={"Content-Type": "text/plain"}),
        client.post("/moderate", content=CANARY.encode() * 500_000, headers=kind),
        client.post(f"/moderate/{CANARY}?text={CANARY}", json={}),
        client.post(
            "/moderate", json={"text": "a"}, headers={"X-Request-Id": f"{CANARY} {CANARY}", "traceparent": CANARY}
        ),
    ]
    moderator = moderation.services.model.get(timeout_seconds=5)
    monkeypatch.setattr(moderator, "judge", lambda texts: 1 / 0 if texts else None)
    sent.append(client.post("/moderate", json={"text": CANARY}))
    moderation.flush()

    assert [answer.status_code for answer in sent] == [200, 200, 422, 422, 422, 422, 422, 400, 415, 413, 404, 200, 500]
    assert CANARY not in printed().text
    assert all(CANARY not in answer.text + repr(answer.headers) for answer in sent)


def test_the_documentation_describes_every_answer(moderation):
    document = moderation.client.get("/openapi.json").json()

    assert document["servers"][0]["url"] == "."
    assert set(document["paths"]) == {"/moderate", "/moderate/batch", "/health", "/ready"}
    assert set(document["paths"]["/moderate"]["post"]["responses"]) == {"200", "400", "413", "415", "422", "503"}
    invalid = document["paths"]["/moderate"]["post"]["responses"]["422"]["content"]
    assert list(invalid) == ["application/problem+json"]


def test_the_documentation_page_loads_nothing_from_elsewhere(moderation):
    page = moderation.client.get("/docs").text

    assert "http://" not in page
    assert "https://" not in page
    assert 'src="/' not in page
    assert 'href="/' not in page


def test_a_trailing_slash_does_not_redirect_out_of_the_prefix(moderation):
    assert moderation.client.get("/health/", follow_redirects=False).status_code == 404
