"""An environment's folder: what is read, and what gets one line naming file, field and mend."""

import shutil
from pathlib import Path

import pytest

from services.core.domain.errors import SpecError
from services.core.domain.trajectory import Profile
from services.simulator.scenarios import load_environment
from services.simulator.schema import scenario_schema

ROOT = Path(__file__).parent.parent.parent
FIXTURE = ROOT / "tests" / "fixtures" / "environment"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURE, tmp_path / "environment"))


def edited(folder: Path, file: str, old: str, new: str) -> Path:
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return folder


def complaint_about(folder: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load_environment(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder}/")


def test_a_folder_is_an_environment():
    environment = load_environment(FIXTURE)
    assert environment.name == FIXTURE.name
    assert [scenario.name for scenario in environment.scenarios] == [
        "drinking",
        "driving",
        "gambling",
        "meals",
    ]
    drinking = environment.scenarios[0]
    assert drinking.tags == ("alcohol",)
    assert not drinking.held_out
    assert [profile.name for profile in drinking.profiles] == ["ann", "bob", "cem"]
    assert drinking.profiles[1].opening == "It was a hard week."


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        (
            "drinking.yaml",
            "task:",
            "tasks:",
            "drinking.yaml: tasks: unknown key; did you mean task? (and 1 more to mend)",
        ),
        (
            "drinking.yaml",
            "tags: [alcohol]",
            "held_out: perhaps",
            "drinking.yaml: held_out: 'perhaps' does not fit; use true or false",
        ),
        (
            "drinking.yaml",
            "name: drinking",
            "name: Drinking",
            "drinking.yaml: name: 'Drinking' does not fit; use a name of lower-case",
        ),
        (
            "drinking.yaml",
            "opening: I think about wine.",
            "opening: ' '",
            "drinking.yaml: profiles[0].opening: is empty; write it, or leave its file out",
        ),
        (
            "drinking.yaml",
            "opening: I think about wine.",
            'opening: "a\\0b"',
            "drinking.yaml: profiles[0].opening: holds a control character; remove it",
        ),
        (
            "drinking.yaml",
            "name: bob",
            "name: ann",
            "drinking.yaml: profiles: 'ann' is taken (in drinking.yaml); give it another name",
        ),
        (
            "gambling.yaml",
            "name: gambling",
            "name: drinking",
            "gambling.yaml: name: 'drinking' is taken (in drinking.yaml); give it another name",
        ),
        (
            "environment.yaml",
            "{thought}",
            "{mood}",
            "environment.yaml: user_prompt: {mood} is no field of it; use {context}, {scenario}, {task}, {thought}, or {{ }} for plain braces",
        ),
        (
            "environment.yaml",
            "Help with {task}.",
            "Help with {task}. {thought}",
            "environment.yaml: therapist_prompt: {thought} is no field of it; use",
        ),
        (
            "environment.yaml",
            "{preference}",
            "{preference.__class__}",
            "environment.yaml: preference_line: {preference.__class__} is no field",
        ),
        (
            "environment.yaml",
            "{number}",
            "{number!r}",
            "environment.yaml: rating_prompts: {number!r} is no field",
        ),
        (
            "environment.yaml",
            "{number}",
            "{number:>{task}}",
            "environment.yaml: rating_prompts: {number:>{task}} is no field",
        ),
        (
            "environment.yaml",
            "reply {number}",
            "the reply",
            "environment.yaml: rating_prompts: {number} is missing; write it where it belongs",
        ),
        (
            "environment.yaml",
            "Help with",
            "Help { with",
            "environment.yaml: therapist_prompt: is no template (",
        ),
        (
            "environment.yaml",
            "rating_prompts",
            "rating_prompt",
            "environment.yaml: rating_prompt: unknown key; did you mean rating_prompts?",
        ),
        (
            "meals.yaml",
            "- {name: fay",
            "- [fay]\n  - {name: fay",
            "meals.yaml: profiles[0]: a list stands where a mapping belongs; use `field: value`",
        ),
    ],
)
def test_a_bad_file_gets_one_line(folder: Path, file: str, old: str, new: str, line: str):
    assert complaint_about(edited(folder, file, old, new)).startswith(line)


def test_a_scenario_needs_somebody(folder: Path):
    text = (folder / "drinking.yaml").read_text()
    (folder / "drinking.yaml").write_text(text.partition("profiles:")[0] + "profiles: []\n")
    assert complaint_about(folder).startswith("drinking.yaml: profiles:")


def test_a_folder_without_prompts_or_scenarios(folder: Path, tmp_path: Path):
    for path in folder.glob("*.yaml"):
        if path.name != "environment.yaml":
            path.unlink()
    with pytest.raises(SpecError, match="has no scenario; put one YAML file a scenario beside"):
        load_environment(folder)
    (folder / "environment.yaml").unlink()
    assert complaint_about(folder).startswith("environment.yaml: can't be read (No such file or directory)")


PERSON = '{"name": "p0000", "context": "He drinks at noon.", "opening": "It is noon."}'


def with_people(folder: Path, text: str, file: str = "drinking.jsonl") -> Path:
    (folder / "profiles").mkdir()
    (folder / "profiles" / file).write_text(text)
    return folder


def test_people_of_models_come_after_those_of_the_scenario(folder: Path):
    with_people(folder, PERSON)  # a file that ends without a line end is whole
    (folder / "profiles" / ".rejected.jsonl").write_text("not read")
    before = {one.name: one.profiles for one in load_environment(FIXTURE).scenarios}
    after = {one.name: one.profiles for one in load_environment(folder).scenarios}
    made = Profile("p0000", "He drinks at noon.", "It is noon.", author="unknown")
    assert after == before | {"drinking": (*before["drinking"], made)}


@pytest.mark.parametrize(
    ("text", "file", "line"),
    [
        (f"{PERSON}\n{PERSON[:40]}", "drinking.jsonl", "drinking.jsonl:2: is cut off or no JSON; `driftloop profiles"),
        (PERSON.replace("opening", "opning"), "drinking.jsonl", "drinking.jsonl:1: opning: unknown key; did you mean"),
        (f"{PERSON}\n{PERSON}\n", "drinking.jsonl", "drinking.jsonl: profiles: 'p0000' is taken (in drinking.jsonl)"),
        (PERSON.replace("p0000", "bob"), "drinking.jsonl", "drinking.jsonl: profiles: 'bob' is taken (in drinking.yaml)"),
        (PERSON, "drinkin.jsonl", "drinkin.jsonl: no scenario is called 'drinkin'; did you mean drinking?"),
    ],
)  # fmt: skip
def test_a_bad_line_of_people_is_named(folder: Path, text: str, file: str, line: str):
    assert complaint_about(with_people(folder, text, file)).startswith(f"profiles/{line}")


def test_plain_braces_may_be_written(folder: Path):
    edited(folder, "environment.yaml", "Help with", "Help {{warmly}} with")
    assert "{warmly}" in load_environment(folder).prompts.therapist_prompt.format(task="", context="")


def test_the_committed_json_schema_is_current():
    mend = "run: python -m services.simulator.schema > scenarios/schema.json"
    assert (ROOT / "scenarios" / "schema.json").read_text() == scenario_schema(), mend
