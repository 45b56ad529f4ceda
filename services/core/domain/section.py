"""What every part of a spec is made of: frozen, complete, and refusing what it does not know."""

from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from services.core.domain.complaints import NAME_PATTERN

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Section(BaseModel):
    """A frozen part of a spec that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse `seed: no`, which would be 0, and the other way round. (Text is read as a number: to YAML 1e-4 is text.)"""
        wanted = cls.model_fields[str(info.field_name)].annotation
        # `Annotated[float, …] | None` wants a number too.
        kinds = {wanted, *(kind for part in get_args(wanted) for kind in (part, *get_args(part)[:1]))}
        if isinstance(value, bool) and bool not in kinds and (int in kinds or float in kinds):
            raise PydanticKnownError("int_type" if int in kinds else "float_type")
        if isinstance(value, int | float) and not isinstance(value, bool) and wanted is bool:
            raise PydanticKnownError("bool_type")
        return value
