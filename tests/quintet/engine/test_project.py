"""Pulumi.yaml and Pulumi.<stack>.yaml, read as the real engine reads them, and a key nobody declared refused."""

import random
import re
from pathlib import Path

import pytest

from quintet.autonaming import Autonaming
from quintet.project import Project, ProjectError

DECLARED = """
name: shop
main: program/
config:
  size: {type: integer, default: 512, description: how large}
  shop:enabled: {type: boolean, default: true}
  title: {type: string, description: what it is called}
  password: {type: string, default: "", secret: true}
  hosts: {type: array, items: {type: string}, default: []}
  limits: {type: object, default: {rate: 10}}
  note: a plain default
  aws:region: {value: eu-west-1}
  pulumi:autonaming: {value: {pattern: "${project}-${name}-${hex(6)}"}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(DECLARED)
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  shop:title: Corner\n")
    return tmp_path


def write(root: Path, *lines: str) -> None:
    (root / "Pulumi.dev.yaml").write_text("config:\n" + "".join(f"  {line}\n" for line in lines))


def test_values_are_strings_as_the_runtime_has_them(root: Path) -> None:
    values, secrets = Project.load(root).stack_config("dev")

    assert values == {
        "shop:title": "Corner",
        "shop:size": "512",
        "shop:enabled": "true",
        "shop:password": "",
        "shop:hosts": "[]",
        "shop:limits": '{"rate": 10}',
        "shop:note": "a plain default",
        "aws:region": "eu-west-1",
    }
    assert secrets == {"shop:password"}


def test_the_program_lies_where_main_says(root: Path) -> None:
    project = Project.load(root)

    assert (project.name, project.program) == ("shop", root / "program")


def test_a_stack_overrides_defaults_and_names_with_or_without_namespace(root: Path) -> None:
    write(root, "title: Corner", "shop:size: 1024", "aws:region: us-west-2")

    values, _ = Project.load(root).stack_config("dev")

    assert (values["shop:title"], values["shop:size"], values["aws:region"]) == ("Corner", "1024", "us-west-2")


def test_overrides_win_and_are_checked(root: Path) -> None:
    project = Project.load(root)

    values, _ = project.stack_config("dev", {"size": 7})
    with pytest.raises(ProjectError, match="`shop:size` must be of type integer"):
        project.stack_config("dev", {"size": "large"})

    assert values["shop:size"] == "7"


def test_an_unknown_key_is_refused_with_the_nearest_declared_one(root: Path) -> None:
    write(root, "shop:title: Corner", "shop:sise: 3")

    with pytest.raises(ProjectError, match=r"`shop:sise` is not declared in Pulumi.yaml; did you mean `shop:size`?"):
        Project.load(root).stack_config("dev")


def test_an_unknown_key_that_is_near_to_none_lists_what_is_declared(root: Path) -> None:
    write(root, "shop:title: Corner", "shop:zzzzzzzzzzzzzzzzzzzzzzzzzz: 3")

    with pytest.raises(ProjectError, match="declared are aws:region, pulumi:autonaming, shop:enabled"):
        Project.load(root).stack_config("dev")


@pytest.mark.parametrize(
    ("line", "type_"),
    [
        ("shop:size: true", "integer"),
        ("shop:size: 1.5", "integer"),
        ("shop:enabled: 1", "boolean"),
        ("shop:enabled: perhaps", "boolean"),
        ("shop:title: 3", "string"),
        ("shop:hosts: one", "array"),
        ("shop:hosts: [1]", "array"),
        ("shop:limits: [1]", "object"),
    ],
)
def test_a_value_of_another_type_is_refused(root: Path, line: str, type_: str) -> None:
    write(root, *({"shop:title: Corner", line} if "title" not in line else {line}))

    with pytest.raises(ProjectError, match=f"must be of type {type_}"):
        Project.load(root).stack_config("dev")


@pytest.mark.parametrize("line", ['shop:size: "64"', 'shop:enabled: "false"', "shop:hosts: [a, b]"])
def test_text_may_spell_an_integer_or_a_boolean(root: Path, line: str) -> None:
    write(root, "shop:title: Corner", line)

    Project.load(root).stack_config("dev")


def test_every_fault_is_told_at_once(root: Path) -> None:
    write(root, "shop:size: large", "shop:enabled: perhaps")

    with pytest.raises(ProjectError) as caught:
        Project.load(root).stack_config("dev")

    assert all(
        part in str(caught.value) for part in ("shop:size", "shop:enabled", "`shop:title` has no value: what it is")
    )


@pytest.mark.parametrize("line", ["shop:password: {secure: AAAA}", "shop:limits: {rate: {secure: AAAA}}"])
def test_an_encrypted_value_is_refused_without_showing_it(root: Path, line: str) -> None:
    write(root, "shop:title: Corner", line)

    with pytest.raises(ProjectError, match=r"encrypted.*--engine pulumi") as caught:
        Project.load(root).stack_config("dev")

    assert "AAAA" not in str(caught.value)


def test_an_encrypted_value_may_be_overridden(root: Path) -> None:
    write(root, "shop:title: Corner", "shop:password: {secure: AAAA}")

    values, secrets = Project.load(root).stack_config("dev", {"password": "open"})

    assert values["shop:password"] == "open"
    assert "shop:password" in secrets


def test_a_secret_of_the_wrong_type_is_not_shown(root: Path) -> None:
    write(root, "shop:title: Corner", "shop:password: 271828")

    with pytest.raises(ProjectError) as caught:
        Project.load(root).stack_config("dev")

    assert "271828" not in str(caught.value)


def test_a_stack_without_a_file_is_refused_with_those_there_are(root: Path) -> None:
    with pytest.raises(ProjectError, match=r"no stack `prd`: Pulumi.prd.yaml does not exist; there are dev"):
        Project.load(root).stack_config("prd")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: [", "not valid YAML"),
        ("main: x", "name: Field required"),
        ("name: 'a b'", "name: String should match"),
        ("name: a\nconfig: {x: {type: number}}", "config `x`: type"),
        ("name: a\nconfig: {x: {defualt: 1}}", "config `x`: defualt: Extra inputs"),
        ("name: a\nconfig: {x: {type: integer, default: y}}", "the default of `x` must be of type integer"),
        ("- a", "the file"),
    ],
)
def test_a_wrong_project_file_says_what_is_wrong(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(content)

    with pytest.raises(ProjectError, match=re.escape(message)):
        Project.load(tmp_path)


def test_a_folder_without_a_project_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no Pulumi\.yaml"):
        Project.load(tmp_path)


def test_a_project_is_found_from_below(root: Path) -> None:
    below = root / "a" / "b"
    below.mkdir(parents=True)

    assert Project.find(below).root == root


def test_the_pattern_of_the_project_gives_names_and_a_stack_may_have_its_own(root: Path) -> None:
    project = Project.load(root)
    of_project = project.autonaming("dev").propose("news", random.Random(1))
    write(root, "shop:title: Corner", "pulumi:autonaming: {pattern: '${stack}.${name}.${alphanum(4)}'}")

    of_stack = project.autonaming("dev").propose("news", random.Random(1))

    assert re.fullmatch("shop-news-[0-9a-f]{6}", of_project)
    assert re.fullmatch(r"dev\.news\.[0-9a-z]{4}", of_stack)


@pytest.mark.parametrize("setting", [None, {"mode": "default"}])
def test_without_a_pattern_names_are_those_of_the_provider(setting: object) -> None:
    naming = Autonaming.parse(setting, project="shop", stack="dev")

    assert re.fullmatch("news-[0-9a-f]{7}", naming.propose("news", random.Random(1)))


def test_two_proposals_differ() -> None:
    naming = Autonaming.parse({"pattern": "${name}-${hex(8)}"}, project="shop", stack="dev")
    source = random.Random(1)

    assert naming.propose("news", source) != naming.propose("news", source)


@pytest.mark.parametrize(
    "setting",
    [
        {"pattern": "${nmae}"},
        {"pattern": "${hex}"},
        {"pattern": "${name(3)}"},
        {"pattern": "${uuid}"},
        {"pattern": 3},
        {"mode": "verbatim"},
        {"pattern": "x", "providers": {}},
        "x",
    ],
)
def test_a_setting_the_sandbox_cannot_follow_is_refused(root: Path, setting: object) -> None:
    write(root, "shop:title: Corner", f"pulumi:autonaming: {setting!r}".replace("'", '"'))

    with pytest.raises(ProjectError, match=r"pulumi:autonaming.*knows"):
        Project.load(root).autonaming("dev")
