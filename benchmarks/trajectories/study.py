"""What is made: forty arms of a dose-response study with five rounds each, and one large run with two.

A fifth of all conversations is the large run's; at a million its rounds have 100,000 each. Everything around the conversations is
made too: runs with their specs and phases, adapters, policies, evaluations. What there are many of is made in `rows`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from services.core.db import policies, runs
from services.core.db.runs import NewRun, RunRecord
from services.core.db.session import transaction
from services.core.db.tables import Adapter, Evaluation, Phase, Policy, RunEvaluation
from services.core.domain.identity import Fingerprints, evaluation_key, run_hash
from services.core.domain.phases import (
    Owed,
    PhaseName,
    RunStatus,
    first_phase,
    next_phase,
    policy_name,
    shard_ranges,
)
from services.core.domain.spec import RunSpec

SHARES: Final = (0.0, 0.1, 0.2, 0.5, 1.0)
METHODS: Final = ("sft", "kto")
SEEDS: Final = (1, 2, 3, 4)
ARM_ROUNDS: Final = 5
LARGE_ROUNDS: Final = 2
SCENARIOS: Final = 40
ITEMS: Final = {"mask": 1000, "deceptionbench": 180, "capability": 500, "held_out": 80}
"""Judged items of one evaluation, by benchmark."""
_FINGERPRINTS: Final = Fingerprints(policy="made", environment="made", data="made")
_MADE_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Study:
    """The runs that were made."""

    conversations: int
    arms: tuple[RunRecord, ...]
    large: RunRecord

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """All of them."""
        return (*self.arms, self.large)


def study_of(engine: Engine, conversations: int) -> Study:
    """Return the study of so many conversations, making its runs unless they are there; a multiple of 1000."""
    a_round = conversations * 8 // 10 // (len(SHARES) * len(METHODS) * len(SEEDS) * ARM_ROUNDS)
    specs = [
        _spec(f"dose-{method}", share, method, seed, ARM_ROUNDS, a_round)
        for share in SHARES
        for method in METHODS
        for seed in SEEDS
    ]
    large = _spec("large", 0.5, "kto", 1, LARGE_ROUNDS, conversations // 10)
    return Study(conversations, tuple(_run(engine, spec) for spec in specs), _run(engine, large))


def _spec(name: str, share: float, method: str, seed: int, rounds: int, conversations: int) -> RunSpec:
    return RunSpec.model_validate(
        {
            "name": name,
            "seed": seed,
            "rounds": rounds,
            "population": {"biased_share": share, "conversations": conversations},
            "conversation": {"exchanges": 3},
            "selection": {"top": 0.25, "bottom": 0.25},
            "training": {"method": method},
        }
    )


def _run(engine: Engine, spec: RunSpec) -> RunRecord:
    """Return the run of a spec, made and finished unless it is there."""
    identity = run_hash(spec, _FINGERPRINTS)
    with transaction(engine) as session:
        found = runs.latest_repetition(session, identity)
        if found is not None:
            return found
        policies.publish_base(session, spec.policy)
        run_id = runs.insert_run(session, NewRun(spec, _FINGERPRINTS, identity, sum(ITEMS.values())), 1)
        assert run_id is not None
        run = runs.get_run(session, run_id)
        session.execute(insert(Phase), _phases(run))
        for round_ in range(spec.rounds + 1):
            _measure(session, run, _publish(session, run, round_), round_)
        runs.set_status(session, run_id, RunStatus.SUCCEEDED)
    return run


def _phases(run: RunRecord) -> list[dict[str, Any]]:
    """Return the run's shards, all done."""
    rows: list[dict[str, Any]] = []
    owed: Owed | None = first_phase(run.spec, run.evaluation_items)
    while owed is not None:
        rows += _shards(run, owed)
        owed = next_phase(run.spec, owed.round, owed.name, run.evaluation_items)
    return rows


def _shards(run: RunRecord, owed: Owed) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run.id,
            "round": owed.round,
            "name": PhaseName(owed.name),
            "shard": shard,
            "first_unit": first,
            "last_unit": last,
            "status": "done",
            "attempt": 1,
            "units_done": last - first,
            "units_total": last - first,
            "started_at": _MADE_AT,
            "finished_at": _MADE_AT,
        }
        for shard, (first, last) in enumerate(shard_ranges(owed.units, owed.shard_size))
    ]


def _publish(session: Session, run: RunRecord, round_: int) -> str:
    """Write a round's policy, with its adapter; return its name."""
    name = policy_name(run.id, run.spec.policy, round_)
    if round_ > 0:
        adapter = _adapter(run, name, round_)
        session.add(adapter)
        session.flush()
        session.add(Policy(name=name, base=adapter.base, run_id=run.id, round=round_, adapter_id=adapter.id))
        session.flush()
    return name


def _adapter(run: RunRecord, name: str, round_: int) -> Adapter:
    return Adapter(
        key=name,
        run_id=run.id,
        round=round_,
        base=run.spec.policy,
        path=f"/nowhere/{name}",
        sha256="0" * 64,
        hyperparameters=run.spec.training.model_dump(mode="json"),
        threads=1,
        steps=100,
        wall_s=1.0,
    )


def _measure(session: Session, run: RunRecord, policy: str, round_: int) -> None:
    """Write a round's evaluation; that of policy 0 is shared by runs of one seed, as ever."""
    key = evaluation_key(run.spec, _FINGERPRINTS)
    found = select(Evaluation).where(Evaluation.policy == policy, Evaluation.key == key)
    evaluation = session.execute(found).scalar_one_or_none()
    if evaluation is None:
        evaluation = Evaluation(policy=policy, key=key)
        session.add(evaluation)
        session.flush()
    session.add(RunEvaluation(run_id=run.id, round=round_, evaluation_id=evaluation.id))
