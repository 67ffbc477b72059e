"""What every command shares: how it speaks, how it ends, and the office it opens."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from typer.core import TyperGroup

from adapters.place import ServerError
from engine.errors import BanjieError, DefinitionError
from engine.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.opening import Opened

DONE, FAULTY, WRONG = 0, 1, 2


class Sentences(TyperGroup):
    """Every refusal as a sentence on the error output, never as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; exit 1 where it was refused, 2 where the settings are wrong."""
        try:
            return super().invoke(ctx)
        except DefinitionError as error:
            complain("\n".join(str(finding) for finding in error.findings))
        except (BanjieError, ServerError) as error:
            complain(str(error))
        except DBAPIError as error:  # its own words may hold the address with the password
            told = type(error.orig).__name__
            state = getattr(error.orig, "sqlstate", None) or "-"
            complain(
                f"数据库拒绝或连不上({told} {state}),请核对 BANJIE_DATABASE_URL;建表、备份、恢复另需"
                " BANJIE_OWNER_URL。The database refused or cannot be reached; check BANJIE_DATABASE_URL,"
                " and for migrate, backup and restore BANJIE_OWNER_URL."
            )
        except ValidationError as error:
            faults = (
                ": ".join([*(f"BANJIE_{str(name).upper()}" for name in e["loc"]), e["msg"]])
                for e in error.errors(include_input=False)
            )
            complain("设置有误 · wrong settings:\n" + "\n".join(faults))
            raise typer.Exit(WRONG) from None
        raise typer.Exit(FAULTY)


ExistingFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]


def say(text: str) -> None:
    """Tell what was asked for, on the standard output."""
    typer.echo(text)


def complain(text: str) -> None:
    """Tell what is wrong, on the error output."""
    typer.echo(f"banjie: {text}", err=True)


@contextmanager
def office_of(settings: Settings | None = None) -> Iterator[Opened]:
    """The office of these settings, for the time of a command."""
    from adapters.opening import opened

    with opened(settings or Settings()) as found:
        yield found
