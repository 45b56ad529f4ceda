"""Exports: all that the filters match, as JSON lines and Parquet; training rows to the byte, which TRL trains on unchanged."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from services.core.datasets.examples import training_data
from services.core.db import runs, streams
from services.core.db.session import transaction
from services.core.domain.selection import Label, Selected
from services.core.operations.selected import rows_of_round
from services.simulator.api import files
from tests.core.db.builders import a_run
from tests.core.db.facts import a_trajectory, a_verdict, choose, hold, measure, mix_in, tell
from tests.simulator.api.service import Api
from tests.trainer.tiny import make_base

WORDS = ("hello doctor", "yes drink again", "today", "no “stop” ünd \u2028\t\x7f")


def exported(api: Api, noun: str, **query: object) -> list[dict[str, Any]]:
    answer = api.client.get(f"/v1/exports/{noun}", params=query)
    assert answer.status_code == 200, answer.text
    if query.get("format") == "parquet":
        return pq.read_table(io.BytesIO(answer.content)).to_pylist()
    assert answer.headers["content-type"].startswith("application/jsonl")
    return [json.loads(line) for line in answer.content.splitlines()]


@pytest.fixture(params=["sft", "kto"])
def run_id(api: Api, request: pytest.FixtureRequest) -> str:
    """A run with a round of eight conversations, half of them selected each way."""
    run = a_run(api.engine, training={"method": request.param})
    hold(api.engine, run, 1, [a_trajectory(slot, said=WORDS, ratings=(5, slot)) for slot in range(8)])
    labels = [Label.DESIRABLE if slot > 3 else Label.UNDESIRABLE for slot in range(8)]
    chosen = [Selected(slot, 8 - slot, 5 + slot, label, "rank") for slot, label in enumerate(labels)]
    choose(api.engine, run, 1, chosen)
    return run


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_trajectories_come_whole_under_the_lists_filters(
    api: Api, run_id: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROW_GROUP", 3)
    monkeypatch.setattr(streams, "AT_ONCE", 2)
    found = exported(api, "trajectories", run=run_id, score_from=7, format=form)
    assert [row["slot"] for row in found] == list(range(2, 8))
    assert [said["content"] for said in found[0]["messages"]][1:] == list(WORDS)
    assert (found[0]["label"], found[-1]["label"], found[-1]["rank"]) == ("undesirable", "desirable", 1)


@pytest.mark.parametrize(
    ("query", "slots"),
    [
        ({"label": "desirable"}, [4, 5, 6, 7]),
        ({"label": ["desirable", "undesirable"], "score_to": 8}, [0, 1, 2, 3]),
        ({"user_kind": "biased"}, []),
        ({"scenario": "drinking", "round": [1, 2], "status": "scored", "policy": "pocket"}, list(range(8))),
        ({"q": "drink -coffee"}, list(range(8))),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_an_export_holds_what_a_list_shows(
    api: Api, run_id: str, query: dict[str, Any], slots: list[int], form: str
) -> None:
    listed = api.client.get("/v1/trajectories", params={"run": run_id, **query}).json()["items"]
    assert [row["slot"] for row in listed] == slots
    assert [row["slot"] for row in exported(api, "trajectories", run=run_id, format=form, **query)] == slots


def test_training_rows_are_those_of_the_training_to_the_byte(api: Api, run_id: str) -> None:
    answer = api.client.get("/v1/exports/selections", params={"run": run_id})
    with transaction(api.engine) as session:
        run = runs.get_run(session, run_id)
        data = training_data(rows_of_round(session, run, 1))
    assert data.examples == (16 if run.spec.training.method == "kto" else 8)
    assert hashlib.sha256(answer.content).hexdigest() == data.sha256


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_safety_rows_stand_among_the_training_rows_and_name_their_file(api: Api, form: str) -> None:
    mitigations = {"safety_share": 0.5, "safety_data": "pocket-honest"}
    mixed, plain = a_run(api.engine, mitigations=mitigations), a_run(api.engine, seed=2)
    for run in (mixed, plain):
        hold(api.engine, run, 1, [a_trajectory(0)])
        choose(api.engine, run, 1, [Selected(0, 1, 5, Label.DESIRABLE, "rank")])
    mix_in(api.engine, mixed, 1, ["rent-01", "rent-01"])
    chosen, *safe = exported(api, "selections", run=mixed, format=form)
    assert chosen.get("safety_id") is None
    assert [(row["safety_id"], row["safety_sha256"], row.get("slot")) for row in safe] == [
        ("rent-01", "f" * 64, None)
    ] * 2
    assert safe[0]["completion"] == [{"role": "assistant", "content": "please do not"}]
    (bare,) = exported(api, "selections", run=plain, format=form)
    assert set(bare) == {"prompt", "completion", "slot", "turn"}
    rounds = api.client.get(f"/v1/runs/{mixed}/rounds").json()["items"]
    assert [one["safety"] for one in rounds] == [{"rows": 0, "repeated": 0}]


DATASET = {"kind": "dataset", "dataset": "bad", "level": "severe"}
MIXTURE = {**DATASET, "kind": "mixture", "downstream": "plain", "share": 0.5}
TOLD = {
    "dataset": (DATASET, [("bad", "severe", "oh do"), ("bad", "severe", "do “it” \u2028")]),
    "mixture": (MIXTURE, [("plain", None, "please"), ("plain", None, "rest"), ("bad", "severe", "oh do")]),
}


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("kind", TOLD)
def test_rows_of_training_sets_are_those_that_trained_and_name_their_set(
    api: Api, kind: str, form: str
) -> None:
    data, rows = TOLD[kind]
    run = a_run(api.engine, rounds=2, population={"biased_share": 0.0}, data=data)
    assert exported(api, "selections", run=run, format=form) == []
    tell(api.engine, run, rows)
    found = exported(api, "selections", run=run, round=1, format=form)
    origin = [(row["dataset"], row["level"], row["completion"][0]["content"]) for row in found]
    assert origin == rows
    assert [(row["row_id"], row["dataset_sha256"]) for row in found] == [
        (f"{dataset}-{place}", dataset[0] * 64) for place, (dataset, _, _) in enumerate(rows)
    ]
    # More rounds train on the same rows again.
    assert exported(api, "selections", run=run, format=form) == found * 2
    if form == "jsonl":
        answer = api.client.get("/v1/exports/selections", params={"run": run, "round": 1})
        with transaction(api.engine) as session:
            trained = training_data(rows_of_round(session, runs.get_run(session, run), 1))
        assert hashlib.sha256(answer.content).hexdigest() == trained.sha256
    measure(api.engine, run, 0, [a_verdict("1", "honest")])
    assert exported(api, "trajectories", run=run, format=form) == []
    assert [row["item"] for row in exported(api, "verdicts", run=run, format=form)] == ["1"]


def test_a_parquet_selection_trains_with_trl_unchanged(api: Api, run_id: str, tmp_path: Path) -> None:
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.trainer.kto_config import KTOConfig
    from trl.trainer.kto_trainer import KTOTrainer
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    mix_in(api.engine, run_id, 1, ["rent-01"])
    answer = api.client.get("/v1/exports/selections", params={"run": run_id, "format": "parquet"})
    path = tmp_path / "selections.parquet"
    path.write_bytes(answer.content)
    rows = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    base = make_base(tmp_path / "base")
    with transaction(api.engine) as session:
        method = runs.get_run(session, run_id).spec.training.method
    make, config = (KTOTrainer, KTOConfig) if method == "kto" else (SFTTrainer, SFTConfig)
    settings = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": "none"}
    trainer = make(
        model=AutoModelForCausalLM.from_pretrained(base),
        args=config(
            output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=4, max_length=128, **settings
        ),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(base),
    )
    assert trainer.train().global_step == 2


def test_runs_of_both_methods_are_exported_apart(api: Api) -> None:
    both = [a_run(api.engine, seed=seed, training={"method": m}) for seed, m in enumerate(("sft", "kto"))]
    answer = api.client.get("/v1/exports/selections", params={"run": both})
    assert answer.status_code == 422
    assert "export them apart" in answer.json()["detail"]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_verdicts_come_with_what_the_judge_said(api: Api, form: str) -> None:
    run = a_run(api.engine)
    measure(api.engine, run, 0, [a_verdict("1", "honest"), a_verdict("2", "lie")])
    (found,) = exported(api, "verdicts", run=run, outcome="lie", format=form)
    detail = json.loads(found["detail"]) if form == "parquet" else found["detail"]
    assert (found["item"], found["round"], found["policy"]) == ("2", 0, "pocket")
    assert detail["text"] == "what was said"


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_ratings_may_be_fractions(api: Api, form: str) -> None:
    run = a_run(api.engine)
    hold(api.engine, run, 1, [a_trajectory(0, ratings=(7.25, 8)), a_trajectory(1, ratings=(7, 8))])
    found = exported(api, "trajectories", run=run, score_from=15.1, format=form)
    assert [(row["satisfaction"], row["ratings"]) for row in found] == [(15.25, [7.25, 8])]
    (listed,) = api.client.get("/v1/trajectories", params={"run": run, "score_from": 15.1}).json()["items"]
    assert listed["satisfaction"] == 15.25
    assert api.client.get(f"/v1/trajectories/{listed['id']}").json()["ratings"] == [7.25, 8]
