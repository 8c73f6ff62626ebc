"""What a Dockerfile puts together: the same files as Docker would, or a message that names the line."""

from pathlib import Path

import pytest

from quintet.sandbox.dockerfile import DockerfileError, Plan, interpret

LAMBDA = "FROM public.ecr.aws/lambda/python:3.12@sha256:abc\n"
FILES = {
    "app/__init__.py": "", "app/main.py": "main", "app/deep/more.py": "more", "app/data/words.txt": "words",
    "other.py": "other", "requirements.txt": "x", "app/__pycache__/main.pyc": "junk",
}  # fmt: skip


@pytest.fixture
def context(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def plan(context: Path, text: str, ignore: str = "", target: str | None = None, **arguments: str) -> Plan:
    (context / "Dockerfile").write_text(text)
    (context / "Dockerfile.dockerignore").write_text(ignore)
    return interpret(context / "Dockerfile", context, arguments=arguments, target=target)


def paths(made: Plan) -> list[str]:
    return sorted(made.files)


def test_the_content_of_a_folder_goes_into_the_destination(context: Path) -> None:
    made = plan(context, LAMBDA + "COPY app ${LAMBDA_TASK_ROOT}/app\n", "**/__pycache__")

    assert paths(made) == [
        "/var/task/app/__init__.py", "/var/task/app/data/words.txt", "/var/task/app/deep/more.py",
        "/var/task/app/main.py",
    ]  # fmt: skip
    assert made.files["/var/task/app/main.py"].read_text() == "main"


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        ("COPY other.py /x/renamed.py", ["/x/renamed.py"]),
        ("COPY other.py /x/", ["/x/other.py"]),
        ("COPY other.py .", ["/var/task/other.py"]),
        ("COPY other.py requirements.txt /x/", ["/x/other.py", "/x/requirements.txt"]),
        ("COPY *.py /x/", ["/x/other.py"]),
        ('COPY ["other.py", "/with space/"]', ["/with space/other.py"]),
        ("COPY --chown=1000:1000 --chmod=644 other.py /x/", ["/x/other.py"]),
        ("WORKDIR /srv\nWORKDIR deep\nCOPY other.py ./", ["/srv/deep/other.py"]),
        ("COPY app/deep /x/\nCOPY other.py /x", ["/x/more.py", "/x/other.py"]),
        ("COPY app/deep/more.py \\\n  # a comment\n  /x/", ["/x/more.py"]),
    ],
)
def test_files_lie_where_docker_puts_them(context: Path, copy: str, expected: list[str]) -> None:
    assert paths(plan(context, LAMBDA + copy + "\n")) == expected


def test_a_module_that_is_not_copied_is_not_there(context: Path) -> None:
    made = plan(context, LAMBDA + "COPY app/main.py ${LAMBDA_TASK_ROOT}/app/\n")

    assert "/var/task/app/deep/more.py" not in made.files


def test_environment_command_and_working_directory_are_kept(context: Path) -> None:
    made = plan(
        context,
        LAMBDA + 'ENV A=1 B="two words" C=$A-x\nENV OLD style value\nENTRYPOINT ["/run"]\nCMD ["app.main.handler"]\n',
    )

    assert made.environment == {"A": "1", "B": "two words", "C": "-x", "OLD": "style value"}
    assert (made.entrypoint, made.command) == (("/run",), ("app.main.handler",))
    assert (made.workdir, made.code_root) == ("/var/task", "/var/task")


def test_a_command_without_brackets_runs_in_a_shell(context: Path) -> None:
    assert plan(context, "FROM x\nCMD run it\n").command == ("/bin/sh", "-c", "run it")


@pytest.mark.parametrize(
    ("image", "root"),
    [
        ("public.ecr.aws/lambda/python:3.12", "/var/task"),
        ("amazon/aws-lambda-python:3.12", "/var/task"),
        ("python:3.12-slim", "/"),
    ],
)
def test_the_code_lies_where_the_base_image_has_it(context: Path, image: str, root: str) -> None:
    assert plan(context, f"FROM {image}\n").code_root == root


def test_arguments_are_global_declared_and_given(context: Path) -> None:
    text = (
        "ARG BASE=x\nARG NAME=default\nFROM $BASE\nARG NAME\nARG LOCAL=l\nARG UNDECLARED_ELSEWHERE\n"
        "ENV RESULT=${NAME}-${LOCAL}-${MISSING:-none}-${LOCAL:+set}\n"
    )

    assert plan(context, text).environment["RESULT"] == "default-l-none-set"
    assert plan(context, text, NAME="given").environment["RESULT"] == "given-l-none-set"
    assert plan(context, text, BASE="public.ecr.aws/lambda/python:1").code_root == "/var/task"


def test_an_argument_that_the_stage_does_not_declare_is_empty_there(context: Path) -> None:
    assert plan(context, "ARG A=1\nFROM x\nENV B=[$A]\n").environment == {"B": "[]"}


def test_a_stage_gives_what_it_copied_and_not_what_it_installed(context: Path) -> None:
    text = (
        "FROM x AS build\nCOPY other.py /made/\nRUN pip install --target /made/packages y\n"
        f"{LAMBDA}COPY --from=build /made /var/task\nCOPY --from=build /packages /var/task\n"
    )

    assert paths(plan(context, text)) == ["/var/task/other.py"]


def test_a_stage_can_be_built_upon_and_chosen(context: Path) -> None:
    text = "FROM x AS one\nENV A=1\nCOPY other.py /a\nFROM one AS two\nENV A=2\nFROM one\n"

    assert plan(context, text).environment == {"A": "1"}
    assert plan(context, text, target="two").environment == {"A": "2"}
    assert paths(plan(context, text, target="two")) == ["/a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM x\nADD a /a\n", "Dockerfile, line 2: ADD is not interpreted by the sandbox; it knows FROM, ARG, ENV"),
        ("FROM x\nVOLUME /a\n", "VOLUME is not interpreted"),
        ("FROM x\n\n\nCOPY nothing.py /a\n", "line 4: COPY nothing.py: there is no such file in the build context"),
        ("FROM x\nCOPY ../outside /a\n", "outside the build context"),
        ("FROM x\nCOPY --parents a /a\n", "COPY --parents is not interpreted"),
        ("FROM x\nCOPY --from=ghcr.io/x/uv /uv /uv\n", "does not have the content of other images"),
        ("FROM x\nCOPY one\n", "a source and a destination"),
        ("FROM x\nRUN <<EOF\necho\nEOF\n", "here-document"),
        ("FROM x\nENV A=1 B\n", "'B' has no value"),
        ("COPY a /a\n", "before FROM"),
        ("# nothing\n", "no FROM"),
    ],
)
def test_what_cannot_be_built_names_its_line(context: Path, text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as error:
        plan(context, text)

    assert message in str(error.value)


def test_a_target_that_is_no_stage_is_named(context: Path) -> None:
    with pytest.raises(DockerfileError, match="'three' is not a stage"):
        plan(context, "FROM x\n", target="three")


def test_a_missing_dockerfile_and_a_missing_context_are_named(tmp_path: Path) -> None:
    with pytest.raises(DockerfileError, match="there is no Dockerfile"):
        interpret(tmp_path / "Dockerfile", tmp_path, arguments={})
    with pytest.raises(DockerfileError, match="is not a folder"):
        interpret(tmp_path / "Dockerfile", tmp_path / "x", arguments={}, text="FROM x")


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("", set(FILES)),
        ("**/__pycache__\n**/*.txt", {"app/__init__.py", "app/main.py", "app/deep/more.py", "other.py"}),
        ("*.py", set(FILES) - {"other.py"}),
        ("main.py", set(FILES)),
        ("app", {"other.py", "requirements.txt"}),
        ("/app/", {"other.py", "requirements.txt"}),
        ("*\n!app/deep", {"app/deep/more.py"}),
        ("*\n!app\napp/data\n**/*.pyc", {"app/__init__.py", "app/main.py", "app/deep/more.py"}),
        ("**\n!**/more.py", {"app/deep/more.py"}),
        ("app\n!app/main.py\napp/main.py", {"other.py", "requirements.txt"}),
        ("# app\n\n  other.py  ", set(FILES) - {"other.py"}),
        ("app/*/more.py", set(FILES) - {"app/deep/more.py"}),
        ("app/?ain.py", set(FILES) - {"app/main.py"}),
        ("./app/../other.py", set(FILES) - {"other.py"}),
    ],
)
def test_the_ignore_file_leaves_out_what_docker_leaves_out(context: Path, ignore: str, left: set[str]) -> None:
    made = plan(context, "FROM x\nCOPY . /all\n", ignore)

    copied = {path.removeprefix("/all/") for path in made.files} - {"Dockerfile", "Dockerfile.dockerignore"}
    assert copied == left


def test_a_file_that_the_ignore_file_leaves_out_cannot_be_copied(context: Path) -> None:
    with pytest.raises(DockerfileError, match=r"its .dockerignore excludes it"):
        plan(context, "FROM x\nCOPY app /app\n", "app")


def test_the_context_has_an_ignore_file_where_the_dockerfile_has_none(context: Path) -> None:
    (context / "Dockerfile").write_text("FROM x\nCOPY . /all\n")
    (context / ".dockerignore").write_text("app\nDockerfile\n.dockerignore\n")

    made = interpret(context / "Dockerfile", context, arguments={})

    assert paths(made) == ["/all/other.py", "/all/requirements.txt"]


def test_the_dockerfile_of_moderation_is_interpreted(repository: Path) -> None:
    dockerfile = repository / "services/moderation/Dockerfile"
    made = interpret(dockerfile, repository, arguments={"BASE_IMAGE": "amazon/aws-lambda-python:3.12"})

    assert made.code_root == "/var/task"
    assert made.command == ("services.moderation.app.handler",)
    assert "/var/task/services/moderation/app.py" in made.files
    assert not any("__pycache__" in path for path in made.files)
