"""Whatever is wrong with a text, the reader gets one line with the field and the mend."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.complaints import fit, leaf_fields, one_line, read_mapping, shown
from services.core.domain.errors import SpecError
from services.core.domain.spec import RunSpec


def spec_with(field: str, value: object) -> dict[str, Any]:
    values: dict[str, Any] = {"name": "a", "population": {"biased_share": 0.5}, "training": {"method": "sft"}}
    *sections, last = field.split(".")
    place = values
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value
    return values


def complaint_about(field: str, value: object) -> str:
    with pytest.raises(SpecError) as caught:
        fit(RunSpec, spec_with(field, value))
    return str(caught.value)


NAME = "use a name of lower-case letters, digits and . _ - (at most 63, the first a letter or digit)"


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        (
            "population.biased_share",
            1.2,
            "population.biased_share: 1.2 is more than 1; use a number from 0 to 1",
        ),
        (
            "population.biased_share",
            -1,
            "population.biased_share: -1 is less than 0; use a number from 0 to 1",
        ),
        (
            "population.biased_share",
            float("nan"),
            "population.biased_share: nan does not fit; use a number from 0 to 1",
        ),
        ("population.biased_share", None, "population.biased_share: has no value; use a number from 0 to 1"),
        ("population.biased_shar", 0.2, "population.biased_shar: unknown key; did you mean biased_share?"),
        ("biased_share", 0.2, "biased_share: unknown key; biased_share belongs at population.biased_share"),
        (
            "training.method",
            "stf",
            "training.method: 'stf' is not known; did you mean sft? use one of sft, kto",
        ),
        ("training.method", 3, "training.method: 3 is not known; use one of sft, kto"),
        ("training.learning_rate", 0, "training.learning_rate: 0 does not fit; use a number above 0 up to 1"),
        (
            "training",
            [1],
            "training: a list stands where a mapping belongs; use `field: value` lines under it (at least method)",
        ),
        (
            "population",
            None,
            "population: has no value; use `field: value` lines under it (at least biased_share)",
        ),
        (
            "selection.top",
            1.5,
            "selection.top: 1.5 does not fit; use a whole number from 1 or a number above 0 up to 1",
        ),
        (
            "selection.top",
            401,
            "selection.top: 401 is more than population.conversations (400); take fewer, or hold more conversations",
        ),
        ("seed", 1.5, "seed: 1.5 is not a whole number; use a whole number from 0 below 2,147,483,648"),
        (
            "population.conversations",
            10**7,
            "population.conversations: 10000000 is more than 1,000,000; use a whole number from 1 to 1,000,000",
        ),
        ("population.scenarios", ["A B"], f"population.scenarios[0]: 'A B' does not fit; {NAME}"),
        (
            "evaluation.benchmarks",
            ["mask", "masks"],
            "evaluation.benchmarks[1]: 'masks' is not known; did you mean mask? use one of mask, deceptionbench, capability, held_out",
        ),
        (
            "conversation.show_preference",
            "perhaps",
            "conversation.show_preference: 'perhaps' does not fit; use true or false",
        ),
        ("seed", False, "seed: False does not fit; use a whole number from 0 below 2,147,483,648"),
        (
            "conversation.temperature",
            True,
            "conversation.temperature: True does not fit; use a number from 0 to 5",
        ),
        ("training.keep_system_prompt", 1, "training.keep_system_prompt: 1 does not fit; use true or false"),
        ("training.kto.refrence", "base", "training.kto.refrence: unknown key; did you mean reference?"),
    ],
)
def test_names_the_field_what_stands_there_and_the_mend(field: str, value: object, line: str):
    assert complaint_about(field, value) == f"{line}"


def test_an_unknown_key_lists_the_known_ones_when_none_is_near():
    assert complaint_about("training.kto.frobnicate", 1) == (
        "training.kto.frobnicate: unknown key; the keys here are "
        "beta, reference, desirable_weight, undesirable_weight"
    )


def test_a_typo_is_named_before_the_missing_field_that_it_caused():
    with pytest.raises(
        SpecError, match=r"training\.metod: unknown key; did you mean method\? \(and 1 more to mend\)"
    ):
        fit(RunSpec, {"name": "a", "population": {"biased_share": 0}, "training": {"metod": "sft"}})


def test_a_missing_section_names_its_required_fields():
    with pytest.raises(SpecError, match=r"training: is missing; add .* \(at least method\)"):
        fit(RunSpec, {"name": "a", "population": {"biased_share": 0}})


def test_a_key_that_is_no_text():
    with pytest.raises(SpecError, match=r"the key 7 is not a text; put it in quotes"):
        fit(RunSpec, {**spec_with("seed", 1), 7: 1})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "is empty; write `field: value` lines"),
        (b"# only a comment\n", "is empty; write `field: value` lines"),
        (b"\x89PNG\r\n\x1a\n\x00", "is not a text file (UTF-8); give a YAML file"),
        (b"\x00\x01", "is not a text file (it holds control characters); give a YAML file"),
        (b"a: 1\na: 2\n", "line 2, column 1: the key 'a' stands twice; keep one of them"),
        (b"b: {a: 1, a: 1}", "line 1, column 11: the key 'a' stands twice; keep one of them"),
        (b"ok: 1\na: b: c", "line 2, column 5: mapping values are not allowed here; mend the YAML there"),
        (b"- a\n- b", "a list stands where a mapping belongs; write `field: value` lines"),
        (b"just words", "'just words' stands where a mapping belongs; write `field: value` lines"),
        (b"[" * 5000, "is nested too deeply; write it more plainly"),
        (b"a: 2020-99-99", "cannot be read (month must be in 1..12); write it more plainly"),
        (b"a" * (5 * 1024 * 1024), "is larger than 4 MiB; this is no spec or scenario file"),
    ],
)
def test_an_unreadable_text_gets_one_line(data: bytes, line: str):
    with pytest.raises(SpecError) as caught:
        read_mapping(data)
    assert str(caught.value) == line


def test_yaml_can_make_no_python_objects():
    with pytest.raises(SpecError, match="could not determine a constructor"):
        read_mapping(b"a: !!python/object/apply:os.getcwd []")


def test_a_merge_key_may_be_overridden():
    assert read_mapping(b"x: {<<: {a: 1}, a: 2}") == {"x": {"a": 2}}


@given(st.binary(max_size=200))
def test_any_bytes_give_a_mapping_or_one_printable_line(data: bytes):
    try:
        line = str(sorted(map(str, read_mapping(data))))
    except SpecError as error:
        line = str(error)
    assert "\n" not in line


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
            max_leaves=5,
        ),
    )
)
def test_any_mapping_fits_or_gets_one_printable_line(values: dict[str, object]):
    with pytest.raises(SpecError) as caught:
        fit(RunSpec, {"population": {}, **values})
    assert str(caught.value) == one_line(str(caught.value))


def test_shown_is_short_and_tells_no_contents_of_lists():
    assert len(shown("x" * 500)) <= 60
    assert shown(["secret"]) == "a list"


def test_leaf_fields_open_sections_up():
    fields = leaf_fields(RunSpec)
    assert {"seed", "population.biased_share", "training.lora.rank"} <= set(fields)
    assert "population" not in fields
