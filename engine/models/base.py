"""What every table shares."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    Date,
    DateTime,
    Interval,
    LargeBinary,
    MetaData,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Every table of Banjie; constraint names are sentences where a person may meet them."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_key",
            "fk": "%(table_name)s_%(column_0_N_name)s_exists",
            "ix": "%(table_name)s_%(column_0_N_name)s",
            "uq": "%(table_name)s_%(column_0_N_name)s_once",
            "ck": "%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        date: Date,
        bytes: LargeBinary,
        timedelta: Interval,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[date]: ARRAY(Date),
    }
