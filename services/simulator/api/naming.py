"""Values of queries and paths as the database can take them: names without control characters, numbers that fit."""

from typing import Annotated

from pydantic import Field

from services.simulator.api.paging import BIGGEST

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name, or words to search for."""
Round = Annotated[int, Field(ge=0, le=1000)]
Id = Annotated[int, Field(ge=1, le=BIGGEST)]
Score = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""A satisfaction."""
Repeat = Annotated[int, Field(ge=0, le=1000)]
