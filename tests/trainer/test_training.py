"""Real SFT and KTO on a tiny model: they repeat bit for bit, learn what they should, and build on what they say."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from services.core.domain.errors import TrainingError
from services.core.domain.spec import KtoSpec, TrainingSpec
from services.trainer.adapters import CONFIG, RECORD, WEIGHTS, content_sha256
from services.trainer.job import lineage
from services.trainer.nursery import Nursery, train
from services.trainer.policy import with_adapter
from tests.trainer.conftest import KTO_ROWS, row


def logp(base, adapter, reply):
    """Return the log probability of a reply to `hello doctor`, with an adapter or (None) without."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter is not None:
        model = with_adapter(model, adapter)
    prompt = "<bos><user> hello doctor <end><assistant>"
    start = len(tokenizer(prompt)["input_ids"])
    ids = torch.tensor([tokenizer(f"{prompt} {reply} <end>")["input_ids"]])
    with torch.no_grad():
        logits = model(input_ids=ids).logits.log_softmax(-1)
    return sum(float(logits[0, at - 1, ids[0, at]]) for at in range(start, ids.shape[1]))


@pytest.fixture(scope="module")
def other_nursery():
    with Nursery() as running:
        yield running


@pytest.mark.parametrize("method", ["sft", "kto"])
def test_the_same_job_gives_the_same_bits_in_another_process(job, trained, other_nursery, method, tmp_path):
    one = trained(job(name="one", method=method))
    (tmp_path / "elsewhere").mkdir()
    again = job(name="two", method=method, folder=tmp_path / "elsewhere")
    two = train(other_nursery.socket_path, again, tmp_path / "two.log", lambda *_: None)
    assert one.sha256 == two.sha256
    assert one.train_loss == two.train_loss
    assert (one.path / WEIGHTS).read_bytes() == (two.path / WEIGHTS).read_bytes()
    assert (one.path / CONFIG).read_bytes() == (two.path / CONFIG).read_bytes()


def test_seed_and_round_change_the_bits(job, trained):
    rows = [row("hello doctor", reply) for reply in ("yes", "no stop", "drink again", "go", "help", "plan")]
    shas = {
        trained(job(rows, name=f"s{seed}r{round_}", epochs=1, run_seed=seed, round=round_)).sha256
        for seed, round_ in ((1, 1), (2, 1), (1, 2))
    }
    assert len(shas) == 3


def test_sft_makes_the_selected_replies_likelier_and_the_model_still_stops(job, trained, base):
    done = trained(job(epochs=20))
    assert done.steps == 60
    assert logp(base, None, "yes drink again") < -10
    # The end token is part of the reply, so a likely reply is one that ends.
    assert logp(base, done.path, "yes drink again") > -1


def test_kto_moves_desirable_and_undesirable_apart(job, trained, base):
    done = trained(job(method="kto", epochs=20, training={"kto": {"beta": 0.5}}))
    gained = {
        reply: logp(base, done.path, reply) - logp(base, None, reply)
        for reply in ("yes drink again", "no stop today")
    }
    assert gained["yes drink again"] > 1
    assert gained["no stop today"] < -1


def test_a_round_builds_on_its_start(job, trained, base):
    first = trained(job(name="first", epochs=10))
    other = [row("hello doctor", "no stop today", slot) for slot in range(12)]
    on = trained(job(other, name="on", epochs=1, start=first.path))
    fresh = trained(job(other, name="fresh", epochs=1))
    assert on.sha256 != fresh.sha256
    assert logp(base, on.path, "yes drink again") > logp(base, fresh.path, "yes drink again") + 1


def test_the_kto_reference_is_what_the_job_says(job, trained):
    first = trained(job(name="first", epochs=10))
    shas = {
        name: trained(job(name=name, method="kto", epochs=1, start=first.path, reference=reference)).sha256
        for name, reference in (("base", None), ("previous", first.path))
    }
    assert shas["base"] != shas["previous"]


def test_the_lineage_follows_the_spec(tmp_path):
    both = {
        (start, reference): TrainingSpec(method="kto", start=start, kto=KtoSpec(reference=reference))
        for start in ("previous", "step0")
        for reference in ("previous", "base")
    }
    assert lineage(both["previous", "base"], tmp_path) == (tmp_path, None)
    assert lineage(both["step0", "previous"], tmp_path) == (None, tmp_path)
    assert {lineage(spec, None) for spec in both.values()} == {(None, None)}


def test_arms_share_one_step0_adapter_that_changes_nothing(job, trained, base, tmp_path):
    trained(job(name="arm-a", epochs=1))
    trained(job(name="arm-b", epochs=1, round=2))
    (step0,) = (tmp_path / "step0").iterdir()
    assert logp(base, step0, "yes drink again") == pytest.approx(
        logp(base, None, "yes drink again"), abs=1e-5
    )
    sha = content_sha256(step0)
    trained(job(name="seed-2", epochs=1, run_seed=2))
    trained(job(name="rank-2", epochs=1, training={"lora": {"rank": 2}}))
    others = [content_sha256(other) for other in (tmp_path / "step0").iterdir()]
    assert len(set(others)) == 3
    assert sha in others


def test_step0_follows_the_seed_wherever_it_is_made(job, trained, tmp_path):
    shas = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        trained(job(epochs=1, folder=tmp_path / place))
        shas += [content_sha256(made) for made in (tmp_path / place / "step0").iterdir()]
    assert len(shas) == 2
    assert shas[0] == shas[1]


def test_a_finished_job_is_returned_and_not_trained_again(job, nursery, tmp_path):
    told = []
    wanted = job()
    one = train(nursery.socket_path, wanted, tmp_path / "log", lambda *step: told.append(step))
    assert told[0] == (0, 6)
    assert told[-1] == (6, 6)
    two = train(nursery.socket_path, wanted, tmp_path / "log", lambda *_: pytest.fail("trained again"))
    assert one == two


def test_an_adapter_that_the_version_before_finished_is_taken_without_counts_it_did_not_make(job, trained):
    wanted = job(epochs=1)
    done = trained(wanted)
    record = json.loads((done.path / RECORD).read_text())
    del record["examples_cut"], record["examples_dropped"]
    (done.path / RECORD).write_text(json.dumps(record))
    assert trained(wanted) == done._replace(examples_cut=None, examples_dropped=None)


def test_another_job_at_the_same_place_is_refused(job, trained):
    trained(job())
    with pytest.raises(TrainingError, match="holds the adapter of another training"):
        trained(job(epochs=1))


def test_the_folder_holds_the_adapter_and_its_record_and_no_path(job, trained, base, tmp_path):
    done = trained(job())
    assert {file.name for file in done.path.iterdir()} == {WEIGHTS, CONFIG, RECORD}
    assert str(tmp_path) not in (done.path / CONFIG).read_text()
    assert str(base) not in (done.path / CONFIG).read_text()
    record = json.loads((done.path / RECORD).read_text())
    assert record["examples"] == 12
    assert record["threads"] == done.threads == 1
    assert all(".default" not in name for name in load_file(done.path / WEIGHTS))


def test_a_lone_last_kto_row_is_left_out_and_counted_once(job, trained):
    long = row("hello doctor", "yes drink again and again", label=True)
    wanted = job([*KTO_ROWS[1:], long, long], method="kto", epochs=1, training={"max_length": 10})
    done = trained(wanted)
    assert done.steps == 3
    assert (done.examples, done.examples_cut, done.examples_dropped) == (12, 1, 1)


def test_kto_without_both_labels_is_refused(job, trained):
    with pytest.raises(TrainingError, match="KTO needs desirable and undesirable"):
        trained(job([each for each in KTO_ROWS if each["label"]], method="kto"))
