"""The environment of a function's process: exactly what Lambda would give it, plus two stand-ins of the sandbox.

Source: "Defined runtime environment variables" in the Lambda developer guide. The stand-ins are AWS_ENDPOINT_URL (AWS
is this machine) and TMPDIR (each instance has a /tmp of its own); a program that declares them gets what it declared.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from quintet.sandbox.functions.spec import Credentials, FunctionSpec

# "AWS_ACCESS_KEY" is refused by CreateFunction though no runtime is given it.
RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)

# Lambda's X-Ray daemon listens on a link-local address; nothing of the sandbox leaves this machine.
_XRAY_HOST, _XRAY_PORT = "127.0.0.1", "2000"

_UNRESERVED = {
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS": f"{_XRAY_HOST}:{_XRAY_PORT}",
    "LANG": "en_US.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "TZ": ":UTC",
}

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_LIMIT_BYTES = 4096


class InvalidEnvironmentError(ValueError):
    """A declared environment that CreateFunction refuses (InvalidParameterValueException)."""


def refuse_invalid(environment: Mapping[str, str]) -> None:
    """Refuses a declared environment as CreateFunction and UpdateFunctionConfiguration do.

    Raises:
        InvalidEnvironmentError: for reserved or malformed names, or more than 4 KB in all.
    """
    unable = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    if reserved := sorted(RESERVED & environment.keys()):
        raise InvalidEnvironmentError(
            f"{unable} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    if malformed := sorted(name for name in environment if not _NAME.fullmatch(name)):
        raise InvalidEnvironmentError(
            f"{unable} contains names that are not allowed: {', '.join(malformed)}. "
            "A name begins with a letter, has at least two characters, and only letters, digits and underscores."
        )
    size = sum(len(name.encode()) + len(value.encode()) for name, value in environment.items())
    if size > _LIMIT_BYTES:
        raise InvalidEnvironmentError(f"{unable} exceeded the 4KB limit: they have {size} bytes of {_LIMIT_BYTES}.")


def function_environment(
    spec: FunctionSpec,
    credentials: Credentials,
    *,
    runtime_api: str,
    log_stream: str,
    endpoint_url: str,
    temporary: Path,
) -> dict[str, str]:
    """The whole environment of one instance, nothing of this process's own in it.

    Later wins: what Lambda proposes, the image's ENV, what the function declares, what Lambda imposes.

    Args:
        spec: the function.
        credentials: of its role.
        runtime_api: `host:port`, without a scheme, as Lambda gives it.
        log_stream: the name of the instance's log stream.
        endpoint_url: the emulated AWS.
        temporary: the instance's own /tmp.
    """
    proposed = {**_UNRESERVED, "AWS_ENDPOINT_URL": endpoint_url, "TMPDIR": str(temporary)}
    chosen = {**proposed, **spec.image_environment, **spec.environment}
    # The image's own PYTHONPATH names folders of the container; its task root is elsewhere on this machine.
    python_path = ":".join(filter(None, (str(spec.code_root), chosen.get("PYTHONPATH"))))
    return {**chosen, "PYTHONPATH": python_path, **_imposed(spec, credentials, runtime_api, log_stream)}


def _imposed(spec: FunctionSpec, credentials: Credentials, runtime_api: str, log_stream: str) -> dict[str, str]:
    return {
        "_HANDLER": spec.handler,
        "_AWS_XRAY_DAEMON_ADDRESS": _XRAY_HOST,
        "_AWS_XRAY_DAEMON_PORT": _XRAY_PORT,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_DEFAULT_REGION": spec.region,
        # What Lambda sets for an image that is not one of its own base images (aws-lambda-base-images, issue 15).
        "AWS_EXECUTION_ENV": "AWS_Lambda_Image",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_REGION": spec.region,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": str(spec.code_root),
    }
