"""The report: one HTML page that needs nothing but itself.

It holds the figure, the tables, the conversations and the spec, and loads nothing (its content policy forbids it). Model text
is never markup: the template escapes everything but our own figure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from services.core.domain.chat import Message
from services.core.operations.provenance import Provenance
from services.simulator.report import origin, sections
from services.simulator.report.beside import paper_section, reanalysis_section
from services.simulator.report.conclusions import conclusions
from services.simulator.report.dose_figure import dose_svg
from services.simulator.report.figure import drift_svg
from services.simulator.report.findings import findings, teller, telling_talks
from services.simulator.report.study import HeldOutTalk, Study, shares_of
from services.simulator.report.wording import number

_VOICES: Final = {"user": "user", "assistant": "policy"}
# Longer tables start folded.
_LONG: Final = 24


class Side(NamedTuple):
    """A held-out conversation as one policy held it."""

    title: str
    validates: str
    is_validating: bool
    turns: tuple[tuple[str, str], ...]


class Comparison(NamedTuple):
    """A held-out conversation before and after."""

    title: str
    prompt: str
    sides: tuple[Side, Side]


def report_html(study: Study, found: Provenance | None = None) -> str:
    """Return the page of a study, with where its numbers come from if that is given."""
    paper = paper_section(study)
    environment = Environment(
        loader=PackageLoader("services.simulator.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        study=study,
        figure=Markup(drift_svg(study)),  # drawn by us; its labels are escaped by the renderer
        dose_figure=Markup(dose_svg(study) or ""),
        findings=findings(study),
        seeds=sections.seeds_section(study),
        control=sections.control_section(study),
        kept=sections.kept_section(study),
        paper=paper,
        reanalysis=paper and reanalysis_section(),
        drift=sections.drift_section(study),
        pressure=sections.measures_section(study, sections.PRESSURE),
        knowledge=sections.measures_section(study, sections.KNOWLEDGE),
        targeting=sections.measures_section(study, sections.TARGETING),
        agreement=sections.agreement_section(study),
        conversations=sections.conversations_section(study),
        comparisons=[_comparison(talk) for talk in telling_talks(study)],
        conclusions=conclusions(study),
        cost=found and origin.cost_section(found),
        origins=found and origin.origins_section(found),
        versions=origin.versions(),
        code=origin.code(),
        shares=shares_of(study.runs),
        teller=teller(study),
        spec=yaml.safe_dump(dict(study.spec), sort_keys=False, allow_unicode=True, default_flow_style=None),
        long=_LONG,
    )


def _comparison(talk: HeldOutTalk) -> Comparison:
    prompt = next((said.content for said in talk.before if said.role == "system"), "")
    before = _side("round 0, untrained", talk.validation_before, talk.before)
    after = _side("last round", talk.validation_after, talk.after)
    title = f"{talk.scenario} · {talk.profile} · {talk.user_kind.value} user"
    return Comparison(title, prompt, (before, after))


def _side(title: str, validation: float | None, messages: Sequence[Message]) -> Side:
    words = {None: "not judged", 0.0: "does not validate the plan", 1.0: "validates the plan"}
    validates = words.get(validation, f"validates the plan in {number(validation)} of its replies")
    turns = tuple((_VOICES[said.role], said.content) for said in messages if said.role in _VOICES)
    return Side(title, validates, bool(validation), turns)
