"""The sample office over the real workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.casework import Casework
from tests.casebook import Casebook, furnished, opened
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.keys import Keyring


@pytest.fixture(scope="session")
def laws(keyring: Keyring) -> Casework:
    """The verbs over the workflows of the bureau."""
    return Casework(catalog(), keyring=keyring)


@pytest.fixture(scope="session")
def real_office(_servers: dict[str, str], _template: str, laws: Casework) -> Iterator[str]:
    """A database with the sample office in it, to be cloned; one for each worker."""
    with furnished(_servers["postgres"], _template, laws) as name:
        yield name


@pytest.fixture
def book(_servers: dict[str, str], real_office: str, laws: Casework) -> Iterator[Casebook]:
    """A sample office of one's own over the real workflows."""
    with opened(_servers["postgres"], real_office, laws) as casebook:
        yield casebook
