"""Notes the calls that roles were allowed to make; see `emulator_gaps` for the rules of such functions."""

from typing import Any

from quintet.sandbox.emulator_gaps import Record, found, replace


def record_calls_of_roles(record: Record) -> None:
    """1.5.33 forgets which calls it allowed: no test could say which permissions of a role are used.

    To be called before all that changes what the evaluator is asked, so that each call is noted as policies saw it.
    Root is asked for nothing, so only sessions of roles are noted; nor are calls that AWS refuses to nobody.
    """
    needed = "tests compare what a role may do with what it did"
    credential_of = found("core.iam_evaluator", "resolve_credential", needed=needed)
    account_id = found("core.responses", "get_account_id", needed=needed)
    free = found("core.iam_evaluator", "_ALWAYS_ALLOWED_ACTIONS", needed=needed)

    def session_of(key: str) -> str:
        credential = credential_of(key or "", account_id())
        is_role = getattr(credential, "principal_type", "") == "AssumedRole"
        return str(credential.principal_arn) if is_role else ""

    def build(original: Any) -> Any:  # noqa: ANN401  ministack carries no types
        def enforce(  # noqa: PLR0917  ministack's signature
            key: str,
            action: str,
            service: str,
            region: str,
            resource_arn: str = "*",
            service_context: Any = None,  # noqa: ANN401  handed on
        ) -> Any:  # noqa: ANN401  handed on
            denied = original(key, action, service, region, resource_arn=resource_arn, service_context=service_context)
            if denied is None and action not in free and (session := session_of(key)):
                record(session, action, resource_arn)
            return denied

        return enforce

    replace("core.iam_evaluator", "enforce", build, needed=needed)
