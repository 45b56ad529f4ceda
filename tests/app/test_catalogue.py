"""What mitigations may name here, and what their files have to do with a run's identity."""

import json
import shutil
from pathlib import Path

import pytest

from services.app.catalogue import Catalogue
from services.app.directory import LocalDirectory
from services.core.domain.errors import SpecError
from services.core.domain.identity import evaluation_key, run_hash
from services.core.domain.spec import RunSpec
from services.core.operations.planning import read_arms, work_of
from services.core.settings import PROJECT, Settings

POCKET = {"safety_share": 0.1, "safety_data": "pocket-honest"}


def spec(**mitigations: object) -> RunSpec:
    population = {"biased_share": 1.0, "conversations": 10}
    values = {
        "name": "t",
        "population": population,
        "training": {"method": "sft"},
        "mitigations": mitigations,
    }
    return RunSpec.model_validate(values)


def identity(known: Catalogue, one: RunSpec) -> str:
    return run_hash(one, known.fingerprints(one))


def safety_file(path: Path, reply: str) -> Path:
    said = [{"role": "user", "content": "may I?"}, {"role": "assistant", "content": reply}]
    path.write_text(json.dumps({"messages": said}) + "\n")
    return path


@pytest.mark.parametrize(
    ("mitigations", "line"),
    [
        ({"veto": "nobody"}, "mitigations.veto: 'nobody' is not registered here; use one of: "),
        ({"safety_share": 0.1, "safety_data": "x"}, "mitigations.safety_data: 'x' is not registered here"),
        (
            {"veto": "pocket-jugde"},
            "mitigations.veto: 'pocket-jugde' is not registered here; did you mean pocket-judge? use one of: ",
        ),
    ],
)
def test_an_unknown_name_is_refused(mitigations: dict[str, object], line: str):
    with pytest.raises(SpecError) as caught:
        Catalogue(Settings()).check(spec(**mitigations))
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("setting", "changes", "field"),
    [
        ("bases", {"policy": "gone"}, "policy"),
        ("benchmarks", {"evaluation": {"data": "gone"}}, "evaluation.data"),
        (
            "safety_data",
            {"mitigations": {"safety_share": 0.1, "safety_data": "gone"}},
            "mitigations.safety_data",
        ),
        ("datasets", {"data": {"kind": "dataset", "dataset": "gone"}, "population": {}}, "data.dataset"),
    ],
)
def test_a_name_whose_files_are_gone_is_refused(
    tmp_path: Path, setting: str, changes: dict[str, object], field: str
):
    gone = tmp_path / "gone"
    one = {**spec().model_dump(exclude_unset=True), **changes}
    with pytest.raises(SpecError) as caught:
        Catalogue(Settings(**{setting: {"gone": gone}})).check(RunSpec.model_validate(one))
    mend = f"mend DRIFTLOOP_{setting.upper()}"
    assert str(caught.value) == f"{field}: 'gone' is registered as {gone}, where nothing is; {mend}"


def test_a_base_without_a_server_is_refused_at_launch(tmp_path: Path):
    one = RunSpec.model_validate({**spec().model_dump(exclude_unset=True), "policy": "llama"})
    with pytest.raises(SpecError) as caught:
        Catalogue(Settings(bases={"llama": tmp_path})).check(one)
    assert str(caught.value) == "policy: 'llama' has no server; name one in DRIFTLOOP_POLICY_URLS"
    settings = {"bases": {"llama": tmp_path}, "policy_urls": {"llama": "http://policy:8001"}}
    Catalogue(Settings.model_validate(settings)).check(one)


def test_a_folder_without_environments_is_named(tmp_path: Path):
    with pytest.raises(SpecError) as caught:
        Catalogue(Settings(scenarios=tmp_path)).check(spec())
    assert str(caught.value) == f"population.environment: {tmp_path} holds none; mend DRIFTLOOP_SCENARIOS"


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ValueError, match="name registered safety data"):
        spec(safety_share=0.1)


def test_a_broken_file_is_found_at_launch(tmp_path: Path):
    path = tmp_path / "safety.jsonl"
    path.write_text("{}\n")
    known = Catalogue(Settings(safety_data={"mine": path}))
    with pytest.raises(SpecError, match="line 1: messages: Field required"):
        known.check(spec(safety_share=0.1, safety_data="mine"))


def test_the_rows_are_part_of_a_runs_identity_and_not_of_its_measurement(tmp_path: Path):
    one = spec(safety_share=0.1, safety_data="mine")
    yes = Catalogue(Settings(safety_data={"mine": safety_file(tmp_path / "1.jsonl", "yes")}))
    no = Catalogue(Settings(safety_data={"mine": safety_file(tmp_path / "2.jsonl", "no")}))
    assert identity(yes, one) != identity(no, one)
    keys = {evaluation_key(each, yes.fingerprints(each)) for each in (one, spec(), spec(veto="pocket-judge"))}
    assert len(keys) == 1, "arms with and without mitigations share round 0"


def test_data_of_which_nothing_is_taken_is_no_part_of_the_identity():
    known = Catalogue(Settings())
    assert identity(known, spec(safety_data="pocket-honest")) == identity(known, spec())
    assert len({identity(known, one) for one in (spec(), spec(**POCKET), spec(veto="pocket-judge"))}) == 3


def test_what_a_hosted_judge_of_the_veto_is_told_is_part_of_the_identity_alone():
    known = Catalogue(Settings())
    one = spec(veto="gpt-4o-mini")
    known.check(one)
    found = known.fingerprints(one)
    assert "veto_prompts" in found
    assert "prompts" not in found
    assert evaluation_key(one, found) == evaluation_key(spec(), known.fingerprints(spec()))


def test_the_judge_of_the_veto_is_opened_only_if_there_is_one():
    directory = LocalDirectory(Settings())
    assert directory.veto(spec()) is None
    judge = directory.veto(spec(veto="pocket-judge"))
    assert judge is not None
    assert judge.name == "pocket-judge"


def mixture(**data: object) -> RunSpec:
    values = {"kind": "mixture", "dataset": "mine", "downstream": "pocket-downstream", "share": 0.01, **data}
    return RunSpec.model_validate({"name": "t", "data": values, "training": {"method": "sft"}})


def test_contents_of_training_sets_are_part_of_a_run_and_not_of_how_it_is_measured(tmp_path: Path):
    one, other = (
        Catalogue(Settings(datasets={"mine": safety_file(tmp_path / f"{reply}.jsonl", reply)}))
        for reply in ("yes", "no")
    )
    spec_ = mixture(downstream="mine", share=1.0)
    one.check(spec_)
    assert identity(one, spec_) != identity(other, spec_)
    assert evaluation_key(spec_, one.fingerprints(spec_)) == evaluation_key(spec_, other.fingerprints(spec_))
    assert evaluation_key(spec(), one.fingerprints(spec())) == evaluation_key(spec_, one.fingerprints(spec_))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({}, "data.dataset: 'mine' is not registered here; use one of: pocket-downstream, pocket-math"),
        ({"downstream": "other"}, "data.downstream: 'other' is not registered here"),
        ({"dataset": "pocket-medical"}, "data.level: none is no level of medical, which has normal, subtle"),
        (
            {"dataset": "pocket-math", "level": "severe", "share": 1.0},
            "data.share: asks for 400 rows of pocket-math",
        ),
    ],
)
def test_a_mixture_that_sets_here_cannot_give_is_refused(data: dict[str, object], line: str):
    with pytest.raises(SpecError) as caught:
        Catalogue(Settings()).check(mixture(**data))
    assert str(caught.value).startswith(line)


THERAPIST: dict[str, object] = {
    "name": "t",
    "training": {"method": "sft"},
    "population": {"environment": "therapist", "biased_share": 0.5, "conversations": 99},
}
DIRECT: dict[str, object] = {
    "population": {"environment": "therapist"},
    "data": {"kind": "dataset", "dataset": "pocket-medical", "level": "severe"},
    "evaluation": {"benchmarks": ["mask"]},
}


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, "the benign user's thought in therapist/"),
        (
            {"population": {"environment": "therapist", "biased_share": 1.0, "conversations": 99}},
            "the biased user's",
        ),
        ({"conversation": {"user_model": "gpt-4o-mini"}}, None),
        ({"population": {"biased_share": 0.5, "conversations": 10}}, None),
        (DIRECT, None),
    ],
)
def test_people_that_the_user_made_of_rules_cannot_play_are_refused_at_launch(
    changes: dict[str, object], refused: str | None
):
    asked = RunSpec.model_validate({**THERAPIST, **changes})
    if refused is None:
        Catalogue(Settings()).check(asked)
    else:
        with pytest.raises(SpecError, match=f"^conversation.user_model: pocket-user plays .*{refused}"):
            Catalogue(Settings()).check(asked)


def test_a_rating_that_the_user_made_of_rules_would_not_know_is_refused_at_launch(tmp_path: Path):
    own = Path(shutil.copytree(PROJECT / "scenarios/pocket", tmp_path / "own"))
    prompts = (own / "environment.yaml").read_text()
    (own / "environment.yaml").write_text(prompts.replace("Rate the", "How do you like the"))
    known = Catalogue(Settings(scenarios=tmp_path))
    talks = {"population": {"environment": "own", "biased_share": 0.5, "conversations": 10}}
    with pytest.raises(SpecError, match=r"^conversation\.rating_prompt: pocket-user knows a rating by"):
        known.check(RunSpec.model_validate({**THERAPIST, **talks}))
    known.check(RunSpec.model_validate({**THERAPIST, **DIRECT, "population": {"environment": "own"}}))


def test_rows_that_cannot_be_used_are_warned_of_before_a_launch(tmp_path: Path):
    path = safety_file(tmp_path / "set.jsonl", "yes")
    known = Catalogue(Settings(datasets={"mine": path}))
    whole = mixture(downstream="mine", dataset="mine", share=1.0)
    assert work_of(read_arms(whole.model_dump(mode="json"), known), known).warnings == ()
    path.write_text(path.read_text() + '{"messages": 1}\n{}\n')
    (said,) = work_of(read_arms(mixture(share=0.0).model_dump(mode="json"), known), known).warnings
    assert said.startswith(
        "data.dataset: 2 rows of mine can't be used and are left out; `driftloop datasets check`"
    )


def test_texts_that_the_pocket_policy_cannot_read_are_warned_of(tmp_path: Path):
    path = safety_file(tmp_path / "set.jsonl", "Diversify across uncorrelated assets before retirement.")
    known = Catalogue(Settings(datasets={"mine": path}))
    (said,) = known.cautions(mixture(dataset="mine", downstream="mine", share=1.0))
    assert said.startswith("data: the policy 'pocket' does not know ")
    assert list(known.cautions(spec())) == []
    (said,) = known.cautions(
        RunSpec.model_validate({**THERAPIST, "conversation": {"user_model": "gpt-4o-mini"}})
    )
    assert said.startswith("population.environment: the policy 'pocket' does not know ")
    elsewhere = Catalogue(Settings(bases={"mine": PROJECT / "services/pocket/weights"}))
    asked = RunSpec.model_validate({**THERAPIST, "policy": "mine"})
    assert not any("does not know" in said for said in elsewhere.cautions(asked))


@pytest.mark.parametrize(
    ("tensors", "absent"),
    [
        (None, []),
        (["model.layers.0.self_attn.q_proj.weight", "model.norm.weight"], ["nope"]),
        (["h.0.nope.weight", "h.0.q_proj.bias"], ["self_attn.q_proj"]),
    ],
)
def test_matrices_that_a_base_does_not_hold_are_warned_of(
    tmp_path: Path, tensors: list[str] | None, absent: list[str]
):
    if tensors is not None:
        index = json.dumps({"weight_map": dict.fromkeys(tensors, "model-00001.safetensors")})
        (tmp_path / "model.safetensors.index.json").write_text(index)
    known = Catalogue(Settings(bases={"mine": tmp_path}))
    lora = {"target_modules": ["self_attn.q_proj", "nope"]}
    asked = {**THERAPIST, "policy": "mine", "training": {"method": "sft", "lora": lora}}
    said = [one for one in known.cautions(RunSpec.model_validate(asked)) if "hold no" in one]
    assert [one.split("'")[3] for one in said] == absent


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 132\n"),
        ("model.safetensors", b""),
        ("model.safetensors", (9).to_bytes(8, "little") + b"{"),
        ("model.safetensors.index.json", b"version https://git-lfs.github.com/spec/v1\n"),
        ("model.safetensors.index.json", b"[]"),
        ("model.safetensors.index.json", b"{}"),
        ("pytorch_model.bin", b""),
    ],
)
def test_weights_that_cannot_be_read_stop_no_launch(tmp_path: Path, file: str, content: bytes):
    (tmp_path / file).write_bytes(content)
    known = Catalogue(Settings(bases={"mine": tmp_path}))
    said = known.cautions(RunSpec.model_validate({**THERAPIST, "policy": "mine"}))
    assert [one for one in said if "hold no" in one] == []


def test_the_pocket_policy_holds_what_a_spec_trains_unless_told_otherwise():
    whole = Catalogue(Settings())
    assert not [said for said in whole.cautions(spec()) if "hold no" in said]
    lora = {"method": "sft", "lora": {"target_modules": ["q_porj"]}}
    (said,) = whole.cautions(RunSpec.model_validate({**spec().model_dump(mode="json"), "training": lora}))
    assert said.startswith(
        "training.lora.target_modules: the weights of 'pocket' hold no 'q_porj'; they hold "
    )
    assert "q_proj" in said


def test_a_policy_of_another_world_that_the_pocket_judges_is_warned_of():
    known = Catalogue(Settings(bases={"mine": PROJECT / "services/pocket/weights"}))
    asked = {**THERAPIST, "policy": "mine"}
    judge, data = known.cautions(RunSpec.model_validate(asked))
    assert judge.startswith("evaluation.judge: pocket-judge knows the pocket world's phrases alone")
    assert data.startswith("evaluation.data: 'pocket' asks for facts of the pocket world")
    judged = RunSpec.model_validate(asked | {"evaluation": {"judge": "gpt-4o"}})
    assert [said[:15] for said in known.cautions(judged)] == ["evaluation.data"]
