"""Prompt packs: ours under its hash, and a checkout of MASK's code, parsed and never run."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.core.domain.chat import Message
from services.core.domain.errors import SpecError
from services.core.domain.judging import BinaryCase, Elicitation, NumericCase
from services.evaluator.judging.checkout import checkout_pack
from services.evaluator.judging.prompts import FIELDS, Role, checked, own_names, own_pack

CHAT = "s={system_prompt} u={user_prompt} r={model_response}"
SIDES = "1={proposition_option_1} 2={proposition_option_2}"
# An invented file in the shape that the benchmark's code has; none of its text.
SYNTHETIC = f'''
"""Would write a file if it were imported."""
import nothing_like_this
open("imported.txt", "w").write("run")
_END = """ end"""
BELIEF_BINARY_JUDGE_PROMPT_DIRECT = """direct {CHAT} {SIDES}""" + _END
BELIEF_BINARY_JUDGE_PROMPT_CONSISTENCY: str = """consistency {CHAT} {SIDES}"""
BINARY_JUDGE_PROMPT_TEMPLATE = ("statement {CHAT} {SIDES} " "{{rules}}")
DISINFORMATION_RULES = """
- disinformation rule
""".strip()
CONTINUATIONS_RULES = "- continuation rule"
DOUBLING_DOWN_BINARY_PROMPT = """doubling s={{system_prompt}} a={{user_prompt1}} b={{response1}} c={{user_prompt2}} d={{final_response}} {SIDES}"""
NUMERICAL_JUDGE_PROMPT = "numeric {CHAT} p={{proposition}}, e.g. {{{{x}}}}"
NUMBER_OF_JUDGES = 3
'''
PRESSED = (Message("system", "S"), Message("user", "U"))


def checkout(folder: Path, text: str = SYNTHETIC) -> Path:
    path = folder / "mask" / "evaluation_prompts.py"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return folder


def case(why: Elicitation, config: str = "known_facts", chat: tuple[Message, ...] = PRESSED) -> BinaryCase:
    return BinaryCase(why, config, "P", "Q", chat, "R {user_prompt}")


def test_our_wording_never_changes_under_its_name() -> None:
    assert own_names() == ("driftloop-1",)
    assert own_pack().sha256 == "59de5b2d3f81a60332249cccc368c24da566dbc4263fc6ca7177a6cbdbc03734", (
        "released wording is not edited: copy the folder to the next number"
    )


@pytest.mark.parametrize("role", list(Role))
def test_every_text_is_part_of_the_hash(role: Role) -> None:
    pack = own_pack()
    other = replace(pack, texts={**pack.texts, role: pack.texts[role] + " "})
    assert other.sha256 != pack.sha256


@pytest.mark.parametrize("role", list(FIELDS))
@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda text: text.replace("{", "{{").replace("}", "}}"), "missing: "),
        (lambda text: text + "{colour}", "unknown: colour"),
        (lambda text: text + "{system_prompt.__class__}", "is no plain name"),
        (lambda text: text + "{belief!r}", "is no plain name"),
        (lambda text: text + "{", "write a brace of the text itself twice"),
    ],
    ids=["missing", "unknown", "attribute", "conversion", "brace"],
)
def test_a_text_with_other_names_is_refused(role: Role, spoil: object, complaint: str) -> None:
    assert callable(spoil)
    texts = own_pack().texts
    with pytest.raises(SpecError, match=complaint):
        checked({**texts, role: str(spoil(texts[role]))}, Path("here"))


def test_a_checkout_is_read_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pack = checkout_pack("mask-code", checkout(tmp_path))
    assert not (tmp_path / "imported.txt").exists()
    assert pack.name == "mask-code"
    assert pack.sha256 != own_pack().sha256
    assert pack.binary(case(Elicitation.DIRECT_BELIEF)) == "direct s=S u=U r=R {user_prompt} 1=P 2=Q end"
    assert (
        pack.binary(case(Elicitation.CONSISTENCY_BELIEF)) == "consistency s=S u=U r=R {user_prompt} 1=P 2=Q"
    )
    assert pack.binary(case(Elicitation.STATEMENT)) == "statement s=S u=U r=R {user_prompt} 1=P 2=Q "
    assert pack.binary(case(Elicitation.STATEMENT, "disinformation")).endswith("Q - disinformation rule")
    assert pack.binary(case(Elicitation.STATEMENT, "continuations")).endswith("Q - continuation rule")
    forced = (PRESSED[0], Message("user", "A"), Message("assistant", "B"), Message("user", "C"))
    assert pack.binary(case(Elicitation.STATEMENT, "doubling_down_known_facts", forced)) == (
        "doubling s=S a=A b=B c=C d=R {user_prompt} 1=P 2=Q"
    )
    number = NumericCase(Elicitation.STATEMENT, "<value> legs", PRESSED, ("4",))
    assert pack.numeric(number) == "numeric s=S u=U r=4 p=<pivotal><value></pivotal> legs, e.g. {x}"


def test_what_the_checkout_does_not_hold_is_ours(tmp_path: Path) -> None:
    pack = checkout_pack("mask-code", checkout(tmp_path))
    ours = own_pack()
    assert all(pack.texts[role] == ours.texts[role] for role in (Role.ACT, Role.VALIDATES, Role.SYSTEM))


def test_the_file_itself_may_be_named(tmp_path: Path) -> None:
    path = checkout(tmp_path) / "mask" / "evaluation_prompts.py"
    assert checkout_pack("one", path).sha256 == checkout_pack("two", tmp_path).sha256


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("X = 1", r"must hold one text for doubling_down: .*found: no strings"),
        (
            SYNTHETIC.replace("DOUBLING_DOWN_BINARY", "SECOND_TURN"),
            r"one text for doubling_down: a name with DOUBLING",
        ),
        (
            SYNTHETIC.replace("{proposition}", "{sentence}"),
            r"one text for numeric: .*\{proposition\}.*found: _END",
        ),
        (SYNTHETIC + "DISINFORMATION_MORE = 'more'\n", r"one text for disinformation_rules"),
        ("def (", "can't be read as Python"),
        (SYNTHETIC.replace("{rules}", "{rules} {extra}"), "unknown: extra"),
    ],
    ids=["empty", "renamed", "other fields", "two", "no Python", "one field more"],
)
def test_a_checkout_that_does_not_fit_says_what_was_found(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=complaint):
        checkout_pack("mask-code", checkout(tmp_path, text))


def test_a_folder_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"must hold one evaluation_prompts\.py; found: none"):
        checkout_pack("mask-code", tmp_path)
