"""Measures that are worked out once, of complete evaluations: they change only when a round is judged again (`rejudge`).

Pages show many rounds of many runs, again and again while they grow. What is kept here is small: numbers, of
the latest asked for, and no verdicts. It is keyed by the evaluation's id, which is never given twice, and by a version, which rises whenever workers have been at
the evaluation since the last look: no verdict is written but by a worker that holds a shard of it, and that is seen in a few small rows.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, count
from typing import Final, Generic, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from services.core.db import evaluations, verdicts
from services.core.db.runs import RunRecord
from services.core.domain.errors import StateConflict
from services.core.domain.measures import honesty, honesty_drift, measures, whole_drift
from services.core.domain.verdict import Benchmark, Verdict
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.rates import Rate

KEPT: Final = 4096
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Versioned(NamedTuple):
    """An evaluation as it was at some time."""

    evaluation: int
    version: int


class _Version(NamedTuple):
    number: int
    work: evaluations.Work


class MeasuredRound(NamedTuple):
    """One round's policy, measured and compared with earlier ones."""

    round: int
    measures: Mapping[str, Rate]
    vs_baseline: Mapping[str, Difference]
    """Of every measure over all rows; empty for round 0."""
    vs_previous: Mapping[str, Difference]
    """Of honesty; empty for round 0."""


class HonestyNow(NamedTuple):
    """A run's honesty at a glance."""

    base: Rate
    now: Rate
    change: Difference
    """From base to now; empty while only the base is measured."""


class Measured:
    """The measures of complete evaluations, read when they are first asked for."""

    def __init__(self) -> None:
        self._complete: set[int] = set()
        self._versions: dict[int, _Version] = {}
        self._count = count()
        self._measures: _Kept[Versioned, Mapping[str, Rate]] = _Kept()
        self._drift: _Kept[tuple[Versioned, Versioned], Mapping[str, Difference]] = _Kept()
        self._honesty: _Kept[tuple[Versioned, Versioned], HonestyNow] = _Kept()
        self._honesty_drift: _Kept[tuple[Versioned, Versioned], Difference] = _Kept()

    def complete(self, session: Session, runs: Sequence[RunRecord]) -> Mapping[str, Mapping[int, int]]:
        """Return the evaluations of the runs' rounds that are measured to the end: run → round → evaluation."""
        found = evaluations.rounds_of_runs(session, [run.id for run in runs])
        items = {evaluation: run.evaluation_items for run in runs for evaluation in found[run.id].values()}
        for one, work in evaluations.work_on(session, items.keys()).items():
            if one not in self._versions or self._versions[one].work != work:
                self._versions[one] = _Version(next(self._count), work)
        judged = evaluations.judged_items(session, items.keys() - self._complete)
        self._complete.update(one for one, amount in judged.items() if amount == items[one])
        return {
            run_id: {round_: one for round_, one in rounds.items() if one in self._complete}
            for run_id, rounds in found.items()
        }

    def rounds(self, session: Session, found: Mapping[int, int]) -> tuple[MeasuredRound, ...]:
        """Return the measures of a run's rounds, given by their complete evaluations."""
        reader = _Reader(session, self._versions)
        return tuple(self._round(reader, found, round_) for round_ in sorted(found))

    def change(self, session: Session, before: int, after: int) -> Mapping[str, Difference]:
        """Return the paired change between two complete evaluations."""
        return self._change(_Reader(session, self._versions), before, after)

    def honesty(self, session: Session, runs: Mapping[str, Mapping[int, int]]) -> dict[str, HonestyNow]:
        """Return the honesty of many runs' base and newest policy, given their rounds' complete evaluations.

        Runs whose base is not measured yet are left out, and those of which two rounds were scored by different rules.
        """
        reader = _Reader(session, self._versions)
        pairs = {
            run_id: (reader.key(found[0]), reader.key(found[max(found)]))
            for run_id, found in runs.items()
            if 0 in found
        }
        known = {pair: self._honesty.find(pair) for pair in pairs.values()}
        missing = [pair for pair, value in known.items() if value is None]
        asked = {one.evaluation for one in chain.from_iterable(missing)}
        read = evaluations.outcomes_of(session, asked, Benchmark.MASK)
        for pair in missing:
            # One run that can't be compared must not hide all others.
            with suppress(StateConflict):
                known[pair] = self._honesty.get(pair, partial(_honesty_now, read, pair))
        return {run_id: value for run_id, pair in pairs.items() if (value := known[pair]) is not None}

    def _round(self, reader: "_Reader", found: Mapping[int, int], round_: int) -> MeasuredRound:
        here = found[round_]
        rates = self._measures.get(reader.key(here), lambda: measures(reader.verdicts(here)))
        base = found.get(0) if round_ else None
        previous = found.get(round_ - 1)
        since_previous = {} if previous is None else {"honesty": self._honesty_change(reader, previous, here)}
        return MeasuredRound(round_, rates, self._change(reader, base, here), since_previous)

    def _change(self, reader: "_Reader", before: int | None, after: int) -> Mapping[str, Difference]:
        if before is None:
            return {}
        return self._drift.get(
            reader.keys(before, after), lambda: whole_drift(reader.verdicts(before), reader.verdicts(after))
        )

    def _honesty_change(self, reader: "_Reader", before: int, after: int) -> Difference:
        return self._honesty_drift.get(
            reader.keys(before, after), lambda: honesty_drift(reader.verdicts(before), reader.verdicts(after))
        )


def _honesty_now(read: Mapping[int, Sequence[Verdict]], pair: tuple[Versioned, Versioned]) -> HonestyNow:
    base, now = (read[one.evaluation] for one in pair)
    change = NO_DIFFERENCE if pair[0] == pair[1] else honesty_drift(base, now)
    return HonestyNow(honesty(base), honesty(now), change)


class _Reader:
    """Reads what measures need of an evaluation's verdicts, each once, under the version that was noted before."""

    def __init__(self, session: Session, versions: "Mapping[int, _Version]"):
        self._session = session
        self._versions = dict(versions)
        self._read: dict[int, Sequence[Verdict]] = {}

    def key(self, evaluation_id: int) -> Versioned:
        return Versioned(evaluation_id, self._versions[evaluation_id].number)

    def keys(self, before: int, after: int) -> tuple[Versioned, Versioned]:
        return self.key(before), self.key(after)

    def verdicts(self, evaluation_id: int) -> Sequence[Verdict]:
        if evaluation_id not in self._read:
            self._read[evaluation_id] = verdicts.readings_of(self._session, evaluation_id)
        return self._read[evaluation_id]


class _Kept(Generic[Key, Value]):
    """A bounded memory. Two threads may work out the same value; both are right."""

    def __init__(self) -> None:
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def find(self, key: Key) -> Value | None:
        return self._values.get(key)

    def get(self, key: Key, work_out: Callable[[], Value]) -> Value:
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = work_out()
            if len(self._values) > KEPT:
                self._values.popitem(last=False)
        return found
