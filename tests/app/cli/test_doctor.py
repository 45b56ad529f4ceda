"""`driftloop doctor` says what is wrong, and with which setting."""

import re

from tests.e2e.installation import fresh


def test_a_data_folder_that_is_a_file_is_wrong() -> None:
    with fresh() as installation:
        (installation.home / "file").write_text("")
        done = installation.run("doctor", DRIFTLOOP_DATA=installation.home / "file")
    assert done.code == 1
    assert re.search(r"WRONG +database: .*DRIFTLOOP_DATA", done.out)


def test_a_variable_that_sets_nothing_is_named() -> None:
    with fresh() as installation:
        done = installation.run("doctor", DRIFTLOOP_BENCHMARK="{}", DRIFTLOOP_WORKERS=1)
    assert done.code == 1
    assert (
        "WRONG  environment: DRIFTLOOP_BENCHMARK: sets nothing; did you mean DRIFTLOOP_BENCHMARKS?"
        in done.out
    )
