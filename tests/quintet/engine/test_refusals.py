"""What the sandbox's engine leaves to the real one is refused by its name, with the way to the real one."""

import pytest

from quintet.sandbox.engine import SandboxError, SandboxUnsupported
from tests.quintet.engine.conftest import Bench


@pytest.mark.parametrize(
    ("feature", "program"),
    [
        ("`StackReference`", 'pulumi.StackReference("org/project/stack")'),
        ("import_", 'aws.sns.Topic("t", opts=ResourceOptions(import_="x"))'),
        ("`deleted_with`", 'a = aws.sns.Topic("a")\naws.sns.Topic("t", opts=ResourceOptions(deleted_with=a))'),
        ("`replace_with`", 'a = aws.sns.Topic("a")\naws.sns.Topic("t", opts=ResourceOptions(replace_with=[a]))'),
        ("`replacement_trigger`", 'aws.sns.Topic("t", opts=ResourceOptions(replacement_trigger="x"))'),
        ("resource transforms", 'aws.sns.Topic("t", opts=ResourceOptions(transforms=[lambda args: None]))'),
        ("stack transforms", "pulumi.runtime.register_resource_transform(lambda args: None)"),
        ("invoke transforms", "pulumi.runtime.register_invoke_transform(lambda args: None)"),
        (
            "resource hooks",
            (
                'hook = pulumi.ResourceHook("h", lambda args: None)\n'
                'aws.sns.Topic("t", opts=ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[hook])))'
            ),
        ),
        ("the method shop:index:call", 'pulumi.runtime.call("shop:index:call", {})'),
        ("`tags.*`", 'aws.sns.Topic("t", opts=ResourceOptions(ignore_changes=["tags.*"]))'),
        (
            "the component shop:a:Remote of a provider",
            'pulumi.ComponentResource("shop:a:Remote", "r", {}, ResourceOptions(), True)',
        ),
        (
            "dynamic providers",
            (
                "import pulumi.dynamic\n"
                "class Provider(pulumi.dynamic.ResourceProvider):\n    pass\n"
                'class Thing(pulumi.dynamic.Resource, name="Thing"):\n    pass\n'
                'Thing(Provider(), "d", {})'
            ),
        ),
        ("the remote asset", 'aws.s3.BucketObjectv2("o", bucket="b", source=pulumi.RemoteAsset("x://y"))'),
        (
            "the parameterized provider",
            (
                "from pulumi.runtime.settings import register_package\n"
                "async def main():\n"
                '    await register_package("base", "1.0.0", "", "name", "1.0.0", "")\n'
                "pulumi.run(main)"
            ),
        ),
    ],
)
def test_an_unsupported_feature_is_refused_by_name(bench: Bench, feature: str, program: str) -> None:
    bench.write('aws.sns.Topic("t")' if "ignore_changes" in program else "")
    bench.up()
    bench.write("")
    (bench.root / "program" / "__main__.py").write_text(
        f"import pulumi\nimport pulumi_aws as aws\nfrom pulumi import ResourceOptions\n{program}\n"
    )

    with pytest.raises(SandboxError) as caught:
        bench.up()

    assert feature in str(caught.value)
    assert "--engine pulumi" in str(caught.value)


def test_an_unknown_provider_function_fails_by_its_name(bench: Bench) -> None:
    with pytest.raises(SandboxError, match="aws:index/getArn:getArn: no function"):
        bench.up('aws.get_arn(arn="arn:aws:s3:::b")')


def test_a_refusal_names_its_feature_for_programs_too() -> None:
    assert SandboxUnsupported("time travel").feature == "time travel"
