"""A shard's samples measured by the harness: verdicts as they come, whatever happens to it.

The harness is started once for all samples of a shard, and once more for those that it left when it died. What is left then, and the samples of a task
that it can't run (no data, no sandbox), are verdicts that failed, with the cause: the run goes on, the measurement counts as incomplete, and `driftloop
rejudge` asks for them again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.core.domain.chat import clean
from services.core.domain.verdict import Benchmark, ScoringProfile, Verdict
from services.evaluator.asking import Examination
from services.evaluator.harness.gateway import Gateway, open_gateway
from services.evaluator.harness.installation import check_installed
from services.evaluator.harness.process import HarnessProcess
from services.evaluator.harness.rows import HarnessRow
from services.evaluator.harness.scoring import HarnessRecord
from services.evaluator.harness.tasks import VERSIONS
from services.evaluator.items import EvaluationItem
from services.evaluator.scoring import verdict

STARTS = 2
SILENCE_S = 1800.0
NAME = "inspect_evals {inspect-evals}, inspect_ai {inspect-ai}".format(**VERSIONS)
_TEXTS = ("text", "answer", "target", "error")

OnVerdicts = Callable[[Sequence[Verdict]], None]


@dataclass(frozen=True, slots=True)
class Samples:
    """What a shard owes of harness tasks."""

    owed: Sequence[EvaluationItem]
    everything: Sequence[EvaluationItem]
    """All items of the evaluation: a task's given rows are whole, since the order of choices is drawn over all of them."""
    shard: str
    """Its folder below that of the logs."""
    in_flight: int


@dataclass(frozen=True)
class Harness:
    """The harness of this installation."""

    python: Path | None
    logs: Path
    silence_s: float = SILENCE_S

    async def measure(
        self,
        samples: Samples,
        examination: Examination,
        on_verdicts: OnVerdicts,
        may_begin: Callable[[], bool] = lambda: True,
    ) -> None:
        """Call `on_verdicts` with all verdicts of each owed item; items that there is no budget for are left out.

        Raises `SpecError` if the harness is not installed on this machine.
        """
        if not samples.owed:
            return
        process = HarnessProcess(check_installed(self.python), self.logs / samples.shard, self.silence_s)
        async with open_gateway(examination, may_begin) as gateway:
            hearing = _Hearing(samples.owed, examination, on_verdicts)
            ended = ""
            for _ in range(STARTS):
                if hearing.left and not gateway.is_shut.is_set():
                    job = _job(hearing.left.values(), samples, examination, gateway.url)
                    ended = await _until_shut(
                        gateway, process.run({**job, "logs": str(process.folder)}, hearing.receive)
                    )
            if not gateway.is_shut.is_set():
                hearing.fail(hearing.left, "harness_died", ended)


class _Hearing:
    """What is still owed, and what is made of what the harness says."""

    def __init__(self, owed: Sequence[EvaluationItem], examination: Examination, on_verdicts: OnVerdicts):
        self.left = {_name(item): item for item in owed}
        self._profile: ScoringProfile = examination.spec.profile
        self._on_verdicts = on_verdicts
        self._versions: dict[str, str] = {}

    def receive(self, said: Mapping[str, Any]) -> None:
        """Take one line."""
        match said:
            case {"task": task, "failed": reason}:
                self.fail([name for name in self.left if name[0] == task], "harness_failed", reason)
            case {"task": task, "place": place, "sample": sample, "answers": answers}:
                records = [
                    self._record(task, sample=sample, **{**answer, **_clean_texts(answer)})
                    for answer in answers
                ]
                self._hand_over((task, place), records)
            case {"task": task, "version": version}:
                self._versions[task] = version
            case _:
                pass

    def fail(self, names: Iterable[tuple[str, int]], cause: str, error: str) -> None:
        """Make failed verdicts of what is owed under these names."""
        for task, place in [*names]:
            self._hand_over((task, place), [self._record(task, cause=cause, error=clean(error))])

    def _record(self, task: str, **said: Any) -> HarnessRecord:
        version = self._versions.get(task)
        return HarnessRecord(harness=NAME, task=task, task_version=version, **said)

    def _hand_over(self, name: tuple[str, int], records: Sequence[HarnessRecord]) -> None:
        # An item may be told twice, if the harness died between telling and being heard.
        if item := self.left.pop(name, None):
            self._on_verdicts(
                [verdict(item, repeat, record, self._profile) for repeat, record in enumerate(records)]
            )


def _name(item: EvaluationItem) -> tuple[str, int]:
    assert isinstance(item.row, HarnessRow)
    return item.row.task, item.row.place


def _clean_texts(answer: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: answer[name] and clean(answer[name]) for name in _TEXTS}


def _job(
    owed: Iterable[EvaluationItem], samples: Samples, examination: Examination, url: str
) -> dict[str, Any]:
    places: dict[str, list[int]] = {}
    for task, place in map(_name, owed):
        places.setdefault(task, []).append(place)
    return {
        "url": url,
        "model": examination.policy,
        "max_tokens": examination.spec.most_tokens(Benchmark.CAPABILITY),
        "in_flight": samples.in_flight,
        "parts": [
            {"task": task, "places": sorted(wanted), "rows": _given(task, samples.everything)}
            for task, wanted in places.items()
        ],
    }


def _given(task: str, items: Iterable[EvaluationItem]) -> list[Mapping[str, Any]] | None:
    """Return all rows of a task in their order; None if they are the Hub's."""
    rows = [item.row for item in items if isinstance(item.row, HarnessRow) and item.row.task == task]
    return [row.given for row in rows if row.given is not None] or None


async def _until_shut(gateway: Gateway, running: Coroutine[Any, Any, str]) -> str:
    """Return why the process ended; end it when the budget is used up."""
    process, shut = asyncio.ensure_future(running), asyncio.ensure_future(gateway.is_shut.wait())
    try:
        await asyncio.wait([process, shut], return_when=asyncio.FIRST_COMPLETED)
        return process.result() if process.done() else ""
    finally:
        for task in (process, shut):
            task.cancel()
        await asyncio.gather(process, shut, return_exceptions=True)
