"""docs/client.md does what it says: its code, from the first block to the last, in one notebook, against a real service."""

import os
import re
from pathlib import Path

import pytest

from services.core.settings import PROJECT
from tests.app.test_serve import ONE_WORKER, line_with, stop
from tests.e2e.installation import fresh

CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with fresh() as installation:
        process = installation.start("serve", "--port", 0, **ONE_WORKER)
        link = line_with(process.stdout, r"(http://127\.0\.0\.1:\d+/login\?token=dl_\S+)")
        url, token = link.split("/login?token=")
        monkeypatch.setattr(os, "environ", os.environ | {"DRIFTLOOP_URL": url, "DRIFTLOOP_TOKEN": token})
        notebook: dict[str, object] = {}
        for block in CODE.findall((PROJECT / "docs/client.md").read_text()):
            exec(block, notebook)  # the page is ours
        notebook["client"].close()  # type: ignore[attr-defined]
        stop(process)
    said = capsys.readouterr().out
    assert "1 evaluate" in said
    assert "succeeded" in said
    assert {path.name for path in tmp_path.iterdir()} >= {"pleased.parquet", "rows.parquet", "lies.jsonl"}
