"""How a page is made: one set of templates, which escape everything, and headers that let nothing else in.

The content policy allows this service's own files and nothing inline, so even a text that slipped through as markup could run
nothing. Numbers are worded as in the report.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Final, cast

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from services.core.domain.access import Scope
from services.core.domain.phases import RunStatus
from services.core.domain.selection import Label
from services.simulator.api.auth import ANYBODY, Caller
from services.simulator.pages.assets import asset_url
from services.simulator.report import wording

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With no-referrer a browser would hide a form's origin, which is checked.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie",
}
_STATUS_WORDS: Final = {
    RunStatus.RUNNING: "running",
    RunStatus.SUCCEEDED: "finished",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "cancelled",
    RunStatus.OUT_OF_BUDGET: "out of budget",
    RunStatus.STOPPED: "stopped by its warning",
}
_LABEL_WORDS: Final = {Label.DESIRABLE.value: "best", Label.UNDESIRABLE.value: "worst"}
"""What a selection's labels are called on pages: the same in filters, lists and transcripts."""


def page(
    request: Request, caller: Caller | None, template: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page made from a template, as this caller (None: who is not let in yet) may see it."""
    about = {"path": request.url.path, "caller": caller, "is_open": caller is ANYBODY}
    may_launch = caller is not None and caller.scope.holds(Scope.LAUNCH)
    text = _templates().get_template(f"{template}.html.jinja").render(about, may_launch=may_launch, **values)
    return HTMLResponse(text, status, HEADERS)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("services.simulator.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cast("dict[str, Any]", templates.globals).update(_WORDS)
    return templates


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 run`, `1,200 runs`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(when: datetime) -> str:
    """Return a point in time (UTC, as the database keeps it) as people read it."""
    return f"{when:%-d %b %Y, %H:%M}"


def span(seconds: float) -> str:
    """Return a time as people say it: `0.4 s`, `12 s`, `3 min`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _status_word(status: str) -> str:
    return _STATUS_WORDS[RunStatus(status)]


_WORDS: Final[Mapping[str, Any]] = {
    "asset": asset_url,
    "change": wording.change,
    "count": count,
    "interval": wording.interval,
    "label_words": _LABEL_WORDS,
    "is_found": wording.is_found,
    "moment": moment,
    "number": wording.number,
    "p_value": wording.p_value,
    "signed": wording.signed,
    "span": span,
    "status_word": _status_word,
    "version": version("driftloop"),
}
