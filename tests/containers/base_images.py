"""Stand-ins for the base images, made of this machine's own Python and nginx.

The registries of the real ones are not reachable from everywhere. These have what those give to a Dockerfile and to
what runs: programs on the PATH, a shell, libc and the runtimes of C and C++ and nothing more. They differ in the
versions and in the C library, so they show what an image forgets to bring, not how a release of Python behaves.
"""

from pathlib import Path

from tests.containers import machine
from tests.containers.engine import Engine

LAMBDA = "substitute/lambda-python:local"
SLIM = "substitute/python-slim:local"
NGINX = "substitute/nginx-unprivileged:local"
NGINX_USER = 101

_ENTRY_POINT = """#!/bin/sh
# The handler is the image's command, as for the real entry point.
export _HANDLER="$1"
exec python -m awslambdaric "$1"
"""


def make_lambda_python(engine: Engine, busybox: str) -> str:
    """AWS's base image of Lambda for Python: an entry point that starts `awslambdaric` with the handler.

    Sources: the Dockerfiles and `lambda-entrypoint.sh` of github.com/aws/aws-lambda-base-images. It has no boto3 and no
    awslambdaric of its own, so that an image which forgets to bring them fails here.

    Args:
        engine: Where to.
        busybox: A statically linked one.

    Returns:
        Its name.
    """
    folder = _folder(engine, "lambda")
    linked = machine.put_python(folder, "var/lang")
    machine.put_libraries(folder, "var/lang/lib", linked, names=machine.RUNTIMES)
    machine.put_shell(folder, busybox)
    machine.put_system(folder)
    for name in ("var/task", "var/runtime", "opt"):
        (folder / name).mkdir(parents=True)
    entry_point = folder / "lambda-entrypoint.sh"
    entry_point.write_text(_ENTRY_POINT)
    entry_point.chmod(0o755)
    libraries = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
    environment = {
        "LANG": "en_US.UTF-8",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "LD_LIBRARY_PATH": libraries,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
    }
    changes = ["WORKDIR /var/task", 'ENTRYPOINT ["/lambda-entrypoint.sh"]']
    machine.pack(engine, folder, tag=LAMBDA, environment=environment, changes=changes)
    return LAMBDA


def make_python_slim(engine: Engine, busybox: str) -> str:
    """The official image of Python on Debian, slim: Python in /usr/local, found by PATH and the loader's cache alone.

    Source: the Dockerfiles of github.com/docker-library/python.

    Args:
        engine: Where to.
        busybox: A statically linked one.

    Returns:
        Its name.
    """
    folder = _folder(engine, "slim")
    linked = machine.put_python(folder, "usr/local")
    machine.put_libraries(folder, "usr/local/lib", linked, names=machine.RUNTIMES)
    machine.put_shell(folder, busybox)
    machine.put_system(folder)
    machine.know_libraries(folder, "usr/local/lib")
    environment = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"}
    machine.pack(engine, folder, tag=SLIM, environment=environment, changes=['CMD ["python3"]'])
    return SLIM


def make_nginx(engine: Engine, nginx: str) -> str:
    """The official unprivileged nginx: user 101, told to end by SIGQUIT; its own files are never read.

    Source: the Dockerfiles of github.com/nginx/docker-nginx-unprivileged. It has no shell, which nothing of ours needs.

    Args:
        engine: Where to.
        nginx: This machine's.

    Returns:
        Its name.
    """
    folder = _folder(engine, "nginx")
    (folder / "usr/sbin").mkdir(parents=True)
    (folder / "usr/sbin/nginx").write_bytes(Path(nginx).read_bytes())
    (folder / "usr/sbin/nginx").chmod(0o755)
    machine.put_libraries(folder, "usr/lib", [Path(nginx)])
    machine.put_system(folder, users={"nginx": NGINX_USER})
    machine.know_libraries(folder, "usr/lib")
    (folder / "var/log/nginx").mkdir(parents=True)
    for name, stream in (("access.log", "stdout"), ("error.log", "stderr")):
        (folder / "var/log/nginx" / name).symlink_to(f"/dev/{stream}")
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    changes = [f"USER {NGINX_USER}", "EXPOSE 8080", 'CMD ["nginx", "-g", "daemon off;"]']
    machine.pack(engine, folder, tag=NGINX, environment=environment, changes=changes)
    # An import cannot say this one.
    (_folder(engine, "signal") / "Dockerfile").write_text(f"FROM {NGINX}\nSTOPSIGNAL SIGQUIT\n")
    engine.build(engine.folder / "base-signal", NGINX)
    return NGINX


def _folder(engine: Engine, name: str) -> Path:
    folder = engine.folder / f"base-{name}"
    folder.mkdir()
    return folder
