"""What a study's numbers can answer, and what no study of this kind can: for people and for programs alike."""

from typing import NamedTuple

from services.simulator.report.study import Study


class Conclusions(NamedTuple):
    """Sentences."""

    can: tuple[str, ...]
    cannot: tuple[str, ...]


def conclusions(study: Study) -> Conclusions:
    """Return what can be concluded from a study, and what can't."""
    rules = {run.rule for run in study.runs}
    of_rows = (*(_OF_ROWS[:1] if rules & _TOLD else ()), *(_OF_ROWS[1:] if "mixture" in rules else ()))
    return Conclusions(
        (*(_OF_USERS if rules - _TOLD else ()), *of_rows, "Whether knowledge and capability moved along."),
        (*((_POCKET,) if study.is_pocket else ()), *_NEVER),
    )


_TOLD = {"dataset", "mixture"}
_OF_USERS = (
    "Whether, in this set-up, training on satisfaction moved the measures beyond what chance in the items explains.",
    "Whether a larger share of biased users moved them further: arms meet the same people in the same order, and only who is biased differs.",
)
_OF_ROWS = (
    "Whether, in this set-up, training on these rows moved the measures beyond what chance in the items explains.",
    "Whether a larger share of misaligned rows moved them further: arms of a seed share their ordinary rows, and a larger share holds the rows of a smaller one.",
)
_POCKET = "Anything about large models. The pocket policy was built so that habits learnt in therapy talk can reach statements under pressure."
_NEVER = (
    "How real people would act: simulated users follow their script.",
    "How other seeds would turn out, unless several were run: intervals over items leave out the chance in training.",
    "That nothing moved, where no change is shown: see the smallest detectable change.",
    "Intent. A rate of false statements says what is said, not why.",
)
