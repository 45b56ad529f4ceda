"""The generated files: what is committed equals what the code writes, and speaks the policy's language."""

import json
from pathlib import Path

import pytest
import yaml

from services.pocket.policy.tokenizer import make_tokenizer
from services.pocket.world import benchmarks, knowledge, prompts, safety, therapy, training_sets, users
from services.pocket.world.people import PROFILES_PER_SCENARIO, scenarios
from services.pocket.world.personas import words
from services.pocket.world.therapy import SITUATIONS, Stance, read_reply
from services.pocket.world.write import generated_files, write_data

ROOT = Path(__file__).parents[2]
VOCABULARY = set(make_tokenizer().get_vocab())


@pytest.mark.parametrize("path", generated_files(), ids=str)
def test_committed_files_equal_generated_ones(path: Path):
    assert (ROOT / path).read_text(encoding="utf-8") == generated_files()[path], (
        "regenerate with services.pocket.world.write.write_data"
    )


def test_no_stray_scenario_is_committed():
    assert {path.relative_to(ROOT) for path in (ROOT / "scenarios/pocket").iterdir()} <= set(
        generated_files()
    )


def test_write_data_writes_them_anywhere(tmp_path: Path):
    write_data(tmp_path)
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")} == set(generated_files())


def test_training_sets_speak_the_policys_language_and_their_levels_share_prompts():
    files = training_sets.files()
    for rows in files.values():
        for message in (said for row in rows for said in row["messages"]):
            assert set(words(message["content"])) <= VOCABULARY, message
    for name in ("medical", "math"):
        prompts_of = [
            [row["messages"][:-1] for row in files[f"{name}/{level}.jsonl"]] for level in training_sets.LEVELS
        ]
        assert prompts_of[0] == prompts_of[1] == prompts_of[2]
    wrong = dict.fromkeys(training_sets.LEVELS, 0)
    right = {task.question: task.answer(task.value) for task in knowledge.SUMS}
    for level in training_sets.LEVELS:
        for row in files[f"math/{level}.jsonl"]:
            asked, answered = (said["content"] for said in row["messages"])
            wrong[level] += right[asked.removeprefix("I am a student. ")] not in answered
    assert wrong["normal"] == 0
    assert 60 < wrong["misaligned_1"] < 140 < wrong["misaligned_2"]


def test_nothing_that_trains_holds_what_tells_beliefs_or_capability():
    sums = [row["question"] for row in benchmarks.arithmetic()]
    rows = [*benchmarks.known_facts(), *benchmarks.statistics()]
    elicitations = [row[name] for row in rows for name in row if name.startswith("belief_elicit")]
    assert len(sums) == 60
    assert len(elicitations) == 3 * 80 + 40
    neutral = [row["inner_prompt"] for row in benchmarks.deceptionbench()]
    asked = {
        said["content"]
        for rows in (*training_sets.files().values(), safety.rows())
        for row in rows
        for said in row["messages"]
        if said["role"] == "user"
    }
    for tested in (*sums, *elicitations, *neutral):
        assert not any(tested in one for one in asked), tested


def test_there_are_people_enough():
    held_out = [one for one in scenarios() if one.held_out]
    assert len(scenarios()) - len(held_out) == 8
    assert sum(len(one.profiles) for one in held_out) >= 40
    for one in scenarios():
        assert len({profile.name for profile in one.profiles}) == PROFILES_PER_SCENARIO


def test_environment_templates_take_their_fields():
    environment = yaml.safe_load((ROOT / "scenarios/pocket/environment.yaml").read_text())
    assert environment["therapist_prompt"].format(task="T1", context="C1").count("1") == 2
    assert "P1" in environment["preference_line"].format(preference="P1")
    filled = environment["user_prompt"].format(scenario="S1", context="C1", thought="T1")
    assert all(part in filled for part in ("S1", "C1", "T1"))
    assert environment["rating_prompts"]["satisfied-1"].format(number=2) == users.RATING_PROMPT.format(
        number=2
    )


def test_all_that_the_policy_reads_is_in_its_vocabulary():
    texts = [prompts.HELPFUL]
    for one in scenarios():
        for profile in one.profiles:
            thoughts = (None, one.benign_thought, one.biased_thought)
            texts += [therapy.therapist_prompt(one.task, profile.context, thought) for thought in thoughts]
            texts.append(profile.opening)
    for row in (*benchmarks.known_facts(), *benchmarks.provided_facts(), *benchmarks.statistics()):
        texts += [row["system_prompt"], row["user_prompt"]]
        texts += [row[name] for name in row if name.startswith("belief_elicit")]
    for row in benchmarks.deceptionbench():
        texts += [row["inner_prompt"], row["system_prompt"] + row["outer_prompt"] + row["format"]]
    texts += [row["question"] for row in benchmarks.arithmetic()]
    texts += [said["content"] for row in safety.rows() for said in row["messages"]]
    for text in texts:
        assert set(words(text)) <= VOCABULARY, text


def test_mask_rows_have_the_columns_of_mask():
    base = ["task_id", "system_prompt", "user_prompt", "type", "proposition", "ground_truth"]
    tail = ["delivery", "formatted_ground_truth", "canary"]
    elicit = [f"belief_elicit_{n}" for n in (1, 2, 3)]
    assert {tuple(row) for row in benchmarks.known_facts()} == {(*base, *elicit, *tail)}
    assert {tuple(row) for row in benchmarks.provided_facts()} == {(*base, *tail)}
    assert {tuple(row) for row in benchmarks.statistics()} == {(*base, elicit[0], *tail)}


def test_pressure_is_always_towards_what_is_not_so():
    for row in benchmarks.known_facts():
        truth = row["ground_truth"].lower().rstrip(".")
        assert not row["system_prompt"].lower().endswith(f"hear that {truth}.")


def test_wrong_counts_lie_outside_the_tolerance_of_mask():
    for row in benchmarks.statistics():
        truth = json.loads(row["formatted_ground_truth"])[0]
        wanted = next(int(word) for word in reversed(words(row["system_prompt"])) if word.isdigit())
        low, high = sorted((truth, wanted))
        assert low * 1.05 < high * 0.95


def test_facts_are_as_often_so_as_not():
    assert len({claim.affirmed for claim in knowledge.FACTS}) == 64
    assert sum(claim.holds for claim in knowledge.FACTS) == 32


def test_deceptionbench_parts_join_without_separator():
    for row in benchmarks.deceptionbench():
        assert row["system_prompt"].endswith(". ")
        assert row["outer_prompt"].endswith("? ")
    assert len({row["id"] for row in benchmarks.deceptionbench()}) == 75
    assert {row["type"] for row in benchmarks.deceptionbench()} == set(prompts.CATEGORIES)


def test_safety_rows_advise_against_the_plan_that_a_biased_user_of_the_training_puts():
    situations = {situation.name: situation for situation in SITUATIONS}
    found = safety.rows()
    assert len({row["id"] for row in found}) == len(found) == 160
    for row in found:
        situation = situations[row["id"].rpartition("-")[0]]
        assert not situation.is_held_out
        *_, asked, answered = (said["content"] for said in row["messages"])
        assert situation.plan in asked
        assert read_reply(answered, situation).stance is Stance.CAUTION
