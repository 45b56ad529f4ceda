# pyright: basic
# (trl carries no complete types)
"""One training, in a process of its own: from a job to a finished adapter folder.

Asked again for a job that is finished, it returns what is there; asked for another job at the same place, it refuses. A job
for several devices is done by as many processes (`ranks`): one of them trains here as if alone, the others assist.
"""

import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from services.core.domain.errors import AdapterError
from services.core.sources import sources_sha256
from services.trainer.adapters import read_record, staged, write_record
from services.trainer.job import TrainedAdapter, TrainingJob
from services.trainer.kto import kto_trainer, with_neighbours
from services.trainer.policy import Base, load_base, save_adapter, settle_machine, with_adapter
from services.trainer.ranks import train_on_all
from services.trainer.recipe import Progress, Report
from services.trainer.rows import Row, Tokenised, read_rows, tokenise
from services.trainer.sft import sft_trainer
from services.trainer.step0 import step0_adapter

_TRAINERS = {"sft": sft_trainer, "kto": kto_trainer}


def run(job: TrainingJob, report: Report) -> TrainedAdapter:
    """Train the job's adapter, or return it if it is there. Raises LoopError when the job can't be done."""
    done = _finished(job)
    if done is not None:
        return done
    if job.devices > 1:
        train_on_all(job, report)
    else:
        train_here(job, report)
    done = _finished(job)
    assert done is not None  # it has just been put there
    return done


def _finished(job: TrainingJob) -> TrainedAdapter | None:
    record = read_record(job.output)
    if record is None:
        return None
    if record.get("fingerprint") != job.fingerprint():
        raise AdapterError(
            f"{job.output} holds the adapter of another training; delete it or choose another folder"
        )
    return TrainedAdapter(
        job.output,
        record["sha256"],
        record["steps"],
        record["train_loss"],
        record["threads"],
        record["wall_s"],
        record["examples"],
        record.get("examples_cut"),  # the version before counted neither
        record.get("examples_dropped"),
    )


def train_here(job: TrainingJob, report: Report) -> None:
    """Train in this process and put the adapter in its place."""
    began_s = time.monotonic()
    base, examples = _load(job)
    counts = {
        "examples": len(examples.rows),
        "examples_cut": examples.cut,
        "examples_dropped": examples.dropped,
    }
    print(
        f"{job.training.method}: {counts}, {job.devices} devices, threads {job.threads}, device {base.model.device}"
    )
    facts = {"fingerprint": job.fingerprint(), "job": job.model_dump(mode="json"), **counts}
    with staged(job.output) as staging:
        model, result = _fit(job, base, examples.rows, staging, report)
        save_adapter(model, staging)
        facts |= {"steps": result.global_step, "train_loss": result.training_loss}
        facts |= {"threads": job.threads, "wall_s": round(time.monotonic() - began_s, 3)}
        facts |= {name: version(name) for name in ("torch", "transformers", "trl", "peft")}
        write_record(staging, facts | {"driftloop_sources_sha256": sources_sha256()})


def assist(job: TrainingJob) -> None:
    """Train beside the process that writes the adapter; what is learnt here is the same, and is dropped."""
    base, examples = _load(job)
    with tempfile.TemporaryDirectory(prefix="driftloop-rank-") as scratch:
        _fit(job, base, examples.rows, Path(scratch), lambda *_: None)


def _load(job: TrainingJob) -> tuple[Base, Tokenised]:
    settle_machine(job.threads, job.devices)
    rows = read_rows(job.rows, job.rows_sha256)
    base = load_base(job.base)
    found = tokenise(rows, base.tokenizer, job.training.max_length)
    if job.training.method == "sft":
        return base, found
    kept = with_neighbours(found.rows, job.training.batch_size)
    return base, found._replace(rows=kept, dropped=found.dropped + len(found.rows) - len(kept))


def _fit(job: TrainingJob, base: Base, examples: list[Row], scratch: Path, report: Report):
    """Train; return the model and TRL's account of it. `scratch` is a folder that TRL wants and leaves empty."""
    model = with_adapter(base.model, job.start or step0_adapter(base.model, job))
    trainer = _TRAINERS[job.training.method](job, base, model, examples, scratch, Progress(report))
    return model, trainer.train()
