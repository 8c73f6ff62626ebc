"""A permissions boundary on every role, so that none can forget it."""

import pulumi

_BOUNDED = frozenset({"aws:iam/role:Role", "aws:iam/user:User"})


def bound_every_role(policy_arn: str) -> None:
    """Give every role and user that is declared from now on this boundary, unless it names one itself.

    Args:
        policy_arn: The policy that bounds them.
    """

    def transformation(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_ not in _BOUNDED or args.props.get("permissions_boundary"):
            return None
        props = {**args.props, "permissions_boundary": policy_arn}
        return pulumi.ResourceTransformationResult(props=props, opts=args.opts)

    pulumi.runtime.register_stack_transformation(transformation)
