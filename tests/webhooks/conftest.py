"""A receiver for each test, and couriers that are quick."""

from collections.abc import Iterator

import pytest

from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Couriers look for messages ten times as often as they do elsewhere."""
    monkeypatch.setattr("app.webhooks.courier._TICK_S", 0.1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """It takes everything, until it is told otherwise."""
    with receiving() as opened:
        yield opened
