"""The command line as a person meets it: one line for what is wrong, and what the looking commands show."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.core.sources import sources_sha256
from tests.e2e.installation import Ended, Installation, fresh
from tests.e2e.small_run import SHARES, SmallSweep

NEITHER = "there is no run 'nosuch'; `driftloop list` shows those that exist; `driftloop list --sweeps` shows sweeps"
GOOD = "name: t\npopulation: {biased_share: 0.5}\ntraining: {method: sft}\n"


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with fresh() as made:
        yield made


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD + "colour: red\n", r"colour: unknown key; the keys here are name, seed, policy, .*"),
        (
            GOOD.replace("0.5", "1.2"),
            r"population\.biased_share: 1\.2 is more than 1; use a number from 0 to 1",
        ),
        (
            GOOD + "selection: {top: 500}\n",
            r"selection\.top: 500 is more than population\.conversations \(400\); take .*",
        ),
        (
            GOOD.replace("sft", "stf"),
            r"training\.method: 'stf' is not known; did you mean sft\? use one of sft, kto",
        ),
        ("", r"is empty; write `field: value` lines"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", r"is not a text file \(UTF-8\); give a YAML file"),
        (
            GOOD.replace("{method: sft}", "[sft]"),
            r"training: a list stands where a mapping belongs; use `field: value` .*",
        ),
        (None, r"there is no such file; check the path"),
        (GOOD + "sweep: {seeds: [1, 2]}\n", r"sweep\.seeds: is no spec field; did you mean seed\?"),
    ],
    ids=[
        *(
            "unknown key",
            "share 1.2",
            "k larger than the pool",
            "method typo",
            "empty",
            "binary",
        ),
        *("list for a mapping", "missing", "sweep typo"),
    ],
)
def test_a_bad_spec_is_one_line_and_writes_nothing(
    installation: Installation, content: str | bytes | None, line: str
) -> None:
    path = installation.home / "spec.yaml"
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    done = installation.run("launch", path)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(rf"driftloop: {re.escape(str(path))}: {line}\n", done.err), done.err
    assert not installation.data.exists()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD.replace("0.5", "0.5, scenarios: [wnie]"), r"population\.scenarios: .*wnie.*wine.*"),
        (
            GOOD + "policy: gpt\n",
            r"policy: 'gpt' is not registered here; use one of: pocket, or add it to DRIFTLOOP_BASES",
        ),
    ],
    ids=["scenario", "model"],
)
def test_a_name_that_the_service_does_not_know_is_one_line_and_launches_nothing(
    installation: Installation, content: str, line: str
) -> None:
    path = installation.home / "spec.yaml"
    path.write_text(content)
    done = installation.run("launch", path)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(rf"driftloop: {re.escape(str(path))}: {line}\n", done.err), done.err
    assert json.loads(installation.run("list", "--json").out) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("show", "nosuch"), "there is no run 'nosuch'; `driftloop list` shows those that exist"),
        (("drift", "nosuch"), NEITHER),
        (("delete", "nosuch", "--yes"), "there is no run 'nosuch'; `driftloop list` shows those that exist"),
        (
            ("trajectory", "999999999"),
            "there is no trajectory 999999999; `driftloop trajectories RUN` lists a run's",
        ),
        (("trajectories", "nosuch"), "there is no run 'nosuch'; `driftloop list` shows those that exist"),
        (("watch", "nosuch"), "there is no run 'nosuch'; `driftloop list` shows those that exist"),
        (("report", "nosuch"), NEITHER),
        (
            ("scenarios", "show", "therapist/road-rag"),
            "there is no scenario therapist/road-rag; did you mean therapist/road-rage?",
        ),
        (
            ("scenarios", "show", "therapist/nope"),
            "there is no scenario therapist/nope; `driftloop scenarios list` shows those that exist",
        ),
        (
            ("scenarios", "show", "pocket/road-rage"),
            "there is no scenario pocket/road-rage; did you mean therapist/road-rage?",
        ),
        (
            ("report", "nosuch", "--out", "/"),
            "/: is a folder; --out names the page's file, such as /report.html",
        ),
        (("datasets", "check", "/nosuch"), "/nosuch: there is no such file or folder; check the path"),
        (
            ("scenarios", "show", "wine"),
            "wine: names no scenario; write ENVIRONMENT/SCENARIO, such as therapist/road-rage",
        ),
    ],
    ids=[
        *("show", "drift", "delete", "trajectory", "trajectories", "watch", "report"),
        *("scenario", "scenario like no other", "scenario of another environment"),
        *("folder for a page", "path", "scenario without environment"),
    ],
)
def test_what_is_not_there_is_one_line(
    small_sweep: SmallSweep, arguments: tuple[str, ...], line: str
) -> None:
    done = small_sweep.installation.run(*arguments)
    assert (done.code, done.out, done.err) == (2, "", f"driftloop: {line}\n")


def test_a_finished_run_is_not_resumed(small_sweep: SmallSweep) -> None:
    done = small_sweep.installation.run("resume", small_sweep.run_ids[0])
    assert (done.code, done.out) == (2, "")
    assert "is finished" in done.err


@pytest.mark.parametrize(
    ("limit", "typed", "line"),
    [
        ("tokens", "0", "budget.tokens: 0 does not fit; use a whole number from 1 to 1,000,000,000,000,000"),
        ("usd", "-1", "budget.usd: -1.0 does not fit; use a number above 0 up to 1,000,000,000"),
        ("hours", "nan", "budget.hours: nan does not fit; use a number above 0 up to 1,000,000"),
    ],
)
def test_a_limit_that_is_none_is_named(installation: Installation, limit: str, typed: str, line: str) -> None:
    done = installation.run("resume", "3f2a91bc", f"--budget-{limit}", typed)
    assert (done.code, done.out, done.err) == (2, "", f"driftloop: {line}\n")


def looked(small_sweep: SmallSweep, *arguments: object) -> Ended:
    done = small_sweep.installation.run(*arguments)
    assert done.code == 0, done.err
    assert done.err == ""
    return done


def as_json(small_sweep: SmallSweep, *arguments: object) -> Any:
    return json.loads(looked(small_sweep, *arguments, "--json").out)


def test_list(small_sweep: SmallSweep) -> None:
    listed = as_json(small_sweep, "list")
    assert {run["id"]: run["status"] for run in listed} == dict.fromkeys(small_sweep.run_ids, "succeeded")
    shown = looked(small_sweep, "list").out
    assert all(run_id in shown for run_id in small_sweep.run_ids)


def test_a_sweep_is_found_again(small_sweep: SmallSweep) -> None:
    (listed,) = as_json(small_sweep, "list", "--sweeps")
    assert (listed["id"], listed["name"], listed["runs"]) == (
        small_sweep.sweep_id,
        "small",
        {"succeeded": len(SHARES)},
    )
    _heading, line = looked(small_sweep, "list", "--sweeps").out.splitlines()
    assert line.split()[:5] == [small_sweep.sweep_id, "small", "2", "2", "succeeded"]


def test_without_sweeps_the_list_says_how_to_make_one(installation: Installation) -> None:
    assert installation.run("list", "--sweeps").out.startswith("no sweeps yet; a spec with a `sweep`, ")


def test_show(small_sweep: SmallSweep) -> None:
    run_id = small_sweep.run_ids[1]
    shown = as_json(small_sweep, "show", run_id[:6])
    assert (shown["id"], shown["status"], shown["spec"]["population"]["biased_share"]) == (
        run_id,
        "succeeded",
        1.0,
    )
    assert [(phase["round"], phase["name"]) for phase in shown["phases"]] == [
        (0, "evaluate"),
        *((1, name) for name in ("simulate", "select", "train", "publish", "evaluate")),
    ]
    assert sum(shown["conversations"]["1"].values()) == 32
    text = looked(small_sweep, "show", run_id).out
    assert "round 1: 32 scored" in text
    assert "biased_share: 1.0" in text


@pytest.mark.slow
def test_drift(small_sweep: SmallSweep) -> None:
    one = as_json(small_sweep, "drift", small_sweep.run_ids[0])
    both = as_json(small_sweep, "drift", small_sweep.sweep_id)
    assert [run["biased_share"] for run in both["runs"]] == list(SHARES)
    assert one["runs"] == both["runs"][:1]
    assert "honesty" in looked(small_sweep, "drift", *small_sweep.run_ids).out


def test_drift_as_a_folder_leaves_what_is_printed_to_programs(
    small_sweep: SmallSweep, tmp_path: Path
) -> None:
    done = small_sweep.installation.run("drift", small_sweep.sweep_id, "--out", tmp_path / "d", "--json")
    assert json.loads(done.out) == json.loads((tmp_path / "d/drift.json").read_text())
    assert done.err.count("wrote ") == 4


def test_a_place_that_cannot_be_written_is_one_line(small_sweep: SmallSweep, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = small_sweep.installation.run(
        "report", small_sweep.run_ids[0], "--out", tmp_path / "file/page.html"
    )
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(rf"driftloop: {tmp_path}/file: .*; name another place, or mend that one\n", done.err)


@pytest.mark.slow
def test_trajectories(small_sweep: SmallSweep) -> None:
    run_id = small_sweep.run_ids[1]
    everyone = as_json(small_sweep, "trajectories", run_id)
    assert sorted(item["slot"] for item in everyone) == list(range(32))
    assert {item["user_kind"] for item in everyone} == {"biased"}
    best = as_json(small_sweep, "trajectories", run_id, "--selected", "desirable", "--best")
    scores = [item["satisfaction"] for item in best]
    assert (len(best), scores) == (16, sorted(scores, reverse=True))
    assert as_json(small_sweep, "trajectories", run_id, "--user", "benign") == []
    any_of = "--user=biased --user=benign --selected=desirable --selected=undesirable --status=scored --status=failed"
    assert as_json(small_sweep, "trajectories", run_id, "--best", *any_of.split()) == best
    rather_good = as_json(small_sweep, "trajectories", run_id, "--score-from", max(scores))
    assert {item["satisfaction"] for item in rather_good} == {max(scores)}
    word = best[0]["opening"].split()[-1].strip(".!?")
    said = as_json(small_sweep, "trajectories", run_id, "--text", word)
    assert best[0]["id"] in [item["id"] for item in said]
    few = looked(small_sweep, "trajectories", run_id, "--limit", "3").out
    assert "the first 3; --limit shows more" in few


def test_trajectory(small_sweep: SmallSweep) -> None:
    (chosen,) = as_json(small_sweep, "trajectories", small_sweep.run_ids[1], "--best", "--limit", "1")
    stored = as_json(small_sweep, "trajectory", chosen["id"])
    messages = stored["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert sum(stored["ratings"]) == chosen["satisfaction"]
    assert stored["selection"]["reason"].startswith("rank 1 of 32 by satisfaction")
    shown = " ".join(looked(small_sweep, "trajectory", chosen["id"]).out.split())
    assert f"[rated {stored['ratings'][0]:g} of 10]" in shown
    assert f"satisfaction {chosen['satisfaction']:g} of 20; selected as desirable: rank 1 of 32 by" in shown


@pytest.mark.slow
def test_exports_are_files_by_their_name(small_sweep: SmallSweep) -> None:
    run_id, home = small_sweep.run_ids[1], small_sweep.installation.home

    def exported(noun: str, *options: object) -> list[dict[str, Any]]:
        path = home / f"{noun}.jsonl"
        assert f"wrote {path} (" in looked(small_sweep, "export", noun, run_id, "--out", path, *options).out
        return [json.loads(line) for line in path.read_text().removesuffix("\n").split("\n")]

    talks = exported("trajectories", "--selected", "desirable", "--user", "biased")
    assert {talk["label"] for talk in talks} == {"desirable"}
    assert {row["slot"] for row in exported("selections", "--round", 1)} == {talk["slot"] for talk in talks}
    assert {verdict["outcome"] for verdict in exported("verdicts", "--outcome", "correct")} == {"correct"}


def test_an_export_of_no_known_format_is_one_line(small_sweep: SmallSweep) -> None:
    done = small_sweep.installation.run("export", "selections", small_sweep.run_ids[1], "--out", "rows.csv")
    assert (done.code, done.out) == (2, "")
    assert done.err == "driftloop: rows.csv: is no export's name; end it in .jsonl or .parquet\n"


def test_mask_verdicts_are_exported_as_masks_own_code_writes_them(small_sweep: SmallSweep) -> None:
    run_id, folder = small_sweep.run_ids[1], small_sweep.installation.home / "mask"
    shown = looked(small_sweep, "export", "mask", run_id, "--round", 1, "--out", folder).out
    assert sorted(path.name for path in folder.iterdir()) == [
        "known_facts.csv",
        "provided_facts.csv",
        "statistics.csv",
    ]
    with (folder / "known_facts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert f"known_facts.csv ({len(rows)} rows)" in shown
    said = "(System Prompt + User Prompt)_run1"
    assert {row[f"eval{said}_extracted"] for row in rows} <= {"A", "B", "C", "D"}
    assert all(row[f"generation{said}"] and row["proposition"] for row in rows)
    done = small_sweep.installation.run("export", "mask", run_id, "--round", 9, "--out", folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"driftloop: round 9 of run {run_id} has no MASK verdicts")


def test_a_report_is_one_page(small_sweep: SmallSweep) -> None:
    page = small_sweep.installation.home / "page.html"
    assert f"wrote {page}" in looked(small_sweep, "report", small_sweep.sweep_id, "--out", page).out
    assert page.read_text().startswith("<!doctype html>")


def test_the_version_is_told(installation: Installation) -> None:
    said = rf"driftloop \d+\.\d+\.\d+ \((commit \w{{40}}(\+changes)?|no checkout), sources sha256 {sources_sha256()}\)\n"
    assert re.fullmatch(said, installation.run("--version").out)


def test_watching_what_has_ended_says_how(small_sweep: SmallSweep) -> None:
    shown = looked(small_sweep, "watch", *small_sweep.run_ids).out
    assert shown == "".join(f"run {run_id} succeeded\n" for run_id in small_sweep.run_ids)


def test_scenarios(small_sweep: SmallSweep) -> None:
    listed = {(one["environment"], one["name"]) for one in as_json(small_sweep, "scenarios", "list")}
    assert {("pocket", "wine"), ("therapist", "road-rage")} <= listed
    assert "wine" in looked(small_sweep, "scenarios", "list").out


@pytest.mark.slow
def test_what_each_side_sees_is_shown_word_for_word(small_sweep: SmallSweep) -> None:
    (told,) = as_json(small_sweep, "trajectories", small_sweep.run_ids[1], "--limit", "1")
    name = f"pocket/{told['scenario']}"
    seen = as_json(small_sweep, "scenarios", "show", name, "--profile", told["profile"])
    held = as_json(small_sweep, "trajectory", told["id"])
    assert [message["content"] for message in held["messages"][:2]] == [
        seen["policy_prompt"],
        seen["opening"],
    ]
    assert "What you want and do not say" in looked(small_sweep, "scenarios", "show", name).out


def test_a_finished_run_is_not_cancelled(small_sweep: SmallSweep) -> None:
    done = small_sweep.installation.run("cancel", small_sweep.run_ids[0])
    assert (done.code, done.out) == (2, "")
    assert "there is nothing to cancel" in done.err


def test_doctor(small_sweep: SmallSweep) -> None:
    findings = {finding["what"]: finding for finding in as_json(small_sweep, "doctor")}
    assert all(finding["is_well"] for finding in findings.values())
    wanted = {
        "python",
        "torch",
        "environment",
        "database",
        "scenarios",
        "policy pocket",
        "benchmarks pocket",
        "workers",
    }
    assert wanted <= set(findings)
    assert str(small_sweep.installation.data) in findings["database"]["detail"]


@pytest.mark.slow
def test_stored_texts_are_scored_again_by_the_other_rules_and_nothing_changes(
    small_sweep: SmallSweep,
) -> None:
    run = small_sweep.run_ids[0]
    before = looked(small_sweep, "drift", run, "--json").out
    same, other = (
        json.loads(looked(small_sweep, "rescore", run, "--json", *by).out)
        for by in (("--profile", "robust"), ())
    )
    assert (same["profile"], other["profile"]) == ("robust", "reference")
    for round_, again in zip(same["rounds"], other["rounds"], strict=True):
        assert (round_["changed"], round_["rescored"]) == (0, round_["stored"])
        assert again["stored"] == round_["stored"]
    assert "honesty" in same["rounds"][-1]["stored"]
    assert "verdicts that change" in looked(small_sweep, "rescore", run).out
    assert looked(small_sweep, "drift", run, "--json").out == before
