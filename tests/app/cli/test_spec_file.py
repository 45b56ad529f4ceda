"""Every way in which a spec file can't be read gets one line with the file and the mend."""

from pathlib import Path

import pytest

from services.app.cli.spec_file import PRESETS, read_spec_file
from services.core.domain.errors import SpecError

GOOD = "name: demo\npopulation: {biased_share: 0.5}\ntraining: {method: sft}\n"


def written(folder: Path, data: bytes | str) -> Path:
    path = folder / "spec.yaml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_a_good_file_gives_its_mapping(tmp_path: Path):
    values = read_spec_file(written(tmp_path, GOOD + "sweep: {seed: [1, 2]}\n"))
    assert values["sweep"] == {"seed": [1, 2]}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("", "is empty; write `field: value` lines"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file (UTF-8); give a YAML file"),
        ("- name: demo\n", "a list stands where a mapping belongs; write `field: value` lines"),
        (GOOD + "name: again\n", "line 4, column 1: the key 'name' stands twice; keep one of them"),
        (
            GOOD + "seed: [1, 2\n",
            "line 5, column 1: expected ',' or ']', but got '<stream end>'; mend the YAML there",
        ),
    ],
    ids=["empty", "binary", "list at the top", "key twice", "syntax"],
)
def test_a_bad_file_gets_one_line(tmp_path: Path, data: bytes | str, line: str):
    path = written(tmp_path, data)
    with pytest.raises(SpecError) as caught:
        read_spec_file(path)
    assert str(caught.value) == f"{path}: {line}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("spce.yaml", "did you mean {folder}/spec.yaml?"),
        ("other/spec.yaml", "check the path"),
        ("mine.yml", "check the path (that folder has spec.yaml)"),
        ("pocket-kto", f"did you mean the preset {PRESETS}/pocket-kto.yaml?"),
    ],
)
def test_a_missing_file_names_what_was_probably_meant(tmp_path: Path, path: str, mend: str):
    written(tmp_path, GOOD)
    with pytest.raises(SpecError) as caught:
        read_spec_file(tmp_path / path)
    assert str(caught.value) == f"{tmp_path / path}: there is no such file; {mend.format(folder=tmp_path)}"


def test_a_folder_is_no_spec(tmp_path: Path):
    with pytest.raises(SpecError, match="is a folder; name a YAML file in it"):
        read_spec_file(tmp_path)


def test_a_path_that_no_system_takes():
    with pytest.raises(SpecError, match="can't be read"):
        read_spec_file(Path("a\0b"))
