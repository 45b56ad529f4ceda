"""The trainer's phases: select, train, publish. Each reads facts, writes facts, and is safe to repeat."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from services.core.datasets.examples import TrainingData, training_data
from services.core.datasets.mixing import Sets, rows_of
from services.core.datasets.safety import DrawnRow, SafetyData, draw, rows_wanted
from services.core.db import census, phases, policies, runs, safety, selections, set_rows, trajectories
from services.core.db.phases import Claim
from services.core.db.policies import AdapterRecord, PublishedPolicy
from services.core.db.runs import RunRecord
from services.core.db.session import transaction
from services.core.domain.errors import AdapterError
from services.core.domain.phases import policy_name
from services.core.domain.selection import select
from services.core.domain.spec import RunSpec
from services.core.llm.directory import Directory
from services.core.llm.server import PolicyServer
from services.core.llm.serving import Serving
from services.core.operations.selected import rows_of_round
from services.core.queue.lease import Grip
from services.core.queue.loop import WorkLoop
from services.trainer.job import TrainedAdapter, TrainingJob, lineage
from services.trainer.nursery import train

# Steps of a small model take milliseconds; people need no more than this.
TELL_EVERY_S = 0.5


@dataclass(frozen=True)
class SelectPhase:
    """Handles select: rows with reasons, before any training."""

    engine: Engine
    safety_data: Callable[[str], SafetyData]
    """What a name of safety data means."""

    def __call__(self, claim: Claim) -> None:
        """Select among the round's scored conversations that were not vetoed, and draw the safety rows beside them."""
        with transaction(self.engine) as session:
            spec = runs.get_run(session, claim.run_id).spec
            candidates = trajectories.candidates(session, claim.run_id, claim.round)
            lost = census.lost(session, claim.run_id, claim.round)
            how = (spec.selection, spec.training.method, (spec.seed, claim.round))
            chosen = select(candidates, *how, lost)
            selections.save(session, claim, chosen)
            safety.save(session, claim, self._drawn(spec, claim.round, len(chosen)))

    def _drawn(self, spec: RunSpec, round_: int, chosen: int) -> Sequence[DrawnRow]:
        # A scored conversation has a reply an exchange, and every reply is a row.
        count = rows_wanted(spec.mitigations.safety_share, chosen * spec.conversation.exchanges)
        if not count:
            return ()
        return draw(self.safety_data(spec.mitigations.safety_data), count, (spec.seed, round_))


@dataclass(frozen=True)
class TrainPhase:
    """Handles train: one job for the nursery, one adapter."""

    engine: Engine
    directory: Directory
    nursery_socket: Path
    sets: Sets
    """What a name of a training set means."""
    adapters: Path
    """Folder of the adapters."""
    logs: Path
    grip: Grip
    devices: int = 1
    device_batch: int | None = None
    """Most examples at once on a device; none means the whole batch."""

    def __call__(self, claim: Claim) -> None:
        """Train the round's adapter, or find it finished."""
        with transaction(self.engine) as session:
            run = runs.get_run(session, claim.run_id)
            if run.spec.data.is_told and claim.round == 1:
                set_rows.save(session, claim, rows_of(run.spec.data, run.spec.seed, self.sets))
            data = training_data(rows_of_round(session, run, claim.round))
            previous = policies.find_adapter(session, _key(run, claim.round - 1))
        job = self._job(run, claim.round, data, None if previous is None else previous.path)
        self.logs.mkdir(parents=True, exist_ok=True)

        told_at = 0.0

        def tell(step: int, steps: int) -> None:
            nonlocal told_at
            if time.monotonic() - told_at < TELL_EVERY_S:
                return
            told_at = time.monotonic()
            with transaction(self.engine) as session:
                phases.progress(session, claim, step, steps)

        log = self.logs / f"{job.output.name}.log"
        trained = train(self.nursery_socket, job, log, tell, self.grip.check)
        record = _record(run, claim.round, job, trained, None if previous is None else previous.key)
        with transaction(self.engine) as session:
            policies.save_adapter(session, claim, record)

    def _job(self, run: RunRecord, round_: int, data: TrainingData, previous: Path | None) -> TrainingJob:
        output = self.adapters / _key(run, round_)
        rows = output.with_name(f"{output.name}.rows.jsonl")
        rows.parent.mkdir(parents=True, exist_ok=True)
        rows.write_bytes(data.payload)
        built_on = lineage(run.spec.training, previous)
        return TrainingJob(
            base=self.directory.base_folder(run.spec.policy),
            rows=rows,
            rows_sha256=data.sha256,
            start=built_on.start,
            reference=built_on.reference,
            step0_folder=self.adapters / "step0",
            output=output,
            training=run.spec.training,
            run_seed=run.spec.seed,
            round=round_,
            devices=self.devices,
            device_batch=self.device_batch,
        )


@dataclass(frozen=True)
class PublishPhase:
    """Handles publish: load under the new name, probe, and only then let it be used."""

    engine: Engine
    directory: Directory
    serving: Serving
    loop: WorkLoop

    def __call__(self, claim: Claim) -> None:
        """Publish the round's adapter."""
        with transaction(self.engine) as session:
            run = runs.get_run(session, claim.run_id)
            key = _key(run, claim.round)
            adapter = policies.find_adapter(session, key)
        if adapter is None:
            raise AdapterError(f"adapter {key} was trained but is not in the database")
        policy = PublishedPolicy(key, run.spec.policy, adapter.path)
        self.loop.run(self._prove(policy))
        with transaction(self.engine) as session:
            policies.publish(session, claim, key, run.spec.policy, key)

    async def _prove(self, policy: PublishedPolicy) -> None:
        for server in self.directory.servers(policy.base):
            await self.serving.ensure(server, policy)
            await _probe(server, policy)


async def _probe(server: PolicyServer, policy: PublishedPolicy) -> None:
    """Raise `AdapterError` unless the server serves the policy and it is not the base in disguise."""
    if policy.name not in await server.served():
        raise AdapterError(f"{policy.name} was loaded but is not served")
    probe, base = await server.probe(policy.name), await server.probe(policy.base)
    if probe.logprobs == base.logprobs:
        raise AdapterError(f"{policy.name} answers as its base does: the adapter has no effect")


def _key(run: RunRecord, round_: int) -> str:
    return policy_name(run.id, run.spec.policy, round_)


def _record(
    run: RunRecord, round_: int, job: TrainingJob, trained: TrainedAdapter, parent_key: str | None
) -> AdapterRecord:
    return AdapterRecord(
        key=_key(run, round_),
        run_id=run.id,
        round=round_,
        base=run.spec.policy,
        path=trained.path,
        sha256=trained.sha256,
        parent_key=parent_key if job.start is not None else None,
        data_hash=job.rows_sha256,
        hyperparameters=run.spec.training.model_dump(mode="json"),
        threads=trained.threads,
        steps=trained.steps,
        train_loss=trained.train_loss,
        wall_s=trained.wall_s,
        examples=trained.examples,
        examples_cut=trained.examples_cut,
        examples_dropped=trained.examples_dropped,
    )
