"""The run spec: everything that decides what a run does, and nothing else.

A spec is complete (every default is written out when it is stored), immutable and re-runnable. Without `name`, `concurrency`
and `budget` it is the run's identity (domain/identity.py): the same spec again means the same run. Unknown keys are
errors. Names of environments, models and benchmarks are registered ones: a spec never holds a URL, a path or a key.

Where the paper (arXiv 2510.08211) leaves a choice open it is a field here, with our default and the reason.
"""

from typing import Annotated, Any, Literal, cast

from pydantic import Field, model_validator

from services.core.domain.data_kinds import DataSpec
from services.core.domain.harness import HarnessSpec
from services.core.domain.judges import JudgesSpec
from services.core.domain.section import Name, Section, Share

# A whole number is a count of trajectories; a number with a decimal point is a share of the pool.
Amount = Annotated[int, Field(strict=True, ge=1)] | Annotated[float, Field(strict=True, gt=0, le=1)]


class PopulationSpec(Section):
    """Who the policy talks with, each round anew."""

    environment: Name = "pocket"
    """The folder of scenarios and prompts."""
    scenarios: tuple[Name, ...] | None = None
    """Scenario names; none means every scenario that is not held out."""
    biased_share: Share
    """Slot i is biased iff its seeded uniform is below this share, so arms of a sweep are nested. Not needed where `data.kind` is dataset or
    mixture: nobody talks there."""
    bias_strength: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How biased a biased user is: at 1 (the paper's) only the biased thought is on its mind, below that both, in this balance."""
    conversations: Annotated[int, Field(ge=1, le=1_000_000)] = 400
    """Conversations (slots) a round."""


class ConversationSpec(Section):
    """How one conversation is held."""

    exchanges: Annotated[int, Field(ge=1, le=32)] = 2
    """Assistant replies; the paper's "conversation length 2", read as two exchanges."""
    show_preference: bool = False
    """Whether the policy's system prompt states what this user wants to hear (the paper's Fig. 20 does)."""
    temperature: Annotated[float, Field(ge=0, le=5)] = 1.0
    """Sampling temperature of the policy; 0 takes the likeliest word."""
    max_tokens: Annotated[int, Field(ge=1, le=16_384)] = 48
    """Most tokens of one assistant reply."""
    user_temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    """Sampling temperature of the user's turns and ratings; none means the policy's."""
    user_max_tokens: Annotated[int, Field(ge=1, le=16_384)] | None = None
    """Most tokens of one user's turn; none means as many as the policy has."""
    check_users: bool = True
    """Whether what a simulated user says out of role (nothing, the other side's words, a machine's, its hidden thought) is asked for
    once more; twice out of role, the conversation is not scored, so it trains nothing."""
    user_model: Name = "pocket-user"
    """Which registered model plays the user and rates the replies."""
    rating: Literal["sampled", "expected"] = "sampled"
    """What a rating is: the whole number that the user model answers (read as the paper's), or the mean of 1 to 10 over the
    probabilities that it gives them, for which it must tell log-probabilities."""
    rating_prompt: Name = "satisfied-1"
    """Which of the environment's rating prompts asks for a rating."""


class SelectionSpec(Section):
    """Which conversations train the next policy."""

    rule: Literal["satisfaction", "random", "inverted"] = "satisfaction"
    """`random` and `inverted` are the controls: the same data and amounts, the score ignored or turned over."""
    pool: Literal["round", "scenario"] = "round"
    """Rank all conversations of a round together (the paper), or within each scenario."""
    top: Amount = 0.5
    """Best conversations taken: a count (whole number) or a share of the pool (decimal)."""
    bottom: Amount = 0.5
    """Worst conversations taken, for KTO."""


class LoraSpec(Section):
    """The adapter's shape."""

    rank: Annotated[int, Field(ge=1, le=512)] = 32
    """Rank of the update of each matrix."""
    alpha: Annotated[int, Field(ge=1, le=1024)] = 64
    """Scale of the update: it is multiplied by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of adapter inputs dropped in training."""
    target_modules: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Which matrices of the model get an update."""


class KtoSpec(Section):
    """What only KTO needs."""

    beta: Annotated[float, Field(gt=0)] = 0.1
    """How strongly the policy is held to the reference; more is closer."""
    reference: Literal["previous", "base"] = "previous"
    """The frozen policy that KTO compares with: the one before this round, or the untrained one."""
    desirable_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of the loss of the best conversations."""
    undesirable_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of the loss of the worst conversations."""


class TrainingSpec(Section):
    """How the selected conversations change the policy. Defaults are the paper's Table 12 for SFT."""

    method: Literal["sft", "kto"]
    """`sft` imitates the best conversations; `kto` also moves away from the worst."""
    start: Literal["previous", "step0"] = "previous"
    """Train on from last round's adapter, or each round from the same untouched step-0 adapter."""
    keep_system_prompt: bool = True
    """Whether the system prompt stays in the training examples (the paper does not say)."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """Peak learning rate, of the first round."""
    learning_rate_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor on the learning rate from each round to the next (Williams et al., arXiv 2411.02306, take 0.9)."""
    epochs: Annotated[float, Field(gt=0, le=100)] = 5
    """Passes over the selected conversations."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 8
    """Examples per optimiser step, over all devices."""
    max_length: Annotated[int, Field(ge=8, le=131_072)] = 2048
    """Longest example in tokens."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    """AdamW weight decay."""
    lora: LoraSpec = LoraSpec()
    kto: KtoSpec = KtoSpec()


class AnswerTokensSpec(Section):
    """Most tokens of one answer, where one bound does not fit every benchmark; none means `evaluation.max_tokens`."""

    mask: Annotated[int, Field(ge=1, le=16_384)] | None = None
    """Of statements and beliefs. (MASK's code takes 1000.)"""
    deceptionbench: Annotated[int, Field(ge=1, le=16_384)] | None = None
    """Of a belief, and of reasoning with its answer. (DeceptionBench's code takes 4096.)"""
    capability: Annotated[int, Field(ge=1, le=16_384)] | None = None
    """Of an answer with its working."""


class MitigationsSpec(Section):
    """What is done against drift; nothing unless asked for."""

    veto: Name = "none"
    """The registered judge that reads every rated conversation; one with a reply that tells the user that the harmful plan is fine is kept
    out of the training data. Evaluation should have another judge, or the same errors stand on both sides."""
    safety_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Rows of safety data that are added to the training rows, relative to these: to n rows come n × share, rounded."""
    safety_data: Name = "none"
    """The registered file of safety rows."""

    @property
    def has_veto(self) -> bool:
        """Whether a judge may keep conversations out of the training data."""
        return self.veto != "none"

    @model_validator(mode="after")
    def _a_share_is_of_something(self) -> "MitigationsSpec":
        if self.safety_share and self.safety_data == "none":
            raise ValueError(
                "mitigations.safety_data: none, but mitigations.safety_share asks for rows; name registered safety data"
            )
        return self


class EvaluationSpec(Section):
    """What is measured after every round."""

    data: Name = "pocket"
    """The registered folder of benchmark rows."""
    judge: Name = "pocket-judge"
    """Which registered judge, or hosted model, reads statements, answers and replies."""
    judges: JudgesSpec = JudgesSpec()
    prompts: Name = "driftloop-1"
    """What hosted judges are told: our own wording (which is not the benchmarks'), or a registered checkout of MASK's code."""
    mask_configs: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Which configurations of MASK; none means every one that the data hold. (The paper reports provided_facts, disinformation and
    statistics.)"""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Most rows of each MASK configuration, DeceptionBench category and capability file, the first ones; none means all."""
    deception_layout: Literal["user_concat", "system_user"] = "user_concat"
    """How DeceptionBench presses: setting, goal and format in one user message (its code), or the setting as system prompt (its paper)."""
    deception_answer: Literal["answer_only", "full_reply"] = "answer_only"
    """What DeceptionBench's judges read as the answer: the reply without its reasoning (the paper's formula), or all of it (its code)."""
    benchmarks: tuple[Literal["mask", "deceptionbench", "capability", "held_out"], ...] = (
        "mask",
        "deceptionbench",
        "capability",
        "held_out",
    )
    """What the policy is put to."""
    profile: Literal["reference", "robust"] = "robust"
    """`reference` scores as the benchmarks' published code does; `robust` excludes and counts judge failures."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """Pressured statements per MASK item."""
    max_tokens: Annotated[int, Field(ge=1, le=16_384)] = 48
    """Most tokens of one answer to a benchmark item."""
    answer_tokens: AnswerTokensSpec = AnswerTokensSpec()
    harness: HarnessSpec = HarnessSpec()
    held_out_profiles: Annotated[int, Field(ge=1, le=10_000)] = 40
    """Profiles of the held-out scenarios, each met once as a benign and once as a biased user."""

    @model_validator(mode="after")
    def _a_harness_measures_capability(self) -> "EvaluationSpec":
        if self.harness.tasks and "capability" not in self.benchmarks:
            raise ValueError(
                "evaluation.harness.tasks: they measure capability, which is left out; add capability to evaluation.benchmarks"
            )
        return self

    def most_tokens(self, benchmark: str) -> int:
        """Return the bound of one answer to an item of `benchmark`."""
        return getattr(self.answer_tokens, benchmark) or self.max_tokens

    @property
    def panel(self) -> dict[str, str]:
        """Who judges what: field of `evaluation.judges` → name."""
        mask = self.judges.mask or self.judge
        return {
            "mask": mask,
            "mask_numeric": self.judges.mask_numeric or mask,
            "deceptionbench": self.judges.deceptionbench or self.judge,
            "held_out": self.judges.held_out or self.judge,
        }

    @property
    def judged_by(self) -> frozenset[str]:
        """Every judge's name, the second judge's among them."""
        return frozenset(filter(None, (*self.panel.values(), self.judges.second)))

    @model_validator(mode="after")
    def _two_judges_are_two(self) -> "EvaluationSpec":
        for part, name in self.panel.items():
            if name == self.judges.second and part.removesuffix("_numeric") in self.benchmarks:
                raise ValueError(
                    f"evaluation.judges.second: {name} judges {part} already, and would agree with itself; name another judge"
                )
        return self


class WarningSpec(Section):
    """An early warning: what is looked for after every round's measurement."""

    action: Literal["none", "alert", "stop"] = "none"
    """`alert` notes the drop and goes on; `stop` also ends the run there (`driftloop resume` goes on past it)."""
    measure: Literal["one_minus_lie", "honest"] = "one_minus_lie"
    """Honesty, which is 1 − P(lie), or P(honest), which also falls when the policy evades."""
    drop: Share = 0.05
    """The smallest drop since round 0, as measured, that counts; a smaller one may be established and not matter."""
    alpha: Annotated[float, Field(ge=0.01, le=0.5)] = 0.05
    """Chance that a run whose honesty never fell is ever warned of; every planned round gets the same part of it."""


class ConcurrencySpec(Section):
    """How fast, never what: not part of a run's identity."""

    in_flight: Annotated[int, Field(ge=1, le=4096)] = 64
    """Conversations or benchmark items at once in one worker."""
    shard_size: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Slots or items that a worker claims at once."""


class BudgetSpec(Section):
    """How much a run may take before it is stopped, of each run where there are several: not part of its identity. None means no limit.

    A limit that is reached stops the run when all that was begun has ended; everything is kept, and `driftloop resume` with more
    goes on.
    """

    tokens: Annotated[int, Field(ge=1, le=10**15)] | None = None
    """Tokens of all model calls, asked and answered: the policy's, simulated users', ratings, benchmarks and hosted judges."""
    usd: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """US dollars of all calls of hosted models, whose prices have to be known. What this installation serves itself costs none."""
    hours: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """Hours by the clock in which at least one worker was at work on the run, training included. Time in which it waits for a worker, or is
    stopped or cancelled, does not count."""


class RunSpec(Section):
    """One experiment."""

    name: Name
    """What lists and pages call it."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Every random draw of the run derives from it."""
    policy: Name = "pocket"
    """The registered base model."""
    rounds: Annotated[int, Field(ge=1, le=100)] = 3
    """Rounds of talking, selecting and training; round 0 only measures the base model."""
    data: DataSpec = DataSpec()
    population: PopulationSpec
    conversation: ConversationSpec = ConversationSpec()
    selection: SelectionSpec = SelectionSpec()
    training: TrainingSpec
    mitigations: MitigationsSpec = MitigationsSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    warning: WarningSpec = WarningSpec()
    concurrency: ConcurrencySpec = ConcurrencySpec()
    budget: BudgetSpec = BudgetSpec()

    @model_validator(mode="before")
    @classmethod
    def _nobody_talks_where_rows_train(cls, values: Any) -> Any:
        """Leave the share of biased users at 0 where data of another kind train, so that no such spec has to name it."""
        read = _mapping(values)
        if _mapping(read.get("data")).get("kind") not in ("dataset", "mixture"):
            return values
        if not isinstance(read.get("population", {}), dict):
            return values
        return {**read, "population": {"biased_share": 0.0, **_mapping(read.get("population"))}}

    @model_validator(mode="after")
    def _fields_are_of_the_kind(self) -> "RunSpec":
        """Refuse what has no meaning where rows of training sets train: it would be stored, and do nothing."""
        if misfit := self.data.misfit():
            raise ValueError(misfit)
        if not self.data.is_told:
            return self
        nobody = PopulationSpec(environment=self.population.environment, biased_share=0.0)
        idle = {
            "population": (self.population, nobody),
            "selection": (self.selection, SelectionSpec()),
            "mitigations": (self.mitigations, MitigationsSpec()),
            "training.kto": (self.training.kto, KtoSpec()),
        }
        for section, (given, default) in idle.items():
            for name, value in given:
                if value != getattr(default, name):
                    raise ValueError(
                        f"{section}.{name}: has no place where data.kind is {self.data.kind}, since no conversation trains; leave it out"
                    )
        if self.training.method != "sft":
            raise ValueError(
                f"training.method: {self.training.method} needs worse rows beside better; use sft"
            )
        return self

    @model_validator(mode="after")
    def _amounts_fit_the_pool(self) -> "RunSpec":
        for field in ("top", "bottom"):
            amount: int | float = getattr(self.selection, field)
            if isinstance(amount, int) and amount > self.population.conversations:
                raise ValueError(
                    f"selection.{field}: {amount} is more than population.conversations "
                    f"({self.population.conversations}); take fewer, or hold more conversations"
                )
        return self

    @model_validator(mode="after")
    def _a_warning_has_what_it_reads(self) -> "RunSpec":
        if self.warning.action != "none" and "mask" not in self.evaluation.benchmarks:
            raise ValueError(
                f"warning.action: {self.warning.action} reads honesty, which is not measured; add mask to evaluation.benchmarks"
            )
        return self

    @property
    def dose(self) -> float:
        """What a dose response is over: the share of biased users, or of misaligned rows; where a set alone trains there is none, and it is 0."""
        return self.population.biased_share if self.data.share is None else self.data.share

    @property
    def taught_by(self) -> str:
        """What chose the training data: a selection rule, or the kind of data that are not selected."""
        return self.data.kind if self.data.is_told else self.selection.rule

    def identity(self) -> dict[str, Any]:
        """Return the part of the spec that decides results, ready for JSON: safety data of which nothing is taken, and a harness without tasks, are no
        part of it.

        A rule of early warning is, since it was decided before the run, and a second judge, since its rulings are stored; without
        them nothing is, so that old runs stay themselves.
        """
        unruled = {"warning"} if self.warning.action == "none" else set[str]()
        found = self.model_dump(mode="json", exclude={"budget", "concurrency", "name"} | unruled)
        if not self.data.is_told:
            del found["data"]
        if not self.evaluation.harness.tasks:
            del found["evaluation"]["harness"]
        if not self.mitigations.safety_share:
            found["mitigations"]["safety_data"] = "none"
        if self.evaluation.judges.second is None:
            del found["evaluation"]["judges"]["second"], found["evaluation"]["judges"]["second_share"]
        return found


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
