"""The simulate phase: the conversations of a shard's slots, written as they end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from services.core.db import phases, policies, runs, trajectories
from services.core.db.phases import Claim
from services.core.db.runs import RunRecord
from services.core.db.session import transaction
from services.core.domain.phases import policy_name
from services.core.domain.trajectory import Slot, Trajectory
from services.core.llm.directory import Directory
from services.core.llm.meter import Meter
from services.core.llm.serving import Serving
from services.core.queue.batches import Batches
from services.core.queue.loop import WorkLoop
from services.core.queue.purse import Purse
from services.simulator.conversation import Stage
from services.simulator.engine import simulate
from services.simulator.population import population
from services.simulator.scenarios import Environment

BATCH = 25
"""At most so many conversations in one transaction."""


@dataclass(frozen=True)
class SimulatePhase:
    """Handles simulate shards."""

    engine: Engine
    directory: Directory
    serving: Serving
    environment: Callable[[str], Environment]
    loop: WorkLoop
    meter: Meter

    def __call__(self, claim: Claim) -> None:
        """Hold the conversations of the shard that are not there yet. Raises `OutOfBudget` if some may not begin."""
        with transaction(self.engine) as session:
            run = runs.get_run(session, claim.run_id)
            name = policy_name(run.id, run.spec.policy, claim.round - 1)
            policy = policies.get_policy(session, name)
            there = trajectories.stored_slots(session, run.id, claim.round, claim.first_unit, claim.last_unit)
        environment = self.environment(run.spec.population.environment)
        people = population(run.spec.population, environment, run.spec.seed, claim.round)
        slots = [slot for slot in people[claim.first_unit : claim.last_unit] if slot.index not in there]
        server = self.directory.policies(run.spec.policy)
        stage = Stage(
            environment=environment,
            conversation=run.spec.conversation,
            policy_name=name,
            policy=server,
            user=self.directory.user(run.spec.conversation.user_model),
            seed_parts=(run.spec.seed, claim.round),
            veto=self.directory.veto(run.spec),
        )

        async def work(purse: Purse) -> None:
            await self.serving.ensure(server, policy)
            await self._hold(claim, run, slots, stage, purse)

        with Purse(self.engine, run.id, self.meter) as purse:
            self.loop.run(work(purse))
            purse.check()

    async def _hold(
        self, claim: Claim, run: RunRecord, slots: Sequence[Slot], stage: Stage, purse: Purse
    ) -> None:
        done = claim.last_unit - claim.first_unit - len(slots)

        def write(held: Sequence[Trajectory]) -> None:
            nonlocal done
            done += len(held)
            with purse.paid() as session:
                trajectories.save(session, claim, held)
                phases.progress(session, claim, done)

        batches, in_flight = Batches(write, BATCH), run.spec.concurrency.in_flight
        await batches.around(simulate(slots, stage, in_flight, batches.receive, may_begin=purse.may_begin))
