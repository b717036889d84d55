"""Kinds of values that several commands take."""

from datetime import date, datetime
from typing import Any

import click


class Day(click.ParamType[date]):
    """A calendar day, YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day that was written; the command ends with a sentence where it is none."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007  a calendar day has no time zone
        except ValueError:
            return self.fail("a day is written as YYYY-MM-DD, such as 2026-11-23", param, ctx)
