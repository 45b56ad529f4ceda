"""Settings come from the environment; what does not fit is one line with the variable and the mend."""

from pathlib import Path

import pytest

from services.core.domain.errors import SpecError
from services.core.settings import Settings


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("WORKERS", "abc", "DRIFTLOOP_WORKERS: 'abc' does not fit; use a whole number from 1 to 256"),
        ("LEASE_S", "0", "DRIFTLOOP_LEASE_S: '0' does not fit; use a number above 0.2"),
        ("AUTH", "opne", "DRIFTLOOP_AUTH: 'opne' is not known; did you mean open? use one of tokens, open"),
        ("COLOCATE", "maybe", "DRIFTLOOP_COLOCATE: 'maybe' does not fit; use true or false"),
        ("DATASETS", "[1]", 'DRIFTLOOP_DATASETS: holds no names; write {"name": …}'),
        ("BASES", '{"m": 5}', "DRIFTLOOP_BASES.m: 5 does not fit; use a path"),
        (
            "POLICY_URLS",
            '{"pocket": "gpu1"}',
            "DRIFTLOOP_POLICY_URLS.pocket[0]: 'gpu1' does not fit; use an address such as http://127.0.0.1:8000",
        ),
        (
            "ENDPOINTS",
            '{"mine": {"model": "m", "key": "USERS_KEY"}}',
            "DRIFTLOOP_ENDPOINTS.mine.key: unknown key; did you mean key_env?",
        ),
        ("ENDPOINTS", '{"mine": {}}', "DRIFTLOOP_ENDPOINTS.mine.model: is missing; add a text"),
    ],
)
def test_a_value_that_does_not_fit_is_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"DRIFTLOOP_{variable}", value)
    with pytest.raises(SpecError) as caught:
        Settings()
    assert str(caught.value) == line


def test_what_is_no_json_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_BASES", "{'m': '/models/m'}")
    with pytest.raises(SpecError, match=r'^DRIFTLOOP_BASES: is not JSON \(.*\); write \{"name": …\}$'):
        Settings()


def test_names_are_read_from_json_and_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_BASES", '{"m": "/models/m"}')
    monkeypatch.setenv("DRIFTLOOP_POLICY_URLS", '{"m": ["http://gpu1:8000", "http://gpu2:8000"]}')
    for empty in ("DRIFTLOOP_ENDPOINTS", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(empty, "")
    settings = Settings()
    assert settings.bases == {"m": Path("/models/m")}
    assert [url.host for url in settings.policy_urls["m"]] == ["gpu1", "gpu2"]
    assert (settings.endpoints, settings.database_url, settings.redis_url) == ({}, None, None)
