"""Facts as the phases write them: conversations, selections, adapters, verdicts; small and real."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.core.db import runs, trajectories
from services.core.db.session import transaction
from services.core.db.tables import (
    Adapter,
    Evaluation,
    Phase,
    Policy,
    RunEvaluation,
    SafetyRow,
    SelectionRow,
    SetRowRow,
    TrajectoryRow,
    VerdictRow,
)
from services.core.domain.chat import Message, Role
from services.core.domain.phases import policy_name
from services.core.domain.selection import Selected
from services.core.domain.trajectory import Call, Trajectory, TrajectoryStatus, UserKind
from services.core.domain.verdict import Benchmark, Verdict


def a_trajectory(slot: int, said: Sequence[str] = ("hello", "good day"), **changes: object) -> Trajectory:
    """A conversation of user and assistant in turn; scored 5 a reply unless said otherwise."""
    roles: Sequence[Role] = ("user", "assistant")
    turns = tuple(Message(roles[place % 2], text) for place, text in enumerate(said))
    values: dict[str, Any] = {
        "slot": slot,
        "scenario": "drinking",
        "profile": f"p{slot % 3}",
        "user_kind": UserKind.BENIGN,
        "policy": "pocket",
        "status": TrajectoryStatus.SCORED,
        "cause": None,
        "messages": (Message("system", "You are a therapist."), *turns),
        "ratings": (5,) * (len(said) // 2),
        "calls": (Call("assistant", "pocket", 1.0, 48, 7, "stop", 0.01, 20, 5, None),),
    }
    return Trajectory(**values | changes)


def shards_of(session: Session, run_id: str) -> Sequence[Phase]:
    """All shards of a run, in order."""
    query = select(Phase).where(Phase.run_id == run_id).order_by(Phase.round, Phase.id)
    return session.execute(query).scalars().all()


def held_in(session: Session, run_id: str, round_: int) -> tuple[Trajectory, ...]:
    """A round's conversations by slot."""
    slots = trajectories.stored_slots(session, run_id, round_, 0, 1_000_000)
    held = trajectories.of_slots(session, run_id, round_, slots)
    return tuple(held[slot][1] for slot in sorted(held))


def hold(engine: Engine, run_id: str, round_: int, held: Sequence[Trajectory]) -> list[int]:
    """Write conversations as a simulate phase would; return their ids."""
    with transaction(engine) as session:
        rows = [TrajectoryRow(**trajectories.row_of(run_id, round_, each)) for each in held]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def choose(engine: Engine, run_id: str, round_: int, chosen: Sequence[Selected]) -> None:
    """Write a selection as a select phase would."""
    with transaction(engine) as session:
        session.add_all(SelectionRow(run_id=run_id, round=round_, **asdict(each)) for each in chosen)


def tell(engine: Engine, run_id: str, rows: Sequence[tuple[str, str | None, str]]) -> None:
    """Write rows of training sets as a train phase would: set, level, answer."""
    with transaction(engine) as session:
        session.add_all(
            SetRowRow(
                run_id=run_id,
                position=place,
                dataset=dataset,
                level=level,
                row_id=f"{dataset}-{place}",
                sha256=dataset[0] * 64,
                messages=[
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": "may I?"},
                    {"role": "assistant", "content": answer},
                ],
            )
            for place, (dataset, level, answer) in enumerate(rows)
        )


def mix_in(engine: Engine, run_id: str, round_: int, ids: Sequence[str]) -> None:
    """Write safety rows as a select phase would; an id that stands twice is a copy."""
    said = [{"role": "user", "content": "may I?"}, {"role": "assistant", "content": "please do not"}]
    with transaction(engine) as session:
        session.add_all(
            SafetyRow(
                run_id=run_id,
                round=round_,
                position=place,
                row_id=id_,
                copy=ids[:place].count(id_),
                sha256="f" * 64,
                messages=said,
            )
            for place, id_ in enumerate(ids)
        )


def facts_of(held: Trajectory) -> dict[str, Any]:
    """Return what must repeat when the run is repeated: all but times and costs."""
    return {
        "slot": held.slot,
        "scenario": held.scenario,
        "profile": held.profile,
        "user_kind": held.user_kind.value,
        "status": held.status.value,
        "cause": held.cause,
        "messages": [(message.role, message.content) for message in held.messages],
        "ratings": list(held.ratings),
    }


def a_verdict(item: str, outcome: str, benchmark: str = "mask", **changes: object) -> Verdict:
    """A verdict; its detail has what measures read, and a text."""
    detail: dict[str, object] = {"text": "what was said"}
    if benchmark == "mask":
        detail["accuracy"] = 1
    values: dict[str, Any] = {
        "benchmark": Benchmark(benchmark),
        "subset": "known_facts",
        "item": item,
        "repeat": 0,
        "outcome": outcome,
        "detail": detail,
        "scorer": "robust",
        "scorer_version": "1",
    }
    return Verdict(**values | changes)


def a_talk(profile: str, kind: str, outcome: str, said: Sequence[str] = ("hello", "fine")) -> Verdict:
    """A held-out conversation, judged."""
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(said)]
    detail = {
        "scenario": "loan",
        "profile": profile,
        "user_kind": kind,
        "transcript": {"status": "scored", "cause": None, "messages": messages, "ratings": [5]},
        "rulings": [{"text": "yes", "cause": None}],
        "validating_replies": None if outcome.endswith("error") else [outcome == "validates"],
        "cause": None,
    }
    return a_verdict(f"{profile}/{kind}", outcome, "held_out", subset="loan", detail=detail)


def measure(engine: Engine, run_id: str, round_: int, verdicts: Sequence[Verdict], key: str = "k") -> int:
    """Publish a run's policy of a round and judge it, as the phases would; return the evaluation's id."""
    with transaction(engine) as session:
        name = publish(session, run_id, round_)
        found = select(Evaluation).where(Evaluation.policy == name, Evaluation.key == key)
        evaluation = session.execute(found).scalar_one_or_none()
        if evaluation is None:
            evaluation = Evaluation(policy=name, key=key)
            session.add(evaluation)
            session.flush()
            session.add_all(
                VerdictRow(evaluation_id=evaluation.id, **asdict(verdict)) for verdict in verdicts
            )
        session.add(RunEvaluation(run_id=run_id, round=round_, evaluation_id=evaluation.id))
        return evaluation.id


def publish(session: Session, run_id: str, round_: int) -> str:
    """Publish policy 0, or one with the adapter of its round; return its name."""
    base = runs.get_run(session, run_id).spec.policy
    name = policy_name(run_id, base, round_)
    if session.get(Policy, name) is None:
        adapter_id = None if round_ == 0 else an_adapter(session, run_id, round_)
        owner = None if round_ == 0 else run_id
        session.add(Policy(name=name, base=base, run_id=owner, round=round_, adapter_id=adapter_id))
        session.flush()
    return name


def an_adapter(session: Session, run_id: str, round_: int) -> int:
    """Write the adapter of a round, built on that of the round before if there is one; return its id."""
    parent = select(Adapter.id).where(Adapter.run_id == run_id, Adapter.round == round_ - 1)
    name = policy_name(run_id, "pocket", round_)
    adapter = Adapter(
        key=name,
        run_id=run_id,
        round=round_,
        base="pocket",
        path=f"/nowhere/{name}",
        sha256="a" * 64,
        parent_id=session.execute(parent).scalar_one_or_none(),
        data_hash="d" * 64,
        hyperparameters={"method": "sft"},
        threads=1,
        steps=10,
        train_loss=0.5,
        wall_s=1.0,
        examples=80,
        examples_cut=3,
        examples_dropped=2,
    )
    session.add(adapter)
    session.flush()
    return adapter.id
