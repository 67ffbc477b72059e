"""How many requests are at work at once in this process, and how long others wait for a place.

As many places as there are database connections: a request that waits here holds no thread and no
connection. Whoever finds no place within two seconds is told to come again, so that overload is
answered and never hangs.
"""

from __future__ import annotations

from anyio import Semaphore, WouldBlock, fail_after

from engine.errors import Busy

PATIENCE = 2.0
MOST_WAITING = 200


class Turnstile:
    """So many places; `enter` takes one, `leave` gives it back."""

    def __init__(self, places: int) -> None:
        self._places = Semaphore(places)
        self._waiting = 0

    async def enter(self) -> None:
        """Take a place. Raises Busy where there is none in time, or too many wait already."""
        try:
            self._places.acquire_nowait()
        except WouldBlock:
            if self._waiting >= MOST_WAITING:
                raise _busy() from None
            self._waiting += 1
            try:
                with fail_after(PATIENCE):
                    await self._places.acquire()
            except TimeoutError:
                raise _busy() from None
            finally:
                self._waiting -= 1

    def leave(self) -> None:
        """Give the place back."""
        self._places.release()


def _busy() -> Busy:
    return Busy("系统繁忙,请稍后再试。The system is busy; try again shortly.")
