"""The template that every service's Dockerfile follows; CONTRIBUTING.md tells it to people."""

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

LAMBDA = "/lambda/"
"""In the name of AWS's base images for Lambda, which choose the user themselves."""

PIP = ("--require-hashes", "--no-deps", "--only-binary :all:", "--no-cache-dir", "--requirement /tmp/requirements.txt")
AS_IT_IS = {"FROM", "LABEL"}
"""All that a Dockerfile may hold whose image is somebody else's, only named and pinned by us."""

FINAL = {"FROM", "ARG", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "HEALTHCHECK", "LABEL", "ENTRYPOINT", "CMD"}


@dataclass(frozen=True)
class Instruction:
    name: str
    value: str


def read(text: str) -> list[list[Instruction]]:
    """The instructions before the first FROM, then those of each stage."""
    parts: list[list[Instruction]] = [[]]
    for each in DockerfileParser(fileobj=io.BytesIO(text.encode())).structure:
        if each["instruction"] == "COMMENT":
            continue
        if each["instruction"] == "FROM":
            parts.append([])
        parts[-1].append(Instruction(each["instruction"], re.sub(r"\s+", " ", each["value"])))
    return parts


def faults(text: str, ignored: str, pinned: set[str]) -> list[str]:
    """What a Dockerfile does otherwise than the template.

    Args:
        text: The Dockerfile.
        ignored: Its .dockerignore; empty where there is none.
        pinned: Base images, `repository:tag`, that the program pins by digest.
    """
    head, *stages = read(text)
    default = next((each.value.partition("=")[2] for each in head if each.value.startswith("BASE_IMAGE=")), "")
    always = [
        *([] if default in pinned else [f"ARG BASE_IMAGE={default} is none of stacks/base_images.json"]),
        *(f"FROM {stage[0].value}" for stage in stages if not stage[0].value.startswith("${BASE_IMAGE}")),
        *([] if re.match(r"(#.*\n)*\*\n", ignored) else ["its .dockerignore does not begin with *"]),
    ]
    if {each.name for stage in stages for each in stage} <= AS_IT_IS:
        return always
    return [
        *always,
        *(["fewer than two stages"] if len(stages) < 2 else []),
        *(fault for stage in stages for fault in _of_pip(stage)),
        *(f"{each.name} in the final stage" for each in stages[-1] if each.name not in FINAL),
        *(f"COPY {each.value}" for each in stages[-1] if each.name == "COPY" and not each.value.startswith("--from=")),
        *_of_the_user(stages[-1], default),
        *([] if stages[-1][-1].name == "CMD" and stages[-1][-1].value.startswith("[") else ["no CMD [...] at the end"]),
    ]


def _of_pip(stage: list[Instruction]) -> list[str]:
    runs = [each.value for each in stage if each.name == "RUN" and "pip install" in each.value]
    missing = [f"pip install without {flag}" for run in runs for flag in PIP if flag not in run]
    locks = [each.value for each in stage if each.name == "COPY" and each.value.endswith(" /tmp/requirements.txt")]
    unlocked = runs and not any(lock.startswith("requirements/") for lock in locks)
    return [*missing, *(["pip install from something else than requirements/*.txt"] if unlocked else [])]


def _of_the_user(final: list[Instruction], base: str) -> list[str]:
    users = [each.value for each in final if each.name == "USER"]
    if LAMBDA in base:
        return ["USER, which is Lambda's to choose"] if users else []
    return [] if users and users[-1].split(":")[0] not in {"root", "0"} else ["no USER, so root"]


def dockerfiles(repository: Path) -> list[Path]:
    return sorted((repository / "services").rglob("Dockerfile"))


def pinned(repository: Path) -> set[str]:
    pins = json.loads((repository / "stacks/base_images.json").read_text())
    return {f"{pin['image']}:{pin['tag']}" for pin in pins.values()}


def test_every_dockerfile_follows_the_template(repository: Path):
    assert dockerfiles(repository)
    for path in dockerfiles(repository):
        ignore = path.with_name(f"{path.name}.dockerignore")
        ignored = ignore.read_text() if ignore.exists() else ""

        assert faults(path.read_text(), ignored, pinned(repository)) == [], path


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("python:3.12\n", "python:latest\n", "ARG BASE_IMAGE=public.ecr.aws/lambda/python:latest is none of"),
        ("FROM ${BASE_IMAGE} AS code", "FROM python:3.12 AS code", "FROM python:3.12 AS code"),
        (" --require-hashes", "", "pip install without --require-hashes"),
        (" --no-cache-dir", "", "pip install without --no-cache-dir"),
        (" --only-binary :all:", "", "pip install without --only-binary :all:"),
        ("COPY requirements/moderation.txt", "COPY wishes.txt", "pip install from something else"),
        ("CMD [", "RUN touch /var/task/x\nCMD [", "RUN in the final stage"),
        ("CMD [", "ADD x /var/task/x\nCMD [", "ADD in the final stage"),
        ("CMD [", "COPY services /var/task/services\nCMD [", "COPY services /var/task/services"),
        ("CMD [", "USER nobody\nCMD [", "USER, which is Lambda's to choose"),
        ('CMD ["services.moderation.app.handler"]', "CMD services.moderation.app.handler", "no CMD [...] at the end"),
    ],
)
def test_a_dockerfile_that_leaves_the_template_is_told_why(old: str, new: str, fault: str, repository: Path):
    text = (repository / "services/moderation/Dockerfile").read_text()
    assert old in text

    found = faults(text.replace(old, new), "*\n", pinned(repository))

    assert [told for told in found if told.startswith(fault)]


def test_a_context_that_is_not_emptied_first_is_told():
    assert faults(PLAIN, "**/__pycache__\n", {"example/python:3.12"}) == ["its .dockerignore does not begin with *"]


def test_outside_lambda_a_service_names_a_user_that_is_not_root():
    for user in ("", "USER root\n", "USER 0:0\n"):
        text = PLAIN.replace("USER 1000:1000\n", user)
        assert faults(text, "*\n", {"example/python:3.12"}) == ["no USER, so root"]


PLAIN = """
ARG BASE_IMAGE=example/python:3.12
FROM ${BASE_IMAGE} AS code
COPY services /srv/services
FROM ${BASE_IMAGE}
COPY --from=code /srv /srv
USER 1000:1000
CMD ["python", "-m", "services.example"]
"""


def test_a_dockerfile_that_follows_the_template_has_no_fault():
    assert faults(PLAIN, "# why\n*\n!services\n", {"example/python:3.12"}) == []


@pytest.mark.parametrize("line", ["RUN touch /x", "COPY x /x", "USER root", 'CMD ["sh"]', "ENV A=1"])
def test_somebody_elses_image_is_taken_as_it_is_or_built_as_ours(line: str):
    text = "ARG BASE_IMAGE=example/nginx:1.29\nFROM ${BASE_IMAGE}\nLABEL a=b\n"

    assert faults(text, "*\n", {"example/nginx:1.29"}) == []
    assert faults(text + line + "\n", "*\n", {"example/nginx:1.29"})
