# pyright: basic
# (trl carries no complete types)
"""One training, in a process of its own: from a job to a finished adapter folder.

Asked again for a job that is finished, it returns what is there; asked for another job at the same place, it refuses.
"""

import time
from importlib.metadata import version

from services.core.domain.errors import AdapterError
from services.trainer.adapters import read_record, staged, write_record
from services.trainer.job import TrainedAdapter, TrainingJob
from services.trainer.kto import kto_trainer
from services.trainer.policy import Base, load_base, save_adapter, settle_machine, with_adapter
from services.trainer.recipe import Progress, Report
from services.trainer.rows import Row, read_rows, tokenise
from services.trainer.sft import sft_trainer
from services.trainer.step0 import step0_adapter

_TRAINERS = {"sft": sft_trainer, "kto": kto_trainer}


def run(job: TrainingJob, report: Report) -> TrainedAdapter:
    """Train the job's adapter, or return it if it is there. Raises LoopError when the job can't be done."""
    return _finished(job) or _train(job, report)


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
    )


def _train(job: TrainingJob, report: Report) -> TrainedAdapter:
    began_s = time.monotonic()
    settle_machine(job.threads)
    rows = read_rows(job.rows, job.rows_sha256)
    base = load_base(job.base)
    examples = tokenise(rows, base.tokenizer, job.training.max_length)
    print(
        f"{job.training.method}: {len(examples)} examples, threads {job.threads}, device {base.model.device}"
    )
    facts = {"fingerprint": job.fingerprint(), "job": job.model_dump(mode="json"), "examples": len(examples)}
    with staged(job.output) as staging:
        facts |= _fit(job, base, examples, staging, report)
        facts |= {"threads": job.threads, "wall_s": round(time.monotonic() - began_s, 3)}
        write_record(
            staging, facts | {name: version(name) for name in ("torch", "transformers", "trl", "peft")}
        )
    trained = _finished(job)
    assert trained is not None  # staged() has just put it there
    return trained


def _fit(job: TrainingJob, base: Base, examples: list[Row], staging, report: Report) -> dict:
    """Train, and write the adapter's files into `staging`."""
    model = with_adapter(base.model, job.start or step0_adapter(base.model, job))
    trainer = _TRAINERS[job.training.method](job, base, model, examples, staging, Progress(report))
    result = trainer.train()
    save_adapter(model, staging)
    return {"steps": result.global_step, "train_loss": result.training_loss}
