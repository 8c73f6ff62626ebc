"""What the emulator learnt from the sandbox outlives its restart, as everything else does."""

from pathlib import Path

from tests.quintet.emulator.running import running_world
from tests.quintet.kinds.deploying import Deployer
from tests.quintet.kinds.network_lives import balancer, link

LINK = "aws:apigatewayv2/vpcLink:VpcLink"


def test_links_and_load_balancers_are_there_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with running_world(tmp_path / "home", tmp_path / "root") as world:
        deploy = Deployer(world)
        made, stands = deploy.make(LINK, **link(deploy)), balancer(deploy)

    with running_world(tmp_path / "home", tmp_path / "root") as world:
        links = world.client("apigatewayv2").get_vpc_links()["Items"]
        arns = [each["LoadBalancerArn"] for each in world.client("elbv2").describe_load_balancers()["LoadBalancers"]]

    assert [each["VpcLinkId"] for each in links] == [made.id]
    assert arns == [stands.id]
