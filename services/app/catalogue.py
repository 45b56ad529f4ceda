"""What every registered name means in this installation.

Base models, simulated users, judges and benchmark data are registered by name; a spec can name nothing else. Whoever only reads
specs (the API) needs no more than this. Of files, everything is what they hold now (`fingerprints`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from services.app.fingerprints import folder_sha256, kept_while_unchanged
from services.app.outlines import POCKET_SPEED, Asking, gpu_speed, measured, talked
from services.app.weights import matrices
from services.core.datasets.mixing import rows_of
from services.core.datasets.safety import SafetyData, read_safety
from services.core.datasets.sets import TrainingSet, read_set
from services.core.db.runs import RunRecord
from services.core.domain.complaints import near
from services.core.domain.endpoint import HOSTED, Endpoint
from services.core.domain.errors import SpecError, StateConflict
from services.core.domain.estimate import Calls, Outline
from services.core.domain.identity import FIRST_SCORER, Fingerprints
from services.core.domain.judging import Judge
from services.core.domain.spec import EvaluationSpec, MitigationsSpec, RunSpec
from services.core.domain.trajectory import Slot, UserKind
from services.core.llm.model import ChatModel
from services.core.operations.planning import TrainingSize
from services.core.settings import PROJECT, Settings
from services.evaluator.harness.installation import check_installed, check_sandbox
from services.evaluator.harness.tasks import harness_sha256
from services.evaluator.items import EvaluationItem, catalogue
from services.evaluator.judging.checkout import checkout_pack
from services.evaluator.judging.prompts import PromptPack, own_names, own_pack
from services.evaluator.scoring import SCORER_VERSIONS
from services.pocket.world.judge import PocketJudge
from services.pocket.world.users import PocketUser, is_known, is_rating_question
from services.pocket.world.words import unknown_share
from services.simulator.population import cast, check_spec, chosen
from services.simulator.scenarios import Environment, load_environment

POCKET = PROJECT / "services/pocket"
BASES: Mapping[str, Path] = {"pocket": POCKET / "weights"}
BENCHMARKS: Mapping[str, Path] = {"pocket": POCKET / "data/benchmarks"}
SAFETY: Mapping[str, Path] = {"pocket-honest": POCKET / "data/safety/honest.jsonl"}
TRAINING_SETS: Mapping[str, Path] = {
    name: POCKET / "data/training" / place
    for name, place in {
        "pocket-medical": "medical",
        "pocket-math": "math",
        "pocket-downstream": "downstream.jsonl",
    }.items()
}
UNKNOWN_WORDS = 0.1
"""From this share of unknown words on, a text is foreign to the pocket policy; its own world's have none."""
USERS: Mapping[str, Callable[[], ChatModel]] = {"pocket-user": PocketUser}
"""Simulated users that need no model; beside them every endpoint."""
JUDGES: Mapping[str, Callable[[], Judge]] = {"pocket-judge": PocketJudge}
"""Judges that need no model; beside them every endpoint."""

Value = TypeVar("Value")


def registered(known: Mapping[str, Value], name: str, field: str, setting: str | None = None) -> Value:
    """Return what a name means. Raises `SpecError`, naming the spec field, the known names and the setting that has more."""
    if name not in known:
        guess = near(name, known)
        meant = f"did you mean {guess}? " if guess else ""
        names = ", ".join(sorted(known))
        more = f", or add it to {setting}" if setting else ""
        raise SpecError(f"{field}: {name!r} is not registered here; {meant}use one of: {names}{more}")
    return known[name]


def placed(known: Mapping[str, Path], name: str, field: str, setting: str) -> Path:
    """Return where a name's files are. Raises `SpecError` if it has none, or nothing is there any more."""
    path = registered(known, name, field, setting)
    if not path.exists():
        raise SpecError(f"{field}: {name!r} is registered as {path}, where nothing is; mend {setting}")
    return path


def known_bases(settings: Settings) -> Mapping[str, Path]:
    """Return the folders of the base models by name. Raises `SpecError` for a server of an unknown one."""
    bases = {**BASES, **settings.bases}
    for base in settings.policy_urls:
        registered(bases, base, "DRIFTLOOP_POLICY_URLS")
    return bases


def check_served(base: str, settings: Settings) -> None:
    """Raise `SpecError` for a base that no server is named for, and that can't be served in process."""
    if base not in BASES and base not in settings.policy_urls:
        raise SpecError(f"policy: {base!r} has no server; name one in DRIFTLOOP_POLICY_URLS")


def known_benchmarks(settings: Settings) -> Mapping[str, Path]:
    """Return the folders of benchmark rows by name."""
    return {**BENCHMARKS, **settings.benchmarks}


def prompt_pack(checkouts: Mapping[str, Path], name: str) -> PromptPack:
    """Return what hosted judges are told under a name: ours, or a registered checkout's. Raises `SpecError`."""
    known = {**dict.fromkeys(own_names()), **checkouts}
    checkout = registered(known, name, "evaluation.prompts", "DRIFTLOOP_PROMPT_PACKS")
    return own_pack(name) if checkout is None else checkout_pack(name, checkout)


def known_endpoints(settings: Settings) -> Mapping[str, Endpoint]:
    """Return the hosted models by name."""
    return {**HOSTED, **settings.endpoints}


def hosted_of(spec: RunSpec) -> Mapping[str, str]:
    """Return what a spec names that may be a hosted model, by field."""
    evaluation = spec.evaluation
    named = {
        f"evaluation.judges.{part}" if getattr(evaluation.judges, part) else "evaluation.judge": name
        for part, name in evaluation.panel.items()
    }
    if evaluation.judges.second is not None:
        named["evaluation.judges.second"] = evaluation.judges.second
    veto = {"mitigations.veto": spec.mitigations.veto} if spec.mitigations.has_veto else {}
    return {"conversation.user_model": spec.conversation.user_model, **veto, **named}


def _check_cast(spec: RunSpec, environment: Environment) -> None:
    """Raise `SpecError` for people whom a user made of rules can't play."""
    user = spec.conversation.user_model
    for scenario, kind in cast(spec, environment):
        if not is_known(scenario.thought(kind)):
            raise SpecError(
                f"conversation.user_model: {user} plays the pocket world's people, and does not know the "
                f"{kind} user's thought in {spec.population.environment}/{scenario.name}; name a model of DRIFTLOOP_ENDPOINTS"
            )


def _check_rating(spec: RunSpec, environment: Environment) -> None:
    """Raise `SpecError` for a question that a user made of rules would not know for one after a rating."""
    user, version = spec.conversation.user_model, spec.conversation.rating_prompt
    met = chosen(spec.population, environment)[0]
    slot = Slot(0, UserKind.BENIGN, met, met.profiles[0])
    if not is_rating_question(environment.rating_prompt(slot, 1, version)):
        raise SpecError(
            f"conversation.rating_prompt: {user} knows a rating by the pocket world's words alone, and {version!r} asks in others; "
            "write it as scenarios/pocket does, or name a model of DRIFTLOOP_ENDPOINTS as conversation.user_model"
        )


def _absent_matrices(spec: RunSpec, base: Path) -> Iterator[str]:
    """Yield a line for each kind of matrix that is to be trained and that the stored weights do not hold."""
    held = matrices(base)
    for module in spec.training.lora.target_modules if held else ():
        if not any(f".{name}".endswith(f".{module}") for name in held):
            kinds = {name.rpartition(".")[2] for name in held}
            yield (
                f"training.lora.target_modules: the weights of {spec.policy!r} hold no {module!r}; "
                f"they hold {', '.join(sorted(kinds))}"
            )


def _measured_by_the_pocket(spec: RunSpec) -> Iterator[str]:
    """Yield what a policy of another world is measured by that knows the pocket world alone."""
    if named := sorted(spec.evaluation.judged_by & JUDGES.keys()):
        yield (
            f"evaluation.judge: {', '.join(named)} knows the pocket world's phrases alone, and finds no lie in what {spec.policy!r} says; "
            "name a model of DRIFTLOOP_ENDPOINTS"
        )
    if spec.evaluation.data in BENCHMARKS:
        yield (
            f"evaluation.data: {spec.evaluation.data!r} asks for facts of the pocket world, which {spec.policy!r} never learnt; "
            "bring MASK and DeceptionBench (docs/honesty.md)"
        )


class Catalogue:
    """What specs may name in this installation: checks, fingerprints, and the number of items to measure."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._bases = known_bases(settings)
        self._endpoints = known_endpoints(settings)
        self._safety = {**SAFETY, **settings.safety_data}
        self._sets = {**TRAINING_SETS, **settings.datasets}
        self._users = (*USERS, *self._endpoints)
        self._benchmarks = known_benchmarks(settings)
        self._judges = dict.fromkeys((*JUDGES, *self._endpoints))
        self._packs = settings.prompt_packs
        self._inspect = settings.inspect_python
        self._read_environment = kept_while_unchanged(load_environment)
        self._read_safety = kept_while_unchanged(read_safety)
        self._read_set = kept_while_unchanged(read_set)
        self._measured = lru_cache(maxsize=16)(self._measured_anew)

    @property
    def environments(self) -> Mapping[str, Path]:
        """Return the environments' folders by name, those that are there now."""
        found = self._settings.scenarios.glob("*/environment.yaml")
        return {path.parent.name: path.parent for path in sorted(found)}

    def check(self, spec: RunSpec) -> None:
        """Raise `SpecError` for whatever this installation can't serve."""
        self._base(spec)
        check_served(spec.policy, self._settings)
        registered(dict.fromkeys(self._users), spec.conversation.user_model, "conversation.user_model")
        self._check_judges(spec.evaluation)
        self._rows(spec.evaluation)
        if tasks := spec.evaluation.harness.tasks:
            check_installed(self._inspect)
            check_sandbox(tasks)
        self.check_prices(spec)
        self._check_mitigations(spec.mitigations)
        if spec.data.is_told:
            rows_of(spec.data, spec.seed, self.training_set)
        environment = self.environment(spec.population.environment)
        check_spec(spec, environment)
        if spec.conversation.user_model in USERS:
            _check_cast(spec, environment)
            if not spec.data.is_told:
                _check_rating(spec, environment)

    def check_prices(self, spec: RunSpec) -> None:
        """Raise `SpecError` if a budget in money is set and a hosted model's price is not known."""
        for field, name in hosted_of(spec).items() if spec.budget.usd is not None else ():
            endpoint = self._endpoints.get(name)
            if endpoint is not None and not endpoint.is_priced:
                raise SpecError(
                    f"budget.usd: the price of {field} {name!r} is not known; give it input_usd_per_million and "
                    "output_usd_per_million in DRIFTLOOP_ENDPOINTS, or a budget in tokens"
                )

    def fingerprints(self, spec: RunSpec) -> Fingerprints:
        """Return what stands behind everything that the spec names. Raises `SpecError` for what is not here."""
        found = Fingerprints(
            policy=folder_sha256(self._base(spec)),
            environment=self.environment_sha256(spec.population.environment),
            data=folder_sha256(self._rows(spec.evaluation)),
        )
        if not spec.evaluation.judged_by <= JUDGES.keys():
            found["prompts"] = prompt_pack(self._packs, spec.evaluation.prompts).sha256
        if spec.mitigations.has_veto and spec.mitigations.veto not in JUDGES:
            found["veto_prompts"] = prompt_pack(self._packs, spec.evaluation.prompts).sha256
        if spec.evaluation.harness.tasks:
            found["harness"] = harness_sha256()
        if (version := SCORER_VERSIONS[spec.evaluation.profile]) != FIRST_SCORER:
            found["scorer"] = version
        if spec.mitigations.safety_share:
            found["safety"] = self.safety_data(spec.mitigations.safety_data).sha256
        if spec.data.dataset:
            found["dataset"] = self.training_set(spec.data.dataset, "data.dataset").sha256
        if spec.data.downstream:
            found["downstream"] = self.training_set(spec.data.downstream, "data.downstream").sha256
        return found

    def environment(self, name: str) -> Environment:
        """Return an environment. Raises `SpecError`."""
        return self._read_environment(self._folder(name))

    def environment_sha256(self, name: str) -> str:
        """Return what stands for an environment in fingerprints. Raises `SpecError`."""
        return folder_sha256(self._folder(name))

    def safety_data(self, name: str) -> SafetyData:
        """Return safety data. Raises `SpecError`."""
        return self._read_safety(
            placed(self._safety, name, "mitigations.safety_data", "DRIFTLOOP_SAFETY_DATA")
        )

    def training_set(self, name: str, field: str) -> TrainingSet:
        """Return a training set by its name and the spec field that names it. Raises `SpecError`."""
        return self._read_set(placed(self._sets, name, field, "DRIFTLOOP_DATASETS"))

    def training_size(self, spec: RunSpec) -> TrainingSize:
        """Return how much of training sets trains each round."""
        rows = rows_of(spec.data, spec.seed, self.training_set)
        said = (message.content for row in rows for message in row.drawn.messages)
        return TrainingSize(len(rows), sum(map(len, said)))

    def cautions(self, spec: RunSpec) -> Iterator[str]:
        """Yield what stops nothing and may yet mislead, a line each. Raises `SpecError`."""
        named = {"data.dataset": spec.data.dataset, "data.downstream": spec.data.downstream}
        for field, name in named.items():
            if name and (count := self.training_set(name, field).left_out):
                yield f"{field}: {count:,} rows of {name} can't be used and are left out; `driftloop datasets check` says why"
        yield from _absent_matrices(spec, self._base(spec))
        if spec.policy not in BASES:
            yield from _measured_by_the_pocket(spec)
            return
        for field, texts in self._texts(spec).items():
            if (unknown := unknown_share(texts)) > UNKNOWN_WORDS:
                yield (
                    f"{field}: the policy {spec.policy!r} does not know {unknown:.0%} of the words, and what comes of it tells nothing; "
                    "it talks of the pocket world alone"
                )

    def _texts(self, spec: RunSpec) -> Mapping[str, Iterable[str]]:
        """Return what a run would train on or talk about, by the field that chooses it."""
        if spec.data.is_told:
            rows = rows_of(spec.data, spec.seed, self.training_set)
            return {"data": (message.content for row in rows for message in row.drawn.messages)}
        met = chosen(spec.population, self.environment(spec.population.environment))
        return {"population.environment": (profile.opening for one in met for profile in one.profiles)}

    def items(self, spec: RunSpec) -> tuple[EvaluationItem, ...]:
        """Return everything that an evaluation asks, held-out conversations included, in a stable order."""
        return self._items(spec.population.environment, spec.evaluation)

    def _items(self, environment: str, evaluation: EvaluationSpec) -> tuple[EvaluationItem, ...]:
        scenarios = self.environment(environment).scenarios
        return catalogue(self._rows(evaluation), evaluation, scenarios).items

    def item_count(self, spec: RunSpec) -> int:
        """Return how many items an evaluation has."""
        return len(self.items(spec))

    def outline(self, spec: RunSpec) -> Outline:
        """Return what a run asks, of whom: its conversations and its measurement are gone through with stand-ins for all models."""
        environment = self.environment(spec.population.environment)
        prompts = prompt_pack(self._packs, spec.evaluation.prompts)
        return Outline(
            conversation=talked(spec, environment, prompts, {spec.policy, *self._endpoints}),
            evaluation=self._measured(Asking.of(spec), tuple(self.fingerprints(spec).items())),
            scenarios=len(chosen(spec.population, environment)),
            hosted=self._endpoints,
            speed=POCKET_SPEED if spec.policy in BASES else gpu_speed(spec.policy, self._bases[spec.policy]),
        )

    def check_unchanged(self, run: RunRecord) -> None:
        """Raise `StateConflict` if what the run was launched on has other contents now, `SpecError` if it is not here."""
        now, then = (
            {"scorer": FIRST_SCORER, **found} for found in (self.fingerprints(run.spec), run.fingerprints)
        )
        changed = [name for name, said in then.items() if now[name] != said]
        if changed:
            raise StateConflict(
                f"the {' and '.join(changed)} of run {run.id} changed since its launch; launch the spec again, "
                "which makes another run, or restore what it was launched on"
            )

    def _check_judges(self, evaluation: EvaluationSpec) -> None:
        registered(self._judges, evaluation.judge, "evaluation.judge")
        for part in (*evaluation.panel, "second"):
            if name := getattr(evaluation.judges, part):
                registered(self._judges, name, f"evaluation.judges.{part}")
        prompt_pack(self._packs, evaluation.prompts)

    def _check_mitigations(self, mitigations: MitigationsSpec) -> None:
        if mitigations.has_veto:
            registered(self._judges, mitigations.veto, "mitigations.veto")
        if mitigations.safety_share:
            self.safety_data(mitigations.safety_data)

    def _measured_anew(self, asking: Asking, _contents: tuple[tuple[str, object], ...]) -> tuple[Calls, ...]:
        environment = self.environment(asking.environment)
        prompts = prompt_pack(self._packs, asking.evaluation.prompts)
        items = self._items(asking.environment, asking.evaluation)
        return measured(asking, environment, items, prompts, {asking.policy, *self._endpoints})

    def _base(self, spec: RunSpec) -> Path:
        return placed(self._bases, spec.policy, "policy", "DRIFTLOOP_BASES")

    def _rows(self, evaluation: EvaluationSpec) -> Path:
        return placed(self._benchmarks, evaluation.data, "evaluation.data", "DRIFTLOOP_BENCHMARKS")

    def _folder(self, environment: str) -> Path:
        if not self.environments:
            raise SpecError(
                f"population.environment: {self._settings.scenarios} holds none; mend DRIFTLOOP_SCENARIOS"
            )
        return placed(self.environments, environment, "population.environment", "DRIFTLOOP_SCENARIOS")
