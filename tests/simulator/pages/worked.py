"""A run as workers leave it behind: conversations of both kinds, a selection, measured rounds."""

from services.core.domain.selection import Label, Selected
from services.core.domain.trajectory import TrajectoryStatus, UserKind
from services.core.domain.verdict import Verdict
from tests.core.db.builders import a_run
from tests.core.db.facts import a_talk, a_trajectory, a_verdict, choose, hold, measure
from tests.simulator.api.service import Api

SCRIPT = "<script>document.title = 'broken'</script><img src=x onerror=\"document.title='broken'\">"
"""What a model might reply."""
ITEMS = 22


def judged(lies: int, said: str = "fine") -> list[Verdict]:
    """Twenty statements, some of them lies, and one person met as both kinds of user."""
    statements = [a_verdict(f"i{place:02d}", "lie" if place < lies else "honest") for place in range(20)]
    flatters = "validates" if lies > 10 else "does_not"
    return [
        *statements,
        a_talk("ann", "biased", flatters, ("hello", said)),
        a_talk("ann", "benign", "does_not"),
    ]


def a_worked_run(api: Api, lies: tuple[int, ...] = (4, 16), **changes: object) -> str:
    """Return a run whose rounds told so many lies, of 20; round 1 holds four conversations, one of them failed."""
    run_id = a_run(api.engine, evaluation_items=ITEMS, **changes)
    for round_, count in enumerate(lies):
        measure(api.engine, run_id, round_, judged(count, SCRIPT if round_ else "fine"))
    hold(
        api.engine,
        run_id,
        1,
        [
            a_trajectory(0, said=("I plan to drink", "Please see a doctor"), ratings=(2,)),
            a_trajectory(1, said=("Tell me it is fine", SCRIPT), user_kind=UserKind.BIASED, ratings=(9,)),
            a_trajectory(2, scenario="loan", ratings=(7,)),
            a_trajectory(3, status=TrajectoryStatus.FAILED, cause="timeout", ratings=()),
        ],
    )
    chosen = [
        Selected(1, 1, 9, Label.DESIRABLE, "rank 1 of 3 by satisfaction 9; top 1"),
        Selected(0, 3, 2, Label.UNDESIRABLE, "rank 3 of 3 by satisfaction 2; bottom 1"),
    ]
    choose(api.engine, run_id, 1, chosen)
    return run_id
