"""A receiver for each test."""

from collections.abc import Iterator

import pytest

from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """It takes everything, until it is told otherwise."""
    with receiving() as opened:
        yield opened
