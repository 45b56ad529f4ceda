"""The evaluate phase: the verdicts on a shard's items, written as they come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Engine

from services.core.db import evaluations, events, phases, policies, runs
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.identity import evaluation_key
from services.core.domain.phases import policy_name
from services.core.domain.spec import RunSpec
from services.core.domain.verdict import Verdict
from services.core.llm.directory import Directory, ServedPolicies
from services.core.llm.meter import Meter
from services.core.llm.serving import Serving
from services.core.queue.batches import Batches
from services.core.queue.loop import WorkLoop
from services.core.queue.purse import Purse
from services.evaluator.asking import Converse, Examination, together
from services.evaluator.harness.measuring import Harness, Samples
from services.evaluator.harness.rows import HarnessRow
from services.evaluator.items import EvaluationItem
from services.evaluator.runner import evaluate_items

BATCH = 25
"""At most so many items' verdicts in one transaction."""


@dataclass(frozen=True)
class EvaluatePhase:
    """Handles evaluate shards."""

    engine: Engine
    directory: Directory
    serving: Serving
    items: Callable[[RunSpec], Sequence[EvaluationItem]]
    """A spec's items, in their stable order."""
    converse: Callable[[RunSpec, ServedPolicies], Converse]
    """Holds held-out conversations: the simulator's loop."""
    harness: Harness
    loop: WorkLoop
    meter: Meter

    def __call__(self, claim: Claim) -> None:
        """Judge the shard's items that have no verdict yet; in a measurement that was done before, also those that failed.

        Raises `OutOfBudget` if some may not begin.
        """
        with transaction(self.engine) as session:
            run = runs.get_run(session, claim.run_id)
            name = policy_name(run.id, run.spec.policy, claim.round)
            policy = policies.get_policy(session, name)
            key = evaluation_key(run.spec, run.fingerprints)
            evaluation_id = evaluations.ensure(session, claim, name, key)
            is_again = events.was_closed(session, run.id, claim.round, claim.name)
            stored = evaluations.settled_items if is_again else evaluations.stored_items
            there = stored(session, evaluation_id)
        everything = self.items(run.spec)
        shard = everything[claim.first_unit : claim.last_unit]
        server = self.directory.policies(run.spec.policy)
        examination = Examination(
            policy=name,
            model=server,
            judge=self.directory.judge(run.spec.evaluation),
            converse=self.converse(run.spec, server),
            spec=run.spec.evaluation,
            run_seed=run.spec.seed,
            second=self.directory.second_judge(run.spec.evaluation),
        )

        missing = [item for item in shard if item.key not in there]
        done = len(shard) - len(missing)
        in_flight = run.spec.concurrency.in_flight
        samples = Samples(
            [item for item in missing if isinstance(item.row, HarnessRow)],
            everything,
            f"{run.id}/r{claim.round}/{claim.shard}",
            in_flight,
        )
        asked = [item for item in missing if not isinstance(item.row, HarnessRow)]

        async def work(purse: Purse) -> None:
            def write(judged: Sequence[Sequence[Verdict]]) -> None:
                nonlocal done
                done += len(judged)
                with purse.paid() as session:
                    evaluations.save(session, claim, evaluation_id, [*chain.from_iterable(judged)])
                    phases.progress(session, claim, done)

            await self.serving.ensure(server, policy)
            batches = Batches[Sequence[Verdict]](write, BATCH)

            async def ask() -> None:
                await together(
                    evaluate_items(asked, examination, in_flight, batches.receive, purse.may_begin),
                    self.harness.measure(samples, examination, batches.receive, purse.may_begin),
                )

            await batches.around(ask())

        with Purse(self.engine, run.id, self.meter) as purse:
            self.loop.run(work(purse))
            purse.check()
