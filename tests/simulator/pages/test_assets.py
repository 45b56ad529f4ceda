"""Static files: vendored ones are unchanged, all are packed into the wheel's list, and kept by browsers for ever."""

import hashlib
import re
import tomllib

import pytest

from services.core.settings import PROJECT
from services.simulator.pages.assets import FOLDER, asset_url, assets
from tests.simulator.api.service import Api

VENDOR = FOLDER / "vendor"


def test_vendored_files_are_those_that_were_taken() -> None:
    sums = dict(line.split("  ")[::-1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    found = {path.name for path in VENDOR.iterdir()} - {"SHA256SUMS", "README.md"}
    assert found == sums.keys()
    for name, expected in sums.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == expected, name


def test_every_vendored_script_has_its_version_and_licence() -> None:
    readme = (VENDOR / "README.md").read_text()
    for script in VENDOR.glob("*.js"):
        name = script.name.removesuffix(".min.js")
        row = re.search(rf"\| `{script.name}` \|.*\| (\d+\.\d+\.\d+) \|.*\({name}.LICENSE.txt\)", readme)
        assert row, script.name
        assert (VENDOR / f"{name}.LICENSE.txt").is_file()


def test_an_installed_package_has_them() -> None:
    patterns = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    listed = {
        path
        for pattern in patterns["services.simulator.pages"]
        for path in FOLDER.parent.glob(pattern)
        if path.is_file()
    }
    needed = {path for folder in ("static", "templates") for path in (FOLDER.parent / folder).rglob("*.*")}
    assert needed <= listed


def test_a_file_is_kept_for_ever_under_its_hash(api: Api) -> None:
    for name, asset in assets().items():
        answer = api.client.get(asset_url(name))
        assert answer.content == asset.content, name
        assert "immutable" in answer.headers["cache-control"]
        assert hashlib.sha256(asset.content).hexdigest().startswith(asset.url.split("/")[2])


def test_who_takes_no_gzip_gets_none(api: Api) -> None:
    answer = api.client.get(asset_url("driftloop.css"), headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in answer.headers
    assert answer.content == assets()["driftloop.css"].content


@pytest.mark.parametrize("path", ["000000000000/driftloop.css", "x/../look.py", "x/..%2f..%2flook.py"])
def test_nothing_else_is_served(api: Api, path: str) -> None:
    assert api.client.get(f"/static/{path}").status_code == 404
