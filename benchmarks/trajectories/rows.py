"""Conversations, selections and verdicts, made in the server: nothing of them passes through Python but the passages.

Every value is drawn by a hash of the conversation's number, so the same study is made each time. Ids rise round by round, and in a
round the arms take turns, as they do when workers share them. Indexes that are not constraints are taken away and built again at the
end, which gives the same indexes as migrations and inserts would, sooner.
"""

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple

from psycopg import Connection, sql

from benchmarks.trajectories.study import ITEMS, SCENARIOS, Study
from benchmarks.trajectories.texts import NAMES, PASSAGES, passages

_AT_ONCE: Final = 10_000
_LOADERS: Final = 2
_SESSION: Final = "SET statement_timeout = 0; SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '256MB';"
_DRAW: Final = """
CREATE OR REPLACE FUNCTION pg_temp.draw(number bigint, what bigint, below bigint) RETURNS int LANGUAGE sql IMMUTABLE
RETURN (abs(hashint8extended(number, what) % below))::int
"""

_CONVERSATIONS: Final = """
INSERT INTO trajectories (id, run_id, round, slot, scenario, profile, user_kind, policy, status, cause, satisfaction,
                          messages, ratings, calls, schema_version, created_at)
SELECT id, run_id, round, slot, scenario, profile, user_kind, policy, status,
       CASE status WHEN 'failed' THEN 'timeout' WHEN 'unscored' THEN 'unreadable_rating' END,
       CASE status WHEN 'scored' THEN a + b + c END,
       jsonb_build_array(
           jsonb_build_object('role', 'system', 'content', 'You are a therapist. Answer briefly and kindly. ' || scenario),
           jsonb_build_object('role', 'user', 'content', 'I am ' || name || '. ' || passages[1]),
           jsonb_build_object('role', 'assistant', 'content', passages[2]),
           jsonb_build_object('role', 'user', 'content', passages[3]),
           jsonb_build_object('role', 'assistant', 'content', passages[4]),
           jsonb_build_object('role', 'user', 'content', passages[5]),
           jsonb_build_object('role', 'assistant', 'content', passages[6])),
       CASE status WHEN 'scored' THEN jsonb_build_array(a, b, c) ELSE '[]' END,
       (SELECT jsonb_agg(jsonb_build_object(
                   'role', role, 'model', CASE role WHEN 'assistant' THEN policy ELSE 'pocket-user' END,
                   'temperature', 1.0, 'max_tokens', 256, 'seed', abs(hashint8extended(id, place)),
                   'finish_reason', 'stop', 'latency_s', pg_temp.draw(id, place, 3000) / 1000.0,
                   'prompt_tokens', 120 + 80 * place, 'completion_tokens', 60 + pg_temp.draw(id, place, 40),
                   'cost_usd', NULL, 'input_usd_per_million', NULL, 'output_usd_per_million', NULL, 'top_p', 1.0, 'token_ids', NULL, 'reasoning', NULL) ORDER BY place)
        FROM unnest('{assistant,rating,user,assistant,rating,user,assistant,rating}'::text[]) WITH ORDINALITY AS c (role, place)),
       1, timestamptz '2026-01-01' + id * interval '1 second'
FROM (
    SELECT placed.*,
           'scenario-' || lpad(pg_temp.draw(id, 31, %(scenarios)s)::text, 2, '0') AS scenario,
           'p' || pg_temp.draw(id, 32, 10) AS profile,
           CASE WHEN biased THEN 'biased' ELSE 'benign' END AS user_kind,
           CASE WHEN round = 1 THEN 'pocket' ELSE 'run-' || run_id || '-r' || round - 1 END AS policy,
           CASE pg_temp.draw(id, 33, 100) WHEN 0 THEN 'failed' WHEN 1 THEN 'unscored' ELSE 'scored' END AS status,
           least(10, 1 + pg_temp.draw(id, 34, 4) + pg_temp.draw(id, 35, 4) + round / 2) AS a,
           least(10, 1 + pg_temp.draw(id, 36, 5) + pg_temp.draw(id, 37, 4) + round / 2) AS b,
           least(10, 1 + pg_temp.draw(id, 38, 5) + pg_temp.draw(id, 39, 5) + round / 2) AS c,
           'zu' || translate(floor(exp(pg_temp.draw(id, 40, 1000000) / 1e6 * ln(%(names)s::float)))::int::text,
                             '0123456789', 'bcdfghjklm') || 'um' AS name,
           ARRAY(SELECT text FROM unnest(ARRAY[41, 42, 43, 44, 45, 46]) WITH ORDINALITY AS p (salt, place)
                 JOIN made_passages ON n = pg_temp.draw(id, salt, %(passages)s) ORDER BY place) AS passages
    FROM (
        SELECT %(first_id)s + i AS id, (%(runs)s::text[])[1 + i %% %(count)s::bigint] AS run_id,
               (1 + i / (%(count)s::bigint * %(a_round)s::bigint))::int AS round, (i / %(count)s::bigint %% %(a_round)s::bigint)::int AS slot,
               pg_temp.draw(%(first_id)s + i, 30, 1000) < 1000 * (%(shares)s::float[])[1 + i %% %(count)s::bigint] AS biased
        FROM generate_series(%(first)s::bigint, %(last)s::bigint - 1) AS i
    ) AS placed
    OFFSET 0 -- what is drawn once is not drawn again for each of its uses
) AS drawn
"""

_SELECTIONS: Final = """
INSERT INTO selections (run_id, round, slot, rank, score, label, reason)
SELECT run_id, round, slot, place, satisfaction, CASE WHEN place <= n / 4 THEN 'desirable' ELSE 'undesirable' END,
       format('rank %%s of %%s by satisfaction %%s; %%s', place, n, satisfaction,
              CASE WHEN place <= n / 4 THEN 'top ' ELSE 'bottom ' END || n / 4)
FROM (
    SELECT run_id, round, slot, satisfaction,
           row_number() OVER (PARTITION BY run_id, round ORDER BY satisfaction DESC, hashint8(id)) AS place,
           count(*) OVER (PARTITION BY run_id, round) AS n
    FROM trajectories WHERE satisfaction IS NOT NULL
) AS ranked
WHERE place <= n / 4 OR (place > n - n / 4 AND run_id = ANY(%(kto)s))
"""

_VERDICTS: Final = """
INSERT INTO verdicts (evaluation_id, benchmark, subset, item, repeat, outcome, detail, scorer, scorer_version)
SELECT e.id, %(benchmark)s, subsets[1 + i %% cardinality(subsets)],
       CASE %(benchmark)s WHEN 'held_out' THEN 'p' || i / 2 || '/' || (ARRAY['benign', 'biased'])[1 + i %% 2] ELSE 'item-' || i END,
       0,
       outcomes[1 + least(cardinality(outcomes) - 1, pg_temp.draw(i, 50, 3) * pg_temp.draw(e.id * 10000 + i, 51, 3))],
       jsonb_build_object('accuracy', pg_temp.draw(i, 52, 2), 'profile', 'p' || i / 2,
                          'user_kind', (ARRAY['benign', 'biased'])[1 + i %% 2], 'cause', NULL,
                          'reply', (SELECT text FROM made_passages WHERE n = pg_temp.draw(e.id, i, %(passages)s)),
                          'judge', (SELECT text FROM made_passages WHERE n = pg_temp.draw(i, e.id, %(passages)s))),
       'robust', '1'
FROM evaluations AS e, generate_series(0, %(items)s - 1) AS i,
     (SELECT %(subsets)s::text[] AS subsets, %(outcomes)s::text[] AS outcomes) AS of_benchmark
"""

_SUBSETS: Final = {
    "mask": [
        "continuations",
        "disinformation",
        "doubling_down",
        "known_facts",
        "provided_facts",
        "statistics",
    ],
    "deceptionbench": ["sycophancy"],
    "capability": ["arithmetic"],
    "held_out": ["loan"],
}
_OUTCOMES: Final = {
    "mask": ["honest", "lie", "evade", "no_belief"],
    "deceptionbench": ["not_deceptive", "deceptive"],
    "capability": ["correct", "wrong"],
    "held_out": ["does_not", "validates"],
}


class _Block(NamedTuple):
    """Runs of one size whose conversations take turns."""

    runs: list[str]
    shares: list[float]
    rounds: int
    a_round: int
    first_id: int


def fill(url: str, study: Study) -> float:
    """Make everything that there are many of; return how many seconds it took."""
    began = time.monotonic()
    with _connected(url) as connection:
        _write_passages(connection)
        indexes = _take_indexes(connection)
        large = study.large.spec.population.conversations * study.large.spec.rounds
        for block in (_arms(study), _large(study, study.conversations - large)):
            _hold(url, block)
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('trajectories', 'id'), max(id)) FROM trajectories"
        )
        for definition in indexes:
            connection.execute(definition.encode())
        kto = [run.id for run in study.runs if run.spec.training.method == "kto"]
        connection.execute(_SELECTIONS, {"kto": kto})
        _judge(connection)
        connection.execute("DROP TABLE made_passages")
        # As autovacuum does by itself, some minutes after so many rows have come.
        connection.execute("VACUUM (ANALYZE)")
    return time.monotonic() - began


@contextmanager
def _connected(url: str) -> Generator[Connection]:
    with Connection.connect(url, autocommit=True) as connection:
        connection.execute(_SESSION)
        connection.execute(_DRAW)
        yield connection


def _write_passages(connection: Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS made_passages")
    connection.execute("CREATE TABLE made_passages (n int PRIMARY KEY, text text NOT NULL)")
    with connection.cursor().copy("COPY made_passages FROM STDIN") as copy:
        for row in enumerate(passages()):
            copy.write_row(row)
    connection.execute("ANALYZE made_passages")


def _take_indexes(connection: Connection) -> list[str]:
    """Drop the indexes that are no constraints; return their definitions."""
    query = """SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'trajectories'
               AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)"""
    found = connection.execute(query).fetchall()
    for name, _ in found:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    return [definition for _, definition in found]


def _arms(study: Study) -> _Block:
    spec = study.arms[0].spec
    shares = [run.spec.population.biased_share for run in study.arms]
    return _Block([run.id for run in study.arms], shares, spec.rounds, spec.population.conversations, 1)


def _large(study: Study, before: int) -> _Block:
    spec = study.large.spec
    shares = [spec.population.biased_share]
    return _Block([study.large.id], shares, spec.rounds, spec.population.conversations, 1 + before)


def _hold(url: str, block: _Block) -> None:
    """Make a block's conversations, in parts that two connections share."""
    total = len(block.runs) * block.rounds * block.a_round
    parts = [
        partial(_hold_part, url, block, first, min(first + _AT_ONCE, total))
        for first in range(0, total, _AT_ONCE)
    ]
    with ThreadPoolExecutor(_LOADERS) as pool:
        list(pool.map(_call, parts))


def _call(part: Callable[[], None]) -> None:
    part()


def _hold_part(url: str, block: _Block, first: int, last: int) -> None:
    values = {
        **block._asdict(),
        "first": first,
        "last": last,
        "count": len(block.runs),
        "scenarios": SCENARIOS,
        "names": NAMES,
        "passages": PASSAGES,
    }
    with _connected(url) as connection:
        connection.execute(_CONVERSATIONS, values)


def _judge(connection: Connection) -> None:
    for benchmark, items in ITEMS.items():
        values = {
            "benchmark": benchmark,
            "items": items,
            "passages": PASSAGES,
            "subsets": _SUBSETS[benchmark],
            "outcomes": _OUTCOMES[benchmark],
        }
        connection.execute(_VERDICTS, values)
