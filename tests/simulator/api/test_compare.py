"""Several runs on one page: as data that can be read back, as a report, as a figure."""

import json

import pytest

from services.core.db import sweeps
from services.core.db.session import transaction
from services.core.rest.studies import StudyView
from services.simulator.report.drift_json import drift_json
from services.simulator.report.gather import read_study
from services.simulator.report.wire import study_of
from tests.core.db.builders import a_run
from tests.core.db.facts import a_talk, a_trajectory, a_verdict, hold, measure
from tests.simulator.api.service import Api

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def sweep(api: Api) -> tuple[str, str]:
    """Two arms of a sweep, the first with two measured rounds, the second with one."""
    arms = tuple(
        a_run(api.engine, 4, population={"biased_share": share, "conversations": 10}) for share in (0.0, 1.0)
    )
    for run, rounds in zip(arms, (2, 1), strict=True):
        for round_ in range(rounds):
            verdicts = [a_verdict(f"i{place}", "lie" if place < round_ else "honest") for place in range(2)]
            talks = [
                a_talk("ann", "biased", "validates" if round_ else "does_not", (SCRIPT, "fine")),
                a_talk("ann", "benign", "does_not"),
            ]
            measure(api.engine, run, round_, verdicts + talks)
    hold(api.engine, arms[0], 1, [a_trajectory(slot) for slot in range(3)])
    labels = tuple({"population.biased_share": share} for share in (0.0, 1.0))
    with transaction(api.engine) as session:
        sweeps.insert_sweep(session, "sweep-1", "dose", list(zip(arms, labels, strict=True)))
    return arms[0], arms[1]


def test_runs_and_sweeps_are_compared_with_their_labels(api: Api, sweep: tuple[str, str]) -> None:
    study = api.client.get("/v1/compare", params={"sweep": "sweep-1"}).json()
    assert [run["run"] for run in study["runs"]] == list(sweep)
    assert study["runs"][1]["labels"] == {"population.biased_share": 1.0}
    assert study["spec"]["sweep"] == {"population.biased_share": [0.0, 1.0]}
    last = study["runs"][0]["rounds"][1]
    assert last["vs_previous"]["honesty"]["difference"] == -0.5
    assert last["conversations"] == {
        "attempted": 3,
        "scored": 3,
        "vetoed": 0,
        "unscored": 0,
        "failed": {},
    }
    both = api.client.get("/v1/compare", params={"run": [sweep[1], sweep[0][:6]]}).json()
    assert [run["run"] for run in both["runs"]] == [sweep[1], sweep[0]]


def test_arms_are_compared_with_control_by_item_and_along_the_dose(api: Api) -> None:
    lies = {0.0: 3, 0.5: 3, 1.0: 30}
    arms = {
        share: a_run(api.engine, 40, population={"biased_share": share, "conversations": 10})
        for share in lies
    }
    for share, run in arms.items():
        for round_ in range(2):
            told = lies[share] * round_
            measure(
                api.engine,
                run,
                round_,
                [a_verdict(f"i{i}", "lie" if i < told else "honest") for i in range(40)],
            )
    study = api.client.get("/v1/compare", params={"run": list(arms.values())}).json()
    assert set(study["vs_control"]) == {arms[0.5], arms[1.0]}
    half, all_biased = study["against_control"]
    assert (half["arm"], half["control"], half["over"], half["round"]) == ("0.5", "0", "items", 1)
    assert half["honesty"]["difference"] == 0
    assert all_biased["honesty"]["difference"] == pytest.approx(-27 / 40)
    assert all_biased["p_holm"] == pytest.approx(2 * all_biased["honesty"]["p"])
    (response,) = study["dose_response"]
    assert response["biased_shares"] == [0.0, 0.5, 1.0]
    assert response["fall_established_from"] == 1.0
    assert study_of(StudyView(**study)).vs_control[arms[1.0]].n == 40
    page = api.client.get("/v1/compare/report.html", params={"run": list(arms.values())}).text
    assert "Against control" in page
    assert "is established from share 1 on" in page


@pytest.mark.parametrize("form", ["", "/report.html", "/report.json", "/figure.json"])
def test_runs_that_were_swept_over_other_fields_or_none_stand_together(
    api: Api, sweep: tuple[str, str], form: str
) -> None:
    alone = a_run(api.engine, seed=9)
    with transaction(api.engine) as session:
        sweeps.insert_sweep(session, "sweep-2", "seeds", [(a_run(api.engine, seed=8), {"seed": 8})])
    for others in ({"run": alone}, {"sweep": ["sweep-1", "sweep-2"]}, {"sweep": ["sweep-2", "sweep-1"]}):
        answer = api.client.get(f"/v1/compare{form}", params={"sweep": "sweep-1"} | others)
        assert answer.status_code == 200
        if not form:
            assert "sweep" not in answer.json()["spec"]
            assert len(answer.json()["runs"]) == 3


def test_a_spec_is_said_to_make_all_runs_again_only_where_it_does(api: Api, sweep: tuple[str, str]) -> None:
    alone = a_run(api.engine, seed=9)
    for query, is_of_all in (({"sweep": "sweep-1"}, True), ({"sweep": "sweep-1", "run": alone}, False)):
        assert api.client.get("/v1/compare", params=query).json()["is_spec_of_all"] is is_of_all
        page = api.client.get("/v1/compare/report.html", params=query).text
        assert ("Launch it again with" in page) is is_of_all
        assert ("The first run's spec." in page) is not is_of_all


def test_what_is_fetched_makes_the_same_drift_json(api: Api, sweep: tuple[str, str]) -> None:
    view = StudyView.model_validate_json(api.client.get("/v1/compare", params={"run": list(sweep)}).text)
    with transaction(api.engine) as session:
        study = read_study(session, "t", {run: {} for run in sweep}, with_conversations=True)
    assert drift_json(study_of(view)) == drift_json(study)
    assert len(json.loads(drift_json(study))["runs"]) == 2


@pytest.mark.parametrize("query", [{}, {"run": "nosuch"}, {"sweep": "\0"}])
@pytest.mark.parametrize(
    "form", ["", "/report.html", "/report.json", "/figure.json", "/figure.svg", "/figure.png"]
)
def test_runs_that_are_not_there_are_problems_in_every_form(
    api: Api, form: str, query: dict[str, str]
) -> None:
    answer = api.client.get(f"/v1/compare{form}", params=query)
    assert answer.status_code == (404 if "run" in query else 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_report_shows_script_as_text_and_may_run_none(api: Api, sweep: tuple[str, str]) -> None:
    answer = api.client.get("/v1/compare/report.html", params={"sweep": "sweep-1"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "&lt;script&gt;alert(1)" in answer.text
    assert SCRIPT not in answer.text


def test_the_figure_comes_in_three_forms(api: Api, sweep: tuple[str, str]) -> None:
    forms = {
        form: api.client.get(f"/v1/compare/figure.{form}", params={"run": list(sweep)})
        for form in ("json", "svg", "png")
    }
    assert "vega-lite" in forms["json"].json()["$schema"]
    assert (forms["svg"].headers["content-type"], forms["svg"].text[:4]) == ("image/svg+xml", "<svg")
    assert forms["png"].content.startswith(b"\x89PNG")


def test_a_reader_s_token_is_asked_for(guarded: Api) -> None:
    for form in ("", "/report.html", "/figure.png"):
        assert guarded.client.get(f"/v1/compare{form}", params={"run": "x"}).status_code == 401
