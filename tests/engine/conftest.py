"""The invented office of the engine's tests: the sample people over the permit workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.casework import Casework
from engine.database import Database
from tests.casebook import PERMITS, Casebook, furnished, opened
from tests.posting import Office
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.keys import Keyring


@pytest.fixture(scope="session")
def permits(keyring: Keyring) -> Casework:
    """The verbs over the permit workflows."""
    return Casework(catalog(PERMITS), keyring=keyring)


@pytest.fixture(scope="session")
def permit_office(_servers: dict[str, str], _template: str, permits: Casework) -> Iterator[str]:
    """A database with the sample office in it, to be cloned; one for each worker."""
    with furnished(_servers["postgres"], _template, permits) as name:
        yield name


@pytest.fixture
def book(_servers: dict[str, str], permit_office: str, permits: Casework) -> Iterator[Casebook]:
    """A sample office of one's own over the permit workflows."""
    with opened(_servers["postgres"], permit_office, permits) as casebook:
        yield casebook


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A pool on a database of the test's own."""
    pool = Database(database_url)
    yield pool
    pool.close()


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A hand on the same database."""
    hand = Office(database_url)
    yield hand
    hand.close()
