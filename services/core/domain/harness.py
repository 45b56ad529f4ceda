"""What a spec says of capability by published tasks."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from services.core.domain.section import Section

Task = Literal["mmlu_0_shot", "gsm8k", "gpqa_diamond", "humaneval"]


class HarnessSpec(Section):
    """Capability by published tasks, as the harness inspect_evals asks and scores them, in place of the questions of `evaluation.data`."""

    tasks: tuple[Task, ...] = ()
    """Tasks by inspect_evals' names; none means that there is no harness. humaneval runs what the policy wrote, in docker only."""
    rows: Literal["hub", "data"] = "hub"
    """Each task's own data set, from the Hub; or the rows of `evaluation.data`, in the columns of that data set, for machines that can't
    reach it."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Most samples of each task, the first ones in its order; none means `evaluation.limit`."""

    @field_validator("tasks")
    @classmethod
    def _each_once(cls, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        if len(set(tasks)) < len(tasks):
            raise ValueError("names a task twice; name it once")
        return tasks
