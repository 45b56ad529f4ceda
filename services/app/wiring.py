"""Which handler works which phase, on which models: the one place where protocols meet implementations.

What the names mean is in `catalogue`.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from services.app.catalogue import Catalogue
from services.app.directory import LocalDirectory
from services.core.db import runs
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.phases import PhaseName, WorkerKind
from services.core.domain.spec import RunSpec
from services.core.domain.trajectory import Profile, Scenario, Slot, Trajectory, UserKind
from services.core.llm.colocation import Turns
from services.core.llm.directory import ServedPolicies
from services.core.llm.model import ChatModel
from services.core.llm.policies import WirePolicies
from services.core.llm.serving import Serving
from services.core.queue import rounds
from services.core.queue.lease import Grip
from services.core.queue.loop import WorkLoop
from services.core.queue.worker import Handler, Ring, Worker
from services.core.settings import Settings
from services.evaluator.asking import Converse
from services.evaluator.harness.measuring import Harness
from services.evaluator.phase import EvaluatePhase
from services.simulator.conversation import Stage, hold
from services.simulator.phase import SimulatePhase
from services.simulator.scenarios import Environment
from services.trainer.phases import PublishPhase, SelectPhase, TrainPhase


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


def nobody_to_wake(_run_ids: Sequence[str]) -> None:
    """Ring no bell: inline workers look for work themselves."""


@dataclass(frozen=True)
class _Tools:
    """What the handlers of one worker share."""

    settings: Settings
    engine: Engine
    known: Catalogue
    directory: LocalDirectory
    grip: Grip
    loop: WorkLoop

    @property
    def serving(self) -> Serving:
        """How policies are kept served."""
        return Serving(self.engine, self.settings.policy_adapters)

    def talks(self, spec: RunSpec, policy: ServedPolicies) -> Converse:
        """Return how held-out conversations are held."""
        environment = self.known.environment(spec.population.environment)
        return HeldOutTalks(environment, spec, policy, self.directory.user(spec.conversation.user_model))


@contextmanager
def open_worker(
    settings: Settings,
    engine: Engine,
    name: str,
    kinds: Collection[WorkerKind] = tuple(WorkerKind),
    nursery: Path | None = None,
    ring: Ring = nobody_to_wake,
    run_ids: Collection[str] | None = None,
) -> Generator[Worker]:
    """Open a worker of some kinds' phases, for some runs or for all; a trainer's needs the socket of a nursery."""
    grip = Grip()
    with WorkLoop(grip) as loop:
        directory = LocalDirectory(settings)
        loop.at_end(directory.close)
        tools = _Tools(settings, engine, Catalogue(settings), directory, grip, loop)
        handlers = {
            phase: _on_unchanged_files(engine, tools.known, _in_turn(tools, phase, handler))
            for kind in kinds
            for phase, handler in _handlers(kind, tools, nursery).items()
        }
        yield Worker(engine, name, handlers, rounds.close_phase, settings.lease_s, grip, ring, run_ids)


def _handlers(kind: WorkerKind, tools: _Tools, nursery: Path | None) -> Mapping[PhaseName, Handler]:
    engine, directory, loop = tools.engine, tools.directory, tools.loop
    match kind:
        case WorkerKind.SIMULATOR:
            return {
                PhaseName.SIMULATE: SimulatePhase(
                    engine, directory, tools.serving, tools.known.environment, loop, directory.meter
                )
            }
        case WorkerKind.EVALUATOR:
            return {
                PhaseName.EVALUATE: EvaluatePhase(
                    engine,
                    directory,
                    tools.serving,
                    tools.known.items,
                    tools.talks,
                    Harness(tools.settings.inspect_python, tools.settings.logs / "harness"),
                    loop,
                    directory.meter,
                )
            }
        case WorkerKind.TRAINER:
            if nursery is None:
                raise ValueError("a trainer needs a nursery")
            folders = tools.settings.adapters, tools.settings.logs
            return {
                PhaseName.SELECT: SelectPhase(engine, tools.known.safety_data),
                PhaseName.TRAIN: TrainPhase(
                    engine,
                    directory,
                    nursery,
                    tools.known.training_set,
                    *folders,
                    tools.grip,
                    *_devices(tools.settings),
                ),
                PhaseName.PUBLISH: PublishPhase(engine, directory, tools.serving, loop),
            }


def _devices(settings: Settings) -> tuple[int, int | None]:
    return settings.trainer_devices, settings.trainer_device_batch


def _in_turn(tools: _Tools, phase: PhaseName, handler: Handler) -> Handler:
    """Let a phase wait for its turn on the GPU, where serving and training share one."""
    if not tools.settings.colocate or phase is PhaseName.SELECT:
        return handler

    def waiting(claim: Claim) -> None:
        with transaction(tools.engine) as session:
            base = runs.get_run(session, claim.run_id).spec.policy
        servers = [WirePolicies(str(url)) for url in tools.settings.policy_urls.get(base, ())]
        turns = Turns(tools.engine, base, servers, tools.grip)
        with turns.training() if phase is PhaseName.TRAIN else turns.serving():
            handler(claim)

    return waiting


def _on_unchanged_files(engine: Engine, known: Catalogue, handler: Handler) -> Handler:
    def checked(claim: Claim) -> None:
        with transaction(engine) as session:
            run = runs.get_run(session, claim.run_id)
        known.check_unchanged(run)
        handler(claim)

    return checked
