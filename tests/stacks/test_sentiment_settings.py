"""What may be set about sentiment, its network and its cluster; each mistake is told, and no secret is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import runtime

from quintet.project import Project
from stacks.settings import Settings, SettingsError
from tests.stacks.declaring import ACCOUNT

KEY = "a-key-that-nobody-guesses"
KUBECONFIG = '{"token": "very-private"}'
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/quintet-dev/sentiment@sha256:{'a' * 64}"
EXISTING = {
    "cluster": "existing",
    "clusterName": "shared",
    "clusterKubeconfig": KUBECONFIG,
    "clusterSecurityGroup": "sg-0a1b",
}
TWO = ["subnet-0a", "subnet-0b"]

Load = Callable[..., Settings]


@pytest.fixture
def load(repository: Path, model_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Settings of dev with sentiment on, and some in place of its file's."""
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")
    monkeypatch.setattr(pulumi, "get_project", lambda: "quintet")

    def run(**given: Any) -> Settings:
        models = {"moderationModel": str(model_directory), "sentimentModel": str(model_directory)}
        config, _ = Project.load(repository).stack_config("dev", {"sentiment": True, **models})
        changes = {
            f"quintet:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in given.items()
        }
        runtime.set_all_config({**config, **changes})
        return Settings.load(pulumi.Config("quintet"))

    return run


WRONG = [
    ("sentiment", "maybe", "sentiment = 'maybe': allowed are true and false"),
    ("sentimentModel", "models/nothing", "there is no manifest.json in this directory"),
    ("sentimentBackend", "tensorflow", "input should be 'auto', 'onnx', 'torch' or 'mock'"),
    ("sentimentAuthorization", "basic", "input should be 'none', 'api_key', 'jwt' or 'iam'"),
    ("sentimentJwtIssuer", "https://a.example", "goes with authorization jwt, not none"),
    ("sentimentCorsOrigins", ["*"], "sentimentCorsOrigins[0] = '*'"),
    ("sentimentCpu", 100, "sentimentCpu = '100': input should be greater than or equal to 250"),
    ("sentimentMemory", 64, "sentimentMemory = '64'"),
    ("sentimentMinReplicas", 0, "sentimentMinReplicas = '0'"),
    ("sentimentMaxReplicas", 1, "no fewer than the 2 of sentimentMinReplicas"),
    ("sentimentRateLimit", -1, "sentimentRateLimit = '-1'"),
    ("sentimentTargetP95", 0, "sentimentTargetP95 = '0'"),
    ("sentimentCache", "redis", "input should be 'none' or 'valkey'"),
    ("sentimentMonitoring", "datadog", "input should be 'none' or 'operator'"),
    ("sentimentThrottleRate", 0, "sentimentThrottleRate = '0'"),
    ("sentimentThrottleBurst", 9999, "sentimentThrottleBurst = '9999'"),
    ("sentimentDomain", "https://a.example", "sentimentDomain = 'https://a.example'"),
    ("sentimentZone", "Z1", "goes with a domain, and none is set"),
    ("sentimentLogLevel", "LOUD", "sentimentLogLevel = 'LOUD'"),
    ("sentimentStable", {"image": "mine:latest", "model": "sentiment/1/"}, "sentimentStable[image] = 'mine:latest'"),
    ("sentimentStable", {"image": IMAGE, "model": "other/1/"}, "sentimentStable[model] = 'other/1/'"),
    ("sentimentStable", {"image": IMAGE}, "sentimentStable[model] is not set: field required"),
    ("sentimentStable", "what is live", "sentimentStable = 'what is live': allowed is JSON"),
    ("sentimentCanaryWeight", 51, "sentimentCanaryWeight = '51': input should be less than or equal to 50"),
    ("sentimentCanaryWeight", 10, "a canary is beside what is live: name that in sentimentStable"),
    ("networkCidr", "8.8.0.0/16", "allowed are private addresses, as 10.40.0.0/16"),
    ("networkCidr", "10.0.0.0/8", "allowed are /16 to /24"),
    ("networkEgress", "vpn", "input should be 'nat', 'public_ip' or 'none'"),
    ("networkVpc", "mine", "networkVpc = 'mine'"),
    ("networkPrivateSubnets", TWO, "goes with networkVpc, and none is set"),
    ("cluster", "borrow", "input should be 'create' or 'existing'"),
    ("clusterName", "shared", "goes with cluster existing, not create"),
    ("clusterVersion", "latest", "clusterVersion = 'latest'"),
    ("clusterPublicAccess", ["everywhere"], "allowed are networks such as 203.0.113.0/24"),
    ("clusterDns", "kube-dns", "allowed is the address at which the cluster resolves names"),
    ("clusterBalancing", "controller", "goes with cluster existing"),
    ("imagesAlso", ["moderation"], "imagesAlso[0] = 'moderation': input should be 'sentiment'"),
]


@pytest.mark.parametrize(("key", "value", "told"), WRONG, ids=[f"{key}={value}" for key, value, _ in WRONG])
def test_nonsense_is_refused_with_key_value_and_what_is_allowed(load: Load, key: str, value: Any, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**{key: value})

    assert told in str(refused.value)
    assert "The stack dev was not touched: 1 setting is wrong." in str(refused.value)


TOGETHER = [
    ({"sentimentAuthorization": "api_key"}, "authorization by api_key needs at least one, as a secret"),
    ({"sentimentAuthorization": "jwt"}, "sentimentJwtIssuer = '': authorization by jwt needs it"),
    ({"sentimentDomain": "a.example.com"}, "sentimentCertificate = '': a domain needs an issued certificate"),
    ({"cluster": "existing"}, "clusterSecurityGroup = '': an existing cluster needs it"),
    ({"networkVpc": "vpc-0a"}, "networkPrivateSubnets = '[]': an existing network needs two, for networkEgress nat"),
    (
        {"networkVpc": "vpc-0a", "networkEgress": "public_ip", "networkPrivateSubnets": TWO},
        "networkPublicSubnets = '[]': an existing network needs two, for networkEgress public_ip",
    ),
    ({"networkVpc": "vpc-0a", "networkPrivateSubnets": TWO[:1]}, "allowed are two subnets in two zones"),
    ({"images": "promote", "imagesFrom": "dev", "imagesAlso": ["sentiment"]}, "goes with images build"),
    (
        {
            "sentimentAuthorization": "jwt",
            "sentimentJwtIssuer": "https://a.example",
            "sentimentJwtAudiences": ["q"],
            "networkEgress": "none",
        },
        "the pods read the issuer's keys over the internet, and networkEgress is 'none'",
    ),
]


@pytest.mark.parametrize(("given", "told"), TOGETHER)
def test_settings_that_do_not_go_together_are_refused(load: Load, given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**given)

    assert told in str(refused.value)


SECRETS = [
    {"sentimentAuthorization": "api_key", "sentimentApiKeys": {"partner": "short-secret"}},
    {"sentimentAuthorization": "none", "sentimentApiKeys": {"partner": KEY}},
    {"sentimentAuthorization": "api_key", "sentimentApiKeys": f"partner: {KEY}"},
    {"sentimentAuthorization": "api_key", "sentimentApiKeys": [KEY]},
    {"clusterKubeconfig": KUBECONFIG},
]


@pytest.mark.parametrize("given", SECRETS)
def test_a_wrong_secret_is_not_repeated(load: Load, given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**given)

    told = str(refused.value)
    assert "(a secret): " in told
    assert not [text for text in ("short-secret", KEY, "very-private") if text in told]


def test_secrets_are_not_shown_by_the_settings_themselves(load: Load) -> None:
    settings = load(sentimentAuthorization="api_key", sentimentApiKeys={"partner": KEY}, **EXISTING)

    assert KEY not in repr(settings)
    assert "very-private" not in repr(settings)
    assert settings.sentiment
    assert settings.sentiment.api_keys["partner"].get_secret_value() == KEY


def test_what_is_live_is_read(load: Load) -> None:
    live = {"image": IMAGE, "model": "sentiment/1.0.0/"}

    sentiment = load(sentimentStable=live, sentimentCanaryWeight=10).sentiment

    assert sentiment
    assert sentiment.stable
    assert sentiment.stable.model_dump() == live
    assert sentiment.canary_weight == 10


def test_a_stack_without_sentiment_is_not_asked_about_clusters(load: Load) -> None:
    settings = load(sentiment="false", cluster="borrow", networkCidr="nonsense")

    assert settings.sentiment is None
    assert settings.platform is None


def test_an_existing_cluster_and_network_are_taken(load: Load) -> None:
    platform = load(networkVpc="vpc-0a", networkPrivateSubnets=TWO, clusterBalancing="controller", **EXISTING).platform

    assert platform
    assert (platform.cluster_name, platform.network_private_subnets) == ("shared", tuple(TWO))
