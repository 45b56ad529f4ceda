"""What every registered name means here, and which handler works which phase.

This is the one place where protocols meet implementations. Base models, simulated users, judges and benchmark data
are registered by name; a spec can name nothing else.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

from services.app.fingerprints import folder_sha256
from services.core.db.phases import Claim
from services.core.db.session import open_engine
from services.core.domain.errors import SpecError
from services.core.domain.identity import Fingerprints
from services.core.domain.judging import Judge
from services.core.domain.phases import PhaseName
from services.core.domain.spec import RunSpec
from services.core.llm.directory import ServedPolicies
from services.core.llm.model import ChatModel
from services.core.queue import rounds
from services.core.queue.worker import Handler, Worker
from services.core.settings import PROJECT, Settings
from services.evaluator.items import load_items
from services.evaluator.phase import EvaluatePhase
from services.pocket.world.judge import PocketJudge
from services.pocket.world.users import PocketUser
from services.simulator.phase import SimulatePhase
from services.simulator.population import check_spec, held_out_pairs
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

    def __init__(self) -> None:
        self._policies: dict[str, ServedPolicies] = {}

    def policies(self, base: str) -> ServedPolicies:
        """Return the in-process server of the pocket policy."""
        if base not in self._policies:
            from services.pocket.policy.server import PocketServer

            self._policies[base] = PocketServer(self.base_folder(base))
        return self._policies[base]

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
        self._scenarios = settings.scenarios
        self.environment = cache(self._environment)

    @cached_property
    def environments(self) -> Mapping[str, Path]:
        """Environment folders by name."""
        return {path.parent.name: path.parent for path in self._scenarios.glob("*/environment.yaml")}

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

    def evaluation_items(self, spec: RunSpec) -> int:
        """Return how many items an evaluation has, held-out conversations included."""
        return len(self.items(spec))

    def _environment(self, name: str) -> Environment:
        return load_environment(registered(self.environments, name, "population.environment"))


@contextmanager
def open_worker(name: str) -> Iterator[Worker]:
    """Open a worker of all phases on the database and nursery that the environment names."""
    settings = Settings()
    if settings.database_url is None:
        raise SpecError("DRIFTLOOP_DATABASE_URL: a worker needs a database; set it")
    engine = open_engine(settings.database_url)
    catalogue, directory = Catalogue(settings), LocalDirectory()
    with asyncio.Runner() as runner:
        simulate = SimulatePhase(engine, directory, catalogue.environment, runner)
        nursery = Path(os.environ["DRIFTLOOP_NURSERY"])
        train = TrainPhase(engine, directory, nursery, settings.adapters, settings.logs)
        handlers: dict[PhaseName, Handler] = {
            PhaseName.SIMULATE: simulate,
            PhaseName.SELECT: SelectPhase(engine),
            PhaseName.TRAIN: train,
            PhaseName.PUBLISH: PublishPhase(engine, directory, runner),
            PhaseName.EVALUATE: EvaluatePhase(engine, directory, catalogue, runner),
        }
        yield Worker(engine, name, handlers, rounds.close_phase, settings.lease_s)
    engine.dispose()
