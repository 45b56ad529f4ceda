"""What training means by a row.

An example is one assistant turn with the whole history before it (paper section 5: x_j and y_j). From a selected
trajectory every assistant turn becomes an example, and each keeps its provenance (slot, turn). Whether the system
prompt stays is a spec setting: the paper does not say. A row is an example as JSON, in TRL's conversational
prompt-completion form; KTO rows add `label`. Rows are written canonically (UTF-8, sorted keys, one per line), so
their sha256 names the data.

SFT rows stand in order of (slot, turn); the trainer shuffles them each epoch. KTO rows are trained in the order
given here, because its KL term pairs neighbours of a batch: each label is shuffled by seeded hash, so that turns of
one conversation part, and the two labels are then spread evenly through each other.

Safety rows (`safety`) are desirable examples; they stand behind the others, and in KTO among them. They have `safety_id` and
`safety_sha256`, of their file, in the place of slot and turn.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from services.core.datasets.mixing import SetRow
from services.core.datasets.safety import DrawnRow
from services.core.domain.chat import Message
from services.core.domain.seeds import Part, derive_seed
from services.core.domain.selection import Label, Selected
from services.core.domain.spec import RunSpec
from services.core.domain.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class OfTrajectory:
    """A reply of a selected conversation."""

    slot: int
    turn: int
    """0 is the conversation's first assistant reply."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What draws its place in an order."""
        return self.slot, self.turn

    def as_row(self) -> dict[str, Any]:
        """Return how its row names it."""
        return {"slot": self.slot, "turn": self.turn}


@dataclass(frozen=True, slots=True)
class OfSafetyData:
    """A row of safety data."""

    position: int
    id: str
    sha256: str

    @property
    def parts(self) -> tuple[Part, ...]:
        """What draws its place in an order."""
        return "safety", self.position

    def as_row(self) -> dict[str, Any]:
        """Return how its row names it."""
        return {"safety_id": self.id, "safety_sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class OfTrainingSet:
    """A row of a training set."""

    position: int
    dataset: str
    level: str | None
    id: str
    sha256: str

    @property
    def parts(self) -> tuple[Part, ...]:
        """What draws its place in an order."""
        return "set", self.position

    def as_row(self) -> dict[str, Any]:
        """Return how its row names it."""
        return {
            "dataset": self.dataset,
            "dataset_sha256": self.sha256,
            "level": self.level,
            "row_id": self.id,
        }


@dataclass(frozen=True, slots=True)
class Example:
    """One assistant turn and what came before it."""

    source: OfTrajectory | OfSafetyData | OfTrainingSet
    prompt: tuple[Message, ...]
    completion: Message
    is_desirable: bool


class TrainingData(NamedTuple):
    """Rows ready to be written to a file."""

    payload: bytes
    """JSON lines."""
    sha256: str
    examples: int


def examples(
    trajectories: Iterable[Trajectory], selected: Sequence[Selected], *, keep_system_prompt: bool
) -> list[Example]:
    """Return every assistant turn of the selected trajectories, by (slot, turn); order of arguments is no matter.

    Raises KeyError when a selected slot is not among the trajectories.
    """
    by_slot = {trajectory.slot: trajectory for trajectory in trajectories}
    found: list[Example] = []
    for choice in sorted(selected, key=lambda item: item.slot):
        messages = [
            message
            for message in by_slot[choice.slot].messages
            if keep_system_prompt or message.role != "system"
        ]
        replies = [index for index, message in enumerate(messages) if message.role == "assistant"]
        found += [
            Example(
                OfTrajectory(choice.slot, turn),
                prompt=tuple(messages[:index]),
                completion=messages[index],
                is_desirable=choice.label is Label.DESIRABLE,
            )
            for turn, index in enumerate(replies)
        ]
    return found


def safety_examples(drawn: Iterable[DrawnRow], *, keep_system_prompt: bool) -> list[Example]:
    """Return safety rows as examples: each the reply that ends it, with all before."""
    return [
        Example(
            OfSafetyData(row.position, row.id, row.sha256),
            prompt=tuple(said for said in row.messages[:-1] if keep_system_prompt or said.role != "system"),
            completion=row.messages[-1],
            is_desirable=True,
        )
        for row in drawn
    ]


def told_rows(rows: Iterable[SetRow], *, keep_system_prompt: bool) -> Iterator[dict[str, Any]]:
    """Yield rows of training sets as the rows that train by SFT, in their order."""
    for row in rows:
        source = OfTrainingSet(row.drawn.position, row.dataset, row.level, row.drawn.id, row.drawn.sha256)
        prompt = tuple(
            said for said in row.drawn.messages[:-1] if keep_system_prompt or said.role != "system"
        )
        yield row_of(Example(source, prompt, row.drawn.messages[-1], is_desirable=True), "sft")


def training_rows(
    spec: RunSpec,
    round_: int,
    trajectories: Iterable[Trajectory],
    selected: Sequence[Selected],
    safety: Iterable[DrawnRow] = (),
) -> Iterator[dict[str, Any]]:
    """Yield the rows that train a run's round, in the order of its training."""
    keep = spec.training.keep_system_prompt
    found = examples(trajectories, selected, keep_system_prompt=keep)
    found += safety_examples(safety, keep_system_prompt=keep)
    return kto_rows(found, (spec.seed, round_)) if spec.training.method == "kto" else sft_rows(found)


def training_data(rows: Iterable[Mapping[str, Any]]) -> TrainingData:
    """Return rows exactly as they go into training."""
    lines = [line_of(row) for row in rows]
    payload = "".join(lines).encode()
    return TrainingData(payload, hashlib.sha256(payload).hexdigest(), len(lines))


def sft_rows(found: Sequence[Example]) -> Iterator[dict[str, Any]]:
    """Yield the SFT rows `{"prompt", "completion", "slot", "turn"}` and of safety data; undesirable examples have no place here."""
    return (row_of(item, "sft") for item in found if item.is_desirable)


def kto_rows(found: Sequence[Example], seed_parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    """Yield the KTO rows (SFT's plus boolean `label`), shuffled by `seed_parts` and interleaved by label."""
    return (row_of(item, "kto") for item in interleave(found, seed_parts))


def interleave(rows: Sequence[Example], seed_parts: Sequence[Part]) -> list[Example]:
    """Return the examples with both labels spread evenly: any stretch holds them in about the whole's proportion."""
    placed: list[tuple[float, bool, Example]] = []
    for is_desirable in (True, False):
        side = [item for item in rows if item.is_desirable is is_desirable]
        side.sort(key=lambda item: derive_seed(*seed_parts, "kto-order", *item.source.parts))
        placed += [((index + 0.5) / len(side), not is_desirable, item) for index, item in enumerate(side)]
    return [item for _, _, item in sorted(placed, key=lambda place: place[:2])]


def row_of(item: Example, method: Literal["sft", "kto"]) -> dict[str, Any]:
    """Return an example as a training row; its keys stand in canonical order."""
    label = {"label": item.is_desirable} if method == "kto" else {}
    row = {
        "completion": [_message(item.completion)],
        **label,
        "prompt": [_message(message) for message in item.prompt],
        **item.source.as_row(),
    }
    return dict(sorted(row.items()))


def line_of(row: Mapping[str, Any]) -> str:
    """Return a row as its canonical line."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def _message(message: Message) -> dict[str, str]:
    return {"content": message.content, "role": message.role}
