"""Every way in which a spec file can be wrong gets one line with the file, the field and the mend."""

from pathlib import Path

import pytest

from services.app.spec_file import read_spec_file
from services.core.domain.errors import SpecError
from services.core.domain.spec import RunSpec

GOOD = "name: demo\npopulation: {biased_share: 0.5}\ntraining: {method: sft}\n"


def no_check(spec: RunSpec) -> None:
    """Accept every spec."""


def knows_only_drinking(spec: RunSpec) -> None:
    for name in spec.population.scenarios or ():
        if name != "drinking":
            raise SpecError(f"population.scenarios: no scenario {name!r}; did you mean drinking?")


def written(folder: Path, data: bytes | str) -> Path:
    path = folder / "spec.yaml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_a_good_file_gives_its_arms(tmp_path: Path):
    arms = read_spec_file(written(tmp_path, GOOD + "sweep: {seed: [1, 2]}\n"), no_check)
    assert [arm.spec.seed for arm in arms] == [1, 2]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (GOOD + "colour: red\n", "colour: unknown key; the keys here are name, seed, policy,"),
        (GOOD.replace("0.5", "1.2"), "population.biased_share: 1.2 is more than 1; use a number from 0 to 1"),
        (
            GOOD + "selection: {top: 500}\n",
            "selection.top: 500 is more than population.conversations (400); take fewer",
        ),
        (
            GOOD.replace("0.5", "0.5, scenarios: [drunking]"),
            "population.scenarios: no scenario 'drunking'; did you mean drinking?",
        ),
        (
            GOOD.replace("sft", "stf"),
            "training.method: 'stf' is not known; did you mean sft? use one of sft, kto",
        ),
        ("", "is empty; write `field: value` lines"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file (UTF-8); give a YAML file"),
        (
            GOOD.replace("{method: sft}", "[sft]"),
            "training: a list stands where a mapping belongs; use `field: value`",
        ),
        ("- name: demo\n", "a list stands where a mapping belongs; write `field: value` lines"),
        (GOOD + "name: again\n", "line 4, column 1: the key 'name' stands twice; keep one of them"),
        (
            GOOD + "seed: [1, 2\n",
            "line 5, column 1: expected ',' or ']', but got '<stream end>'; mend the YAML there",
        ),
    ],
    ids=[
        *(
            "unknown key",
            "share 1.2",
            "k larger than the pool",
            "unknown scenario",
            "method typo",
            "empty",
            "binary",
        ),
        *("list for a mapping", "list at the top", "key twice", "syntax"),
    ],
)
def test_a_bad_file_gets_one_line(tmp_path: Path, data: bytes | str, line: str):
    path = written(tmp_path, data)
    with pytest.raises(SpecError) as caught:
        read_spec_file(path, knows_only_drinking)
    assert str(caught.value).startswith(f"{path}: {line}")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_arm_is_checked(tmp_path: Path):
    sweep = "sweep: {population.scenarios: [[drinking], [smoking]]}\n"
    with pytest.raises(SpecError, match="no scenario 'smoking'"):
        read_spec_file(written(tmp_path, GOOD + sweep), knows_only_drinking)


def test_a_missing_file_names_the_specs_beside_it(tmp_path: Path):
    written(tmp_path, GOOD)
    with pytest.raises(SpecError, match=r"spce\.yaml: there is no such file; .* has spec\.yaml"):
        read_spec_file(tmp_path / "spce.yaml", no_check)


def test_a_folder_is_no_spec(tmp_path: Path):
    with pytest.raises(SpecError, match="is a folder; name a YAML file in it"):
        read_spec_file(tmp_path, no_check)


def test_a_path_that_no_system_takes():
    with pytest.raises(SpecError, match="can't be read"):
        read_spec_file(Path("a\0b"), no_check)
