"""What every registered name means here, and which handler works which phase.

This is the one place where protocols meet implementations. Base models, simulated users, judges and benchmark data
are registered by name; a spec can name nothing else.
"""

import asyncio
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import HttpUrl
from sqlalchemy import Engine

from services.app.fingerprints import folder_sha256
from services.core.db import runs
from services.core.db.phases import Claim
from services.core.db.runs import RunRecord
from services.core.db.session import open_engine, transaction
from services.core.domain.errors import SpecError, StateConflict
from services.core.domain.identity import Fingerprints
from services.core.domain.judging import Judge
from services.core.domain.phases import PhaseName
from services.core.domain.spec import RunSpec
from services.core.domain.trajectory import Profile, Scenario, Slot, Trajectory, UserKind
from services.core.llm.directory import ServedPolicies
from services.core.llm.model import ChatModel
from services.core.llm.policies import WirePolicies
from services.core.queue import rounds
from services.core.queue.bell import open_redis, ring_after_commit
from services.core.queue.worker import Handler, Worker
from services.core.settings import PROJECT, Settings
from services.evaluator.asking import Converse
from services.evaluator.items import EvaluationItem, catalogue
from services.evaluator.phase import EvaluatePhase
from services.pocket.world.judge import PocketJudge
from services.pocket.world.users import PocketUser
from services.simulator.conversation import Stage, hold
from services.simulator.phase import SimulatePhase
from services.simulator.population import check_spec
from services.simulator.scenarios import Environment, load_environment
from services.trainer.phases import PublishPhase, SelectPhase, TrainPhase

POCKET = PROJECT / "services/pocket"
BASES: Mapping[str, Path] = {"pocket": POCKET / "weights"}
BENCHMARKS: Mapping[str, Path] = {"pocket": POCKET / "data/benchmarks"}
USERS: Mapping[str, Callable[[], ChatModel]] = {"pocket-user": PocketUser}
JUDGES: Mapping[str, Callable[[], Judge]] = {"pocket-judge": PocketJudge}

Value = TypeVar("Value")


def registered(known: Mapping[str, Value], name: str, field: str) -> Value:
    """Return what a name means. Raises `SpecError`, naming the spec field and the known names."""
    if name not in known:
        raise SpecError(f"{field}: {name!r} is not registered here; use one of: {', '.join(sorted(known))}")
    return known[name]


class LocalDirectory:
    """The models of this installation, opened when first asked for and kept."""

    def __init__(self, policy_urls: Mapping[str, HttpUrl]) -> None:
        for base in policy_urls:
            registered(BASES, base, "DRIFTLOOP_POLICY_URLS")
        self._urls = policy_urls
        self._policies: dict[str, ServedPolicies] = {}

    def policies(self, base: str) -> ServedPolicies:
        """Return the server of a base's policies: the one behind its URL, else one in this process."""
        if base not in self._policies:
            self._policies[base] = self._open(base)
        return self._policies[base]

    def _open(self, base: str) -> ServedPolicies:
        folder = self.base_folder(base)
        if base in self._urls:
            return WirePolicies(str(self._urls[base]))
        from services.pocket.policy.server import PocketServer

        return PocketServer(folder)

    def base_folder(self, base: str) -> Path:
        """Return the folder of a base model."""
        return registered(BASES, base, "policy")

    def user(self, name: str) -> ChatModel:
        """Return the model that plays simulated users."""
        return registered(USERS, name, "conversation.user_model")()

    def judge(self, name: str) -> Judge:
        """Return a judge."""
        return registered(JUDGES, name, "evaluation.judge")()


class Catalogue:
    """What specs may name in this installation: checks, fingerprints, and the number of items to measure."""

    def __init__(self, settings: Settings):
        self.environments: Mapping[str, Path] = {
            path.parent.name: path.parent for path in settings.scenarios.glob("*/environment.yaml")
        }
        self.environment = cache(self._environment)

    def check(self, spec: RunSpec) -> None:
        """Raise `SpecError` for whatever this installation can't serve."""
        registered(BASES, spec.policy, "policy")
        registered(USERS, spec.conversation.user_model, "conversation.user_model")
        registered(JUDGES, spec.evaluation.judge, "evaluation.judge")
        registered(BENCHMARKS, spec.evaluation.data, "evaluation.data")
        check_spec(spec, self.environment(spec.population.environment))

    def fingerprints(self, spec: RunSpec) -> Fingerprints:
        """Return the sha256 of everything that the spec names."""
        return Fingerprints(
            policy=folder_sha256(BASES[spec.policy]),
            environment=folder_sha256(self.environments[spec.population.environment]),
            data=folder_sha256(BENCHMARKS[spec.evaluation.data]),
        )

    def items(self, spec: RunSpec) -> tuple[EvaluationItem, ...]:
        """Return everything that an evaluation asks, held-out conversations included, in a stable order."""
        scenarios = self.environment(spec.population.environment).scenarios
        return catalogue(BENCHMARKS[spec.evaluation.data], spec.evaluation, scenarios).items

    def item_count(self, spec: RunSpec) -> int:
        """Return how many items an evaluation has."""
        return len(self.items(spec))

    def check_unchanged(self, run: RunRecord) -> None:
        """Raise `StateConflict` if what the run was launched on has other contents now."""
        now = self.fingerprints(run.spec)
        changed = [name for name, sha256 in run.fingerprints.items() if now[name] != sha256]
        if changed:
            raise StateConflict(
                f"the {' and '.join(changed)} of run {run.id} changed since its launch; launch the spec again, "
                "which makes another run, or restore the files"
            )

    def _environment(self, name: str) -> Environment:
        return load_environment(registered(self.environments, name, "population.environment"))


class HeldOutTalks:
    """The simulator's conversation loop, as the evaluator asks for it."""

    def __init__(self, environment: Environment, spec: RunSpec, policy: ChatModel, user: ChatModel):
        self._environment = environment
        self._spec = spec
        self._policy = policy
        self._user = user

    async def __call__(
        self, scenario: Scenario, profile: Profile, kind: UserKind, *, policy: str, seed: int
    ) -> Trajectory:
        """Hold one conversation without ratings."""
        stage = Stage(
            self._environment, self._spec.conversation, policy, self._policy, self._user, seed_parts=(seed,)
        )
        return await hold(Slot(0, kind, scenario, profile), stage)


def ring(engine: Engine, redis_url: str | None) -> Callable[[Sequence[str]], None]:
    """Return what wakes queue workers for runs, to be called after the commit that owes work; it never fails.

    Without a Redis there is nobody to wake: inline workers look for themselves.
    """
    if redis_url is None:
        return lambda _run_ids: None
    return ring_after_commit(engine, open_redis(redis_url))


@contextmanager
def open_worker(name: str) -> Generator[Worker]:
    """Open a worker of all phases on the database and nursery that the environment names."""
    settings = Settings()
    if settings.database_url is None:
        raise SpecError("DRIFTLOOP_DATABASE_URL: a worker needs a database; set it")
    engine = open_engine(settings.database_url)
    with asyncio.Runner() as runner:
        handlers = _handlers(settings, engine, runner)
        yield Worker(engine, name, handlers, rounds.close_phase, settings.lease_s)
    engine.dispose()


def _handlers(settings: Settings, engine: Engine, runner: asyncio.Runner) -> dict[PhaseName, Handler]:
    known, directory = Catalogue(settings), LocalDirectory(settings.policy_urls)

    def talks(spec: RunSpec, policy: ServedPolicies) -> Converse:
        environment = known.environment(spec.population.environment)
        return HeldOutTalks(environment, spec, policy, directory.user(spec.conversation.user_model))

    nursery = Path(os.environ["DRIFTLOOP_NURSERY"])
    handlers: dict[PhaseName, Handler] = {
        PhaseName.SIMULATE: SimulatePhase(engine, directory, known.environment, runner),
        PhaseName.SELECT: SelectPhase(engine),
        PhaseName.TRAIN: TrainPhase(engine, directory, nursery, settings.adapters, settings.logs),
        PhaseName.PUBLISH: PublishPhase(engine, directory, runner),
        PhaseName.EVALUATE: EvaluatePhase(engine, directory, known.items, talks, runner),
    }
    return {phase: _on_unchanged_files(engine, known, handler) for phase, handler in handlers.items()}


def _on_unchanged_files(engine: Engine, known: Catalogue, handler: Handler) -> Handler:
    def checked(claim: Claim) -> None:
        with transaction(engine) as session:
            run = runs.get_run(session, claim.run_id)
        known.check_unchanged(run)
        handler(claim)

    return checked
