"""Who may call: holders of keys, subjects of an issuer's tokens, and nobody else."""

import asyncio
import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from services.common.errors import AuthorizationUnavailable, Unauthorized
from services.common.logging import service_logger
from services.sentiment.auth import ApiKeys, Tokens
from services.sentiment.key_set import COOLDOWN_SECONDS, FRESH_SECONDS, TRUSTED_SECONDS, KeySet
from tests.services.sentiment.conftest import JSON, serving
from tests.services.sentiment.issuer import AUDIENCE, Issuer

LOGGER = service_logger("auth-test", "INFO")


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


KEYS = {"web": digest("key-of-web"), "batch": digest("key-of-batch")}


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.down()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tokens(issuer: Issuer, clock=time.monotonic) -> Tokens:
    keys = KeySet(f"{issuer.url}/.well-known/jwks.json", logger=LOGGER, clock=clock)
    return Tokens(keys, issuer=issuer.url, audiences=[AUDIENCE, "other"])


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_key_is_known_by_its_name():
    keys = ApiKeys(KEYS)

    assert await keys.identify({"x-api-key": "key-of-batch"}, "192.0.2.1") == "batch"


@pytest.mark.parametrize("offered", [{}, {"x-api-key": ""}, {"x-api-key": "key-of-we"}, {"x-api-key": KEYS["web"]}])
async def test_who_has_no_known_key_is_told_how_to_send_one(offered):
    with pytest.raises(Unauthorized, match="X-Api-Key") as raised:
        await ApiKeys(KEYS).identify(offered, "192.0.2.1")

    assert raised.value.challenge.startswith("ApiKey ")


async def test_all_keys_are_compared_and_each_in_constant_time(monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(len(a) + len(b)) or real(a, b))

    await ApiKeys(KEYS).identify({"x-api-key": "key-of-web"}, "192.0.2.1")

    assert compared == [64, 64]


def test_a_request_without_a_key_is_answered_401_before_its_body_is_read(cached_model):
    with serving(AUTHORIZATION="api_key", API_KEYS=json.dumps(KEYS)) as sentiment:
        bare = sentiment.client.post("/predict", content=b"x" * 500_000, headers=JSON)
        known = sentiment.predict("good", headers={"X-Api-Key": "key-of-web"})
        health = sentiment.client.get("/healthz")
        refused = sentiment.metric('sentiment_refused_total{reason="unauthorized"}')

    assert (bare.status_code, known.status_code, health.status_code) == (401, 200, 200)
    assert bare.headers["www-authenticate"] == 'ApiKey realm="sentiment"'
    assert bare.json()["type"] == "urn:problem-type:unauthorized"
    assert refused == 1


async def test_a_token_is_known_by_its_subject(issuer):
    assert await tokens(issuer).identify(bearer(issuer.token()), "") == "alice"


async def test_a_token_may_be_signed_with_a_curve(issuer):
    issuer.rotate("curve", "ES256")

    assert await tokens(issuer).identify(bearer(issuer.token(aud=["other", "more"])), "") == "alice"


def forged(issuer: Issuer, header: dict) -> str:
    """A token signed with the issuer's public key as if that were a secret."""
    secret = issuer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    parts = [header, {"iss": issuer.url, "aud": AUDIENCE, "sub": "mallory", "exp": int(time.time()) + 60}]
    signed = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = b"" if header["alg"] == "none" else hmac.new(secret, signed, "sha256").digest()
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda issuer: issuer.token(exp=int(time.time()) - 60), "expired"),
        (lambda issuer: issuer.token(nbf=int(time.time()) + 600), "not valid yet"),
        (lambda issuer: issuer.token(aud="somebody-else"), "another audience"),
        (lambda issuer: issuer.token(iss="https://evil.example"), "another issuer"),
        (lambda issuer: issuer.token(without="exp"), "lacks one of the claims"),
        (lambda issuer: issuer.token(without="sub"), "lacks one of the claims"),
        (lambda issuer: issuer.token(without="aud"), "lacks one of the claims"),
        (lambda issuer: issuer.token(key_id="invented"), "not signed with a key"),
        (lambda issuer: issuer.token()[:-8] + "AAAAAAAA", "not signed with a key"),
        (lambda issuer: forged(issuer, {"alg": "HS256", "kid": "key-1"}), "not signed with one of RS256"),
        (lambda issuer: forged(issuer, {"alg": "none", "kid": "key-1"}), "not signed with one of RS256"),
        (lambda issuer: jwt.encode({}, "s" * 32), "not signed with one of RS256"),
        (lambda issuer: "nonsense", "no JWT"),
        (lambda issuer: "a.b.c", "no JWT"),
    ],
)
async def test_a_wrong_token_is_refused_with_the_reason(issuer, make, reason):
    with pytest.raises(Unauthorized, match=reason) as raised:
        await tokens(issuer).identify(bearer(make(issuer)), "")

    assert 'error="invalid_token"' in raised.value.challenge


@pytest.mark.parametrize("header", [{}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer "}])
async def test_who_sends_no_token_is_told_how_to(issuer, header):
    with pytest.raises(Unauthorized, match="Authorization: Bearer") as raised:
        await tokens(issuer).identify(header, "")

    assert raised.value.challenge == 'Bearer realm="sentiment"'


async def test_keys_are_fetched_once_for_many_tokens(issuer):
    known = tokens(issuer)

    await asyncio.gather(*(known.identify(bearer(issuer.token()), "") for _ in range(20)))

    assert issuer.fetches == 1


async def test_a_new_key_of_the_issuer_is_found(issuer):
    clock = Clock()
    known = tokens(issuer, clock)
    await known.identify(bearer(issuer.token()), "")
    clock.now += COOLDOWN_SECONDS
    issuer.rotate("key-2")

    assert await known.identify(bearer(issuer.token()), "") == "alice"
    assert issuer.fetches == 2


async def test_a_key_that_the_issuer_withdrew_is_known_no_more(issuer):
    clock = Clock()
    known = tokens(issuer, clock)
    old = issuer.token()
    await known.identify(bearer(old), "")
    issuer.rotate("key-2")
    clock.now += FRESH_SECONDS
    await known.identify(bearer(issuer.token()), "")

    with pytest.raises(Unauthorized):
        await known.identify(bearer(old), "")


async def test_tokens_of_invented_keys_do_not_make_us_ask_the_issuer_each_time(issuer):
    known = tokens(issuer)
    for number in range(20):
        with pytest.raises(Unauthorized):
            await known.identify(bearer(issuer.token(key_id=f"invented-{number}")), "")

    assert issuer.fetches == 1


async def test_while_the_issuer_is_away_its_last_keys_are_good(issuer):
    clock = Clock()
    known = tokens(issuer, clock)
    await known.identify(bearer(issuer.token()), "")
    issuer.down()
    clock.now += FRESH_SECONDS * 10

    assert await known.identify(bearer(issuer.token()), "") == "alice"
    await asyncio.sleep(0.2)
    assert await known.identify(bearer(issuer.token()), "") == "alice"


async def test_last_keys_are_not_good_for_ever(issuer):
    clock = Clock()
    known = tokens(issuer, clock)
    await known.identify(bearer(issuer.token()), "")
    issuer.down()
    clock.now += TRUSTED_SECONDS

    with pytest.raises(AuthorizationUnavailable):
        await known.identify(bearer(issuer.token()), "")


async def test_an_issuer_that_never_answered_is_no_fault_of_the_caller(issuer):
    token = issuer.token()
    issuer.down()

    with pytest.raises(AuthorizationUnavailable) as raised:
        await tokens(issuer).identify(bearer(token), "")

    assert raised.value.status == 503
    assert raised.value.retry_after_seconds == 5


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": []}', b"<html>", b'{"keys": [{"kty": "x"}]}'])
async def test_an_issuer_that_serves_no_keys_is_like_one_that_is_away(issuer, body):
    token, issuer.body = issuer.token(), body

    with pytest.raises(AuthorizationUnavailable):
        await tokens(issuer).identify(bearer(token), "")


async def test_an_issuer_that_comes_back_is_asked_again(issuer):
    clock, token = Clock(), issuer.token()
    known = tokens(issuer, clock)
    issuer.down()
    with pytest.raises(AuthorizationUnavailable):
        await known.identify(bearer(token), "")
    issuer.up()
    clock.now += COOLDOWN_SECONDS

    assert await known.identify(bearer(token), "") == "alice"


async def test_a_slow_issuer_does_not_hold_the_event_loop(issuer):
    issuer.delay_seconds = 0.5
    asking = asyncio.create_task(tokens(issuer).identify(bearer(issuer.token()), ""))
    started, turns = time.monotonic(), 0
    while not asking.done():
        await asyncio.sleep(0.01)
        turns += 1

    assert await asking == "alice"
    assert time.monotonic() - started >= 0.5
    assert turns > 20


async def test_a_caller_that_goes_away_does_not_end_the_fetch_of_the_others(issuer):
    issuer.delay_seconds = 0.3
    known = tokens(issuer)
    first = asyncio.create_task(known.identify(bearer(issuer.token()), ""))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(known.identify(bearer(issuer.token()), ""))
    await asyncio.sleep(0.05)
    first.cancel()

    assert await second == "alice"
    assert issuer.fetches == 1


def test_the_service_asks_the_issuer_where_issuers_are_asked(issuer, cached_model):
    audiences = json.dumps([AUDIENCE])
    with serving(AUTHORIZATION="jwt", JWT_ISSUER=issuer.url, JWT_AUDIENCES=audiences) as sentiment:
        known = sentiment.predict("good", headers=bearer(issuer.token()))
        issuer.down()
        still = sentiment.predict("good", headers=bearer(issuer.token()))
        bare = sentiment.predict("good")

    assert (known.status_code, still.status_code, bare.status_code) == (200, 200, 401)
    assert bare.headers["www-authenticate"].startswith("Bearer ")


async def test_no_token_is_logged(issuer, printed):
    token = issuer.token()
    issuer.down()
    with pytest.raises(AuthorizationUnavailable):
        await tokens(issuer).identify(bearer(token), "")

    lines = printed()
    assert "The issuer's keys cannot be read" in lines.text
    assert token[:20] not in lines.text
