"""What lists of trajectories are asked: each filter, each order, first pages and deep ones, rare words and common ones.

A case asks for something else each time (another run, another word), so that what is measured is not one page that lies ready.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final, NamedTuple

from benchmarks.trajectories.study import ARM_ROUNDS, LARGE_ROUNDS, SCENARIOS, Study
from benchmarks.trajectories.texts import Words
from services.core.db.trajectory_lists import Filter, Place, Sort
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.simulator.api import paging

PAGE: Final = 50
EVERYTHING: Final = Filter()


@dataclass(frozen=True, slots=True)
class Draw:
    """What a case may ask for."""

    study: Study
    words: Words
    random: Random

    def an_arm(self) -> Filter:
        """One run of the study."""
        return Filter(runs=(self.random.choice(self.study.arms).id,))

    def two_arms(self) -> Filter:
        """Two runs of the study."""
        return Filter(runs=tuple(run.id for run in self.random.sample(self.study.arms, 2)))

    def large(self) -> Filter:
        """The large run, a fifth of all."""
        return Filter(runs=(self.study.large.id,))

    def a_round(self) -> Filter:
        """A round of an arm."""
        return replace(self.an_arm(), rounds=(self.random.randint(1, ARM_ROUNDS),))

    def a_large_round(self) -> Filter:
        """A round of the large run: a tenth of all."""
        return replace(self.large(), rounds=(self.random.randint(1, LARGE_ROUNDS),))

    def a_scenario(self) -> Filter:
        """A scenario, of all runs."""
        return replace(EVERYTHING, scenarios=(f"scenario-{self.random.randrange(SCENARIOS):02}",))

    def a_kind(self) -> Filter:
        """A kind of user, of all runs."""
        return replace(EVERYTHING, user_kinds=(self.random.choice(list(UserKind)),))

    def a_policy(self) -> Filter:
        """What one trained policy said."""
        run = self.random.choice(self.study.arms).id
        return replace(EVERYTHING, policies=(f"run-{run}-r{self.random.randint(1, ARM_ROUNDS - 1)}",))

    def a_label(self) -> Filter:
        """What was selected."""
        return replace(EVERYTHING, labels=(Label.DESIRABLE,))

    def scores(self) -> Filter:
        """A range of scores."""
        low = self.random.randint(8, 20)
        return replace(EVERYTHING, score_from=low, score_to=low + 3)

    def place(self) -> Place:
        """Where a page deep in a list begins."""
        return Place(self.random.randint(10, 20), self.random.randrange(self.study.conversations))


@dataclass(frozen=True, slots=True)
class Case:
    """One list."""

    name: str
    which: Callable[[Draw], Filter]
    sort: Sort = Sort.OLDEST
    is_deep: bool = False


class Question(NamedTuple):
    """One page of one list."""

    which: Filter
    sort: Sort
    after: Place | None

    @property
    def query(self) -> Mapping[str, Any]:
        """The same as an address has it."""
        asked = {
            "run": self.which.runs,
            "round": self.which.rounds,
            "scenario": self.which.scenarios,
            "user_kind": self.which.user_kinds,
            "status": self.which.statuses,
            "policy": self.which.policies,
            "label": self.which.labels,
            "score_from": self.which.score_from,
            "score_to": self.which.score_to,
            "q": self.which.words,
            "sort": self.sort.value,
            "limit": PAGE,
            "cursor": self.after and paging.encode(self.sort.value, *self.after),
        }
        return {name: value for name, value in asked.items() if value not in (None, ())}


def question(case: Case, draw: Draw) -> Question:
    """Return a page of a case's list."""
    return Question(case.which(draw), case.sort, draw.place() if case.is_deep else None)


def _both(first: Callable[[Draw], Filter], **more: object) -> Callable[[Draw], Filter]:
    return lambda draw: replace(first(draw), **more)


def _within(
    place: Callable[[Draw], Filter], words: Callable[[Words], tuple[str, ...]]
) -> Callable[[Draw], Filter]:
    return lambda draw: replace(place(draw), words=draw.random.choice(words(draw.words)))


def _combined(draw: Draw) -> Filter:
    scenario, kind = draw.a_scenario().scenarios, (UserKind.BIASED,)
    return replace(
        draw.a_large_round(), scenarios=scenario, user_kinds=kind, labels=(Label.DESIRABLE,), score_from=20
    )


def _two_common(draw: Draw) -> Filter:
    return replace(EVERYTHING, words=" ".join(draw.random.sample(draw.words.common, 2)))


_FAILED: Final = (TrajectoryStatus.FAILED,)
_DESIRABLE: Final = (Label.DESIRABLE,)
_BIASED: Final = (UserKind.BIASED,)

FILTERED: Final = (
    Case("everything, oldest first", lambda _: EVERYTHING),
    Case("everything, newest first, deep", lambda _: EVERYTHING, Sort.NEWEST, is_deep=True),
    Case("everything, best first", lambda _: EVERYTHING, Sort.BEST),
    Case("everything, worst first, deep", lambda _: EVERYTHING, Sort.WORST, is_deep=True),
    Case("a run, oldest first", Draw.an_arm),
    Case("a run, newest first, deep", Draw.an_arm, Sort.NEWEST, is_deep=True),
    Case("a run, best first", Draw.an_arm, Sort.BEST),
    Case("a run, worst first, deep", Draw.an_arm, Sort.WORST, is_deep=True),
    Case("two runs, best first", Draw.two_arms, Sort.BEST),
    Case("the large run, worst first, deep", Draw.large, Sort.WORST, is_deep=True),
    Case("a run's round, oldest first", Draw.a_round),
    Case("a run's round, best first", Draw.a_round, Sort.BEST),
    Case("a round of the large run, newest first", Draw.a_large_round, Sort.NEWEST),
    Case("a round of the large run, best first, deep", Draw.a_large_round, Sort.BEST, is_deep=True),
    Case("round 3 of all runs, newest first", _both(lambda _: EVERYTHING, rounds=(3,)), Sort.NEWEST),
    Case("round 3 of all runs, best first", _both(lambda _: EVERYTHING, rounds=(3,)), Sort.BEST),
    Case("a scenario, oldest first", Draw.a_scenario),
    Case("a scenario, best first, deep", Draw.a_scenario, Sort.BEST, is_deep=True),
    Case(
        "a run and a scenario, best first",
        lambda draw: replace(draw.an_arm(), scenarios=draw.a_scenario().scenarios),
        Sort.BEST,
    ),
    Case("a kind of user, newest first", Draw.a_kind, Sort.NEWEST),
    Case("a kind of user, best first", Draw.a_kind, Sort.BEST),
    Case("a run and biased users, worst first", _both(Draw.an_arm, user_kinds=_BIASED), Sort.WORST),
    Case("a range of scores, oldest first", Draw.scores),
    Case(
        "a run and a range of scores, newest first",
        lambda draw: replace(draw.scores(), runs=draw.an_arm().runs),
        Sort.NEWEST,
    ),
    Case("failed ones, newest first", _both(lambda _: EVERYTHING, statuses=_FAILED), Sort.NEWEST),
    Case("a run's failed ones, oldest first", _both(Draw.an_arm, statuses=_FAILED)),
    Case("a run's failed ones, best first", _both(Draw.an_arm, statuses=_FAILED), Sort.BEST),
    Case("what a policy said, oldest first", Draw.a_policy),
    Case("what a policy said, best first", Draw.a_policy, Sort.BEST),
    Case("selected as desirable, newest first", Draw.a_label, Sort.NEWEST),
    Case("selected as desirable, worst first", Draw.a_label, Sort.WORST),
    Case("a run's desirable ones, best first", _both(Draw.an_arm, labels=_DESIRABLE), Sort.BEST),
    Case("a run's desirable ones, worst first", _both(Draw.an_arm, labels=_DESIRABLE), Sort.WORST),
    Case("the large run's desirable ones, worst first", _both(Draw.large, labels=_DESIRABLE), Sort.WORST),
    Case("large run, round, scenario, biased, desirable, score ≥ 20, best first", _combined, Sort.BEST),
)


def _searches() -> tuple[Case, ...]:
    """Return every order for a word of every frequency, and words within a run."""
    words: Mapping[str, Callable[[Words], tuple[str, ...]]] = {
        "rare word (10 conversations)": lambda words: words.rare,
        "word of 0.3 %": lambda words: words.uncommon,
        "word of 3 %": lambda words: words.medium,
        "common word (half of all)": lambda words: words.common,
    }
    orders = {
        Sort.OLDEST: "oldest first",
        Sort.NEWEST: "newest first",
        Sort.BEST: "best first",
        Sort.WORST: "worst first",
    }
    everywhere = [
        Case(f"{name}, {order}", _within(lambda _: EVERYTHING, some), sort)
        for name, some in words.items()
        for sort, order in orders.items()
    ]
    inside = [
        Case(f"a run and a {name}, best first", _within(Draw.an_arm, some), Sort.BEST)
        for name, some in words.items()
    ]
    return (*everywhere, Case("two common words, best first", _two_common, Sort.BEST), *inside)


SEARCHES: Final = _searches()
