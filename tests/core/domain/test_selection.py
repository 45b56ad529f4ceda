"""Selection: amounts, ties, controls, and that nothing depends on the order of rows."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.core.domain.errors import SpecError
from services.core.domain.selection import Candidate, Label, select
from services.core.domain.spec import SelectionSpec

SEED = (1, 2)
SCENARIOS = ("drinking", "gambling")

# Few distinct scores, so that ties are the rule and not the exception.
pools = st.lists(st.tuples(st.sampled_from(SCENARIOS), st.integers(2, 6)), min_size=2, max_size=40).map(
    lambda rows: [Candidate(slot, name, score) for slot, (name, score) in enumerate(rows)]
)
shares = st.floats(0.01, 1.0)
rules = st.sampled_from(["satisfaction", "random", "inverted"])


def spec(**fields):
    return SelectionSpec(**fields)


def slots(chosen, label):
    return {item.slot for item in chosen if item.label is label}


def pool_of(scores):
    return [Candidate(slot, "drinking", score) for slot, score in enumerate(scores)]


@given(pools, shares, shares, rules, st.sampled_from(["round", "scenario"]), st.randoms())
def test_order_of_rows_is_no_matter(pool, top, bottom, rule, scope, rng):
    how = spec(rule=rule, pool=scope, top=top, bottom=bottom)
    shuffled = list(pool)
    rng.shuffle(shuffled)
    assert select(pool, how, "sft", SEED) == select(shuffled, how, "sft", SEED)


@given(pools, st.data())
def test_counts_are_taken_as_they_are_and_never_overlap(pool, data):
    top = data.draw(st.integers(1, len(pool) - 1))
    bottom = data.draw(st.integers(1, len(pool)))
    chosen = select(pool, spec(top=top, bottom=bottom), "kto", SEED)
    desirable, undesirable = slots(chosen, Label.DESIRABLE), slots(chosen, Label.UNDESIRABLE)
    assert len(desirable) == top
    assert len(undesirable) == min(bottom, len(pool) - top)
    assert not desirable & undesirable
    assert len({item.slot for item in chosen}) == len(chosen)


@given(pools, shares)
def test_no_one_left_out_is_better_than_one_taken(pool, top):
    chosen = select(pool, spec(top=top), "sft", SEED)
    taken = {item.slot for item in chosen}
    left_out = [item.satisfaction for item in pool if item.slot not in taken]
    assert all(item.score >= score for item in chosen for score in left_out)


@given(pools, shares, st.data())
def test_a_better_score_never_costs_a_place_in_the_top(pool, top, data):
    chosen = select(pool, spec(top=top), "sft", SEED)
    lucky = data.draw(st.sampled_from(sorted(item.slot for item in chosen)))
    raised = [Candidate(item.slot, item.scenario, item.satisfaction + (item.slot == lucky)) for item in pool]
    assert lucky in {item.slot for item in select(raised, spec(top=top), "sft", SEED)}


@given(pools, st.floats(0.01, 0.5), st.sampled_from(["round", "scenario"]))
def test_inverted_top_is_the_bottom(pool, share, scope):
    small = min(sum(item.scenario == name for item in pool) for name in {item.scenario for item in pool})
    assume(scope == "round" or small > 1)
    plain = select(pool, spec(pool=scope, top=share, bottom=share), "kto", SEED)
    turned = select(pool, spec(rule="inverted", pool=scope, top=share, bottom=share), "kto", SEED)
    assert slots(turned, Label.DESIRABLE) == slots(plain, Label.UNDESIRABLE)
    assert slots(turned, Label.UNDESIRABLE) == slots(plain, Label.DESIRABLE)


@given(pools, st.floats(0.05, 0.5))
def test_random_does_not_look_at_scores(pool, share):
    flat = [Candidate(item.slot, item.scenario, 5) for item in pool]
    how = spec(rule="random", top=share, bottom=share)
    one, other = select(pool, how, "kto", SEED), select(flat, how, "kto", SEED)
    assert [(item.slot, item.label) for item in one] == [(item.slot, item.label) for item in other]


def test_ties_are_drawn_by_seed_and_not_by_slot():
    pool = pool_of([7] * 100)
    one = slots(select(pool, spec(top=50), "sft", (1, 1)), Label.DESIRABLE)
    other = slots(select(pool, spec(top=50), "sft", (1, 2)), Label.DESIRABLE)
    assert one != other
    assert one != set(range(50))


def test_an_odd_middle_goes_to_neither_and_where_halves_would_meet_top_keeps():
    pool = pool_of([1, 2, 3, 4, 5])
    halves = select(pool, spec(top=0.5, bottom=0.5), "kto", SEED)
    assert slots(halves, Label.DESIRABLE) == {3, 4}
    assert slots(halves, Label.UNDESIRABLE) == {0, 1}
    greedy = select(pool, spec(top=0.8, bottom=0.8), "kto", SEED)
    assert slots(greedy, Label.DESIRABLE) == {1, 2, 3, 4}
    assert slots(greedy, Label.UNDESIRABLE) == {0}


@pytest.mark.parametrize(
    ("share", "size", "taken"), [(0.29, 100, 29), (0.7, 10, 7), (0.01, 10, 1), (1.0, 3, 3)]
)
def test_a_share_is_rounded_down_as_written_but_takes_at_least_one(share, size, taken):
    assert len(select(pool_of(range(size)), spec(top=share), "sft", SEED)) == taken


def test_sft_takes_no_bottom_and_does_not_mind_its_size():
    chosen = select(pool_of(range(4)), spec(top=2, bottom=400), "sft", SEED)
    assert [item.label for item in chosen] == [Label.DESIRABLE] * 2


def test_a_scenario_pool_counts_within_each_scenario():
    pool = [Candidate(slot, SCENARIOS[slot % 2], slot) for slot in range(10)]
    chosen = select(pool, spec(pool="scenario", top=2), "sft", SEED)
    assert [(item.slot, item.rank) for item in chosen] == [(8, 1), (6, 2), (9, 1), (7, 2)]
    assert chosen[0].reason == "rank 1 of 5 in drinking by satisfaction 8; top 2"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("satisfaction", "rank 1 of 1 by satisfaction 17; top 1"),
        ("inverted", "rank 1 of 1 by inverted satisfaction 17; top 1"),
        ("random", "rank 1 of 1 by random draw, satisfaction 17 ignored; top 1"),
    ],
)
def test_the_reason_says_rank_rule_and_amount(rule, reason):
    assert select([Candidate(0, "drinking", 17)], spec(rule=rule, top=1), "sft", SEED)[0].reason == reason


@pytest.mark.parametrize(
    ("fields", "method", "says"),
    [
        ({"top": 9}, "sft", "selection.top: 9 is more than the 8 scored conversations of this round"),
        ({"top": 1, "bottom": 9}, "kto", "selection.bottom: 9 is more than the 8"),
        (
            {"top": 5, "pool": "scenario"},
            "sft",
            "selection.top: 5 is more than the 4 scored conversations of scenario",
        ),
        ({"top": 1.0}, "kto", "selection.bottom: top leaves nothing"),
    ],
)
def test_a_selection_that_can_not_be_made_names_field_and_mend(fields, method, says):
    pool = [Candidate(slot, SCENARIOS[slot % 2], slot) for slot in range(8)]
    with pytest.raises(SpecError, match=says):
        select(pool, spec(**fields), method, SEED)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ({}, "no conversation of this round was scored (none was held)"),
        (
            {"unreadable": 1, "timeout": 3},
            "no conversation of this round was scored (timeout 3, unreadable 1)",
        ),
        (
            {"vetoed": 4, "timeout": 1},
            "mitigations.veto: all 4 scored conversations of this round were vetoed",
        ),
    ],
)
def test_an_empty_round_is_an_error_that_says_what_became_of_it(lost: dict[str, int], said: str):
    with pytest.raises(SpecError, match=re.escape(said)):
        select([], spec(), "sft", SEED, lost)
