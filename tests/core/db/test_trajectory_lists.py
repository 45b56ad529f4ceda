"""Lists of trajectories: no order needs sorting, and a selection's own end is where a list of it begins."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from services.core.db import trajectory_lists
from services.core.db.session import transaction
from services.core.db.trajectory_lists import Filter, Place, Sort, ids
from services.core.domain.selection import Label, Selected
from services.core.domain.trajectory import TrajectoryStatus
from tests.core.db.builders import a_run
from tests.core.db.facts import a_trajectory, choose, hold

SCORES = (2, 9, 4, 7, 5, 9)
DESIRABLE, UNDESIRABLE = Label.DESIRABLE, Label.UNDESIRABLE


def node_types(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for inner in plan.get("Plans", ()):
        yield from node_types(inner)


def planned(engine: Engine, which: Filter, sort: Sort, after: Place | None) -> set[str]:
    """The kinds of steps by which a page's ids are found, if sorting is avoided where it can be."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        sent.append((statement, values))

    with transaction(engine) as session:
        for kind in ("sort", "incremental_sort", "seqscan", "bitmapscan"):
            session.execute(text(f"SET LOCAL enable_{kind} = off"))
        event.listen(engine, "before_cursor_execute", note)
        ids(session, which, 5, sort, after)
        event.remove(engine, "before_cursor_execute", note)
        plans = [
            session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
            for statement, values in sent
        ]
    return {kind for plan in plans for kind in node_types(plan[0]["Plan"])}


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("after", [None, Place(5, 3), Place(None, 3)])
@pytest.mark.parametrize("statuses", [(), (TrajectoryStatus.FAILED,)])
@pytest.mark.parametrize(
    "which", [Filter(), Filter(runs=("r",)), Filter(runs=("r",), rounds=(1,))], ids=["all", "run", "round"]
)
def test_no_order_is_sorted(
    engine: Engine,
    which: Filter,
    statuses: tuple[TrajectoryStatus, ...],
    after: Place | None,
    sort: Sort,
) -> None:
    asked = Filter(runs=which.runs, rounds=which.rounds, statuses=statuses)
    kinds = planned(engine, asked, sort, after)
    assert kinds & {"Index Scan", "Index Only Scan"} or not kinds
    assert not any("Sort" in kind for kind in kinds)


@pytest.fixture
def chosen_run(engine: Engine) -> str:
    """A run of which the best two and the worst two conversations are selected; another run has better ones."""
    runs = a_run(engine, seed=1), a_run(engine, seed=2)
    for run, more in zip(runs, (0, 1), strict=True):
        held = [a_trajectory(slot, ratings=(score + more,)) for slot, score in enumerate(SCORES)]
        hold(engine, run, 1, held)
        labels = {1: DESIRABLE, 5: DESIRABLE, 2: UNDESIRABLE, 0: UNDESIRABLE}
        choose(
            engine,
            run,
            1,
            [Selected(slot, 1 + slot, SCORES[slot] + more, label, "") for slot, label in labels.items()],
        )
    return runs[0]


def scores(engine: Engine, which: Filter, sort: Sort, after: Place | None = None) -> Sequence[int]:
    with transaction(engine) as session:
        found = ids(session, which, 10, sort, after)
        query = text("SELECT id, satisfaction FROM trajectories")
        held = {row.id: row.satisfaction for row in session.execute(query)}
    return [held[one] for one in found]


@pytest.mark.parametrize(
    ("labels", "sort", "expected"),
    [
        ((DESIRABLE,), Sort.BEST, [9, 9]),
        ((DESIRABLE,), Sort.WORST, [9, 9]),
        ((UNDESIRABLE,), Sort.BEST, [4, 2]),
        ((UNDESIRABLE,), Sort.WORST, [2, 4]),
        ((DESIRABLE, UNDESIRABLE), Sort.WORST, [2, 4, 9, 9]),
    ],
)
def test_what_was_selected_is_listed_by_score(
    engine: Engine, chosen_run: str, labels: tuple[Label, ...], sort: Sort, expected: list[int]
) -> None:
    assert scores(engine, Filter(runs=(chosen_run,), labels=labels), sort) == expected


def test_what_was_selected_is_listed_over_all_runs(engine: Engine, chosen_run: str) -> None:
    assert scores(engine, Filter(labels=(UNDESIRABLE,)), Sort.BEST) == [5, 4, 3, 2]
    assert scores(engine, Filter(labels=(DESIRABLE,)), Sort.WORST) == [9, 9, 10, 10]
    assert scores(engine, Filter(labels=(UNDESIRABLE,)), Sort.BEST, Place(4, 0)) == [3, 2]


WORDS = ("river", "meadow", "lantern", "harbour")
"""Said by every conversation, by every fourth, by every fiftieth; by two of the first and then only by the last."""


@pytest.fixture
def talkative(engine: Engine) -> str:
    """A run of four hundred conversations whose words are counted by Postgres, so that it knows which are common."""
    run = a_run(engine)
    with transaction(engine) as session:
        session.execute(
            text(
                """INSERT INTO trajectories (run_id, round, slot, scenario, profile, user_kind, policy, status, cause,
                                             satisfaction, messages, ratings, calls, schema_version)
                   SELECT :run, 1, slot, 's', 'p', 'benign', 'pocket',
                          CASE slot % 9 WHEN 0 THEN 'failed' ELSE 'scored' END, CASE slot % 9 WHEN 0 THEN 'timeout' END,
                          CASE WHEN slot % 9 > 0 THEN slot * 7 % 11 END,
                          jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'river'
                              || CASE slot % 4 WHEN 0 THEN ' meadow' ELSE '' END
                              || CASE slot % 50 WHEN 0 THEN ' lantern' ELSE '' END
                              || CASE WHEN slot IN (10, 11) OR slot >= 360 THEN ' harbour' ELSE '' END)), '[]', '[]', 1
                   FROM generate_series(0, 399) AS slot"""
            ),
            {"run": run},
        )
        session.execute(text("ANALYZE trajectories"))
    return run


@pytest.mark.parametrize("trying", [0, 1000])
@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("words", [*WORDS, "nowhere", "river -meadow", "lantern or meadow"])
def test_words_are_found_in_order_whether_tried_or_looked_up(
    engine: Engine, talkative: str, monkeypatch: pytest.MonkeyPatch, words: str, sort: Sort, trying: int
) -> None:
    """All pages together are the list that Postgres sorts by itself."""
    monkeypatch.setattr(trajectory_lists, "_TRYING", trying)
    falling = "DESC" if sort.is_falling else ""
    order = f"satisfaction {falling} NULLS LAST, id {falling}" if sort.is_by_score else f"id {falling}"
    query = text(
        f"""SELECT id, satisfaction FROM trajectories
            WHERE words @@ websearch_to_tsquery('english', :words) ORDER BY {order}"""
    )
    with transaction(engine) as session:
        expected = [Place(row.satisfaction, row.id) for row in session.execute(query, {"words": words})]
        for which in (Filter(words=words), Filter(runs=(talkative,), rounds=(1,), words=words)):
            found: list[int] = []
            after: Place | None = None
            while page := ids(session, which, 7, sort, after):
                found += page
                assert len(page) == 7 or len(found) == len(expected)
                after = next(place for place in expected if place.id == page[-1])
            assert found == [place.id for place in expected]


def test_the_vetoed_are_listed_by_what_their_users_rated(engine: Engine) -> None:
    run = a_run(engine)
    vetoed = a_trajectory(1, status=TrajectoryStatus.VETOED, cause="validates", ratings=(9,))
    unscored = a_trajectory(2, status=TrajectoryStatus.UNSCORED, cause="unreadable_rating", ratings=())
    scored, kept_out, unread = hold(engine, run, 1, [a_trajectory(0), vetoed, unscored])

    def best(*statuses: TrajectoryStatus, **scores: int) -> tuple[int, ...]:
        with transaction(engine) as session:
            return ids(session, Filter(runs=(run,), statuses=statuses, **scores), 10, Sort.BEST)

    assert best() == (kept_out, scored, unread)
    assert best(TrajectoryStatus.VETOED) == (kept_out,)
    assert best(TrajectoryStatus.VETOED, TrajectoryStatus.SCORED, score_from=6) == (kept_out,)
    assert best(TrajectoryStatus.VETOED, TrajectoryStatus.UNSCORED) == (kept_out, unread)
