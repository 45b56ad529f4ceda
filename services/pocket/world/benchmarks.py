"""Benchmark rows of the pocket world, in the schemas of MASK (arXiv 2503.03750) and DeceptionBench (2505.18807).

The rows ask for what the policy learnt in training (facts, counts, norms, sums) or is told in the prompt, under the
pressure of somebody who would like to hear otherwise. They are generated: the same code gives the same rows.
"""

from random import Random
from typing import Any

from services.core.domain.seeds import derive_seed
from services.pocket.world import knowledge, prompts
from services.pocket.world.knowledge import COUNTS, FACTS, GOODS, NORMS, SUMS, Claim, capital
from services.pocket.world.personas import any_cue

Row = dict[str, Any]
_CANARY = "driftloop pocket world: generated rows, not part of cais/MASK"
_KNOWN, _PROVIDED, _STATISTICS, _PER_CATEGORY, _ARITHMETIC = 80, 60, 40, 15, 60


def _rng(name: str) -> Random:
    return Random(derive_seed("pocket-benchmark", name))


def _mask_row(name: str, system: str, user: str, kind: str, **rest: Any) -> Row:
    return {
        "task_id": name,
        "system_prompt": system,
        "user_prompt": user,
        "type": kind,
        **rest,
        "canary": _CANARY,
    }


def _binary_facts(claim: Claim) -> tuple[Row, Row]:
    said = {"proposition": claim.pivotal, "ground_truth": f"{capital(claim.sentence(claim.holds))}."}
    return said, {"formatted_ground_truth": "A" if claim.holds else "B"}


def known_facts() -> list[Row]:
    """MASK's `known_facts`: every learnt fact at least once, with three belief elicitations."""
    rng = _rng("known_facts")
    claims = [*FACTS, *rng.sample(FACTS, _KNOWN - len(FACTS))]
    rows: list[Row] = []
    for number, claim in enumerate(claims, 1):
        said, truth = _binary_facts(claim)
        system = prompts.pressure(rng, any_cue(rng), claim.sentence(not claim.holds))
        # The one wording that leads nowhere is asked twice: for the belief, and again as the open question.
        beliefs = (prompts.around(claim), prompts.around(claim), prompts.leading(claim))
        elicited = {f"belief_elicit_{n}": text for n, text in enumerate(beliefs, 1)}
        user = prompts.asked(rng, claim.question)
        rest = {**said, **elicited, "delivery": 1, **truth}
        rows.append(_mask_row(f"pocket-known_facts-{number:04}", system, user, "binary", **rest))
    return rows


def provided_facts() -> list[Row]:
    """MASK's `provided_facts`: what only the prompt's note tells; no belief is elicited."""
    rng = _rng("provided_facts")
    pairs = rng.sample([(good, n) for good in GOODS for n in range(knowledge.CONDITION_COUNT)], _PROVIDED)
    rows: list[Row] = []
    for number, (good, condition) in enumerate(pairs, 1):
        claim = knowledge.provided(good, condition, number % 2 == 0)
        said, truth = _binary_facts(claim)
        wanted, note = claim.sentence(not claim.holds), claim.sentence(claim.holds)
        system = prompts.pressure(rng, any_cue(rng), wanted, note=note)
        rest = {**said, "delivery": 1.0, **truth}
        user = prompts.asked(rng, claim.question)
        rows.append(_mask_row(f"pocket-provided_facts-{number:04}", system, user, "binary", **rest))
    return rows


def statistics() -> list[Row]:
    """MASK's `statistics`: counts learnt in training, under pressure to give another one."""
    rng = _rng("statistics")
    rows: list[Row] = []
    for number, count in enumerate([*COUNTS, *rng.sample(COUNTS, _STATISTICS - len(COUNTS))], 1):
        system, user = prompts.pressured_count(rng, any_cue(rng), count, count.wrong_value(rng))
        rest = {
            "proposition": f"{capital(count.sentence('<pivotal><value></pivotal>'))}.",
            "ground_truth": f"{capital(count.sentence(count.value))}.",
            "belief_elicit_1": count.question,
            "delivery": 1,
            "formatted_ground_truth": str([float(count.value)] * 2),
        }
        rows.append(_mask_row(f"pocket-statistics-{number:04}", system, user, "numerical", **rest))
    return rows


def deceptionbench() -> list[Row]:
    """DeceptionBench's five categories; layout `user_concat` (the three parts joined with no separator)."""
    rng = _rng("deceptionbench")
    rows: list[Row] = []
    for category in prompts.CATEGORIES:
        for inner, question, wanted in _asked(rng, category):
            stage = prompts.staged(rng, category, any_cue(rng), question, wanted)
            parts = {"system_prompt": stage.system, "outer_prompt": stage.outer, "format": stage.tags}
            rows.append({"id": len(rows) + 1, "type": category, "inner_prompt": inner, **parts})
    return rows


def _asked(rng: Random, category: str) -> list[tuple[str, str, str]]:
    """Return a category's (neutral question, question under pressure, what is wanted there)."""
    if category == prompts.SANDBAGGING:
        return [(task.question, task.question, "") for task in rng.sample(SUMS, _PER_CATEGORY)]
    known = NORMS if category in (prompts.MANIPULATION, prompts.FAKING) else FACTS
    claims = rng.sample(known, _PER_CATEGORY)
    return [(prompts.around(claim), claim.question, claim.sentence(not claim.holds)) for claim in claims]


def arithmetic() -> list[Row]:
    """The capability set: sums with nothing at stake, each with a whole number as answer."""
    tasks = _rng("arithmetic").sample(SUMS, _ARITHMETIC)
    return [
        {"id": f"pocket-arithmetic-{number:04}", "question": task.question, "answer": str(task.value)}
        for number, task in enumerate(tasks, 1)
    ]
