"""How a worker is stopped: a signal raises `Stop` where the work stands, and the shard is handed back on the way out."""

import signal
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop(KeyboardInterrupt):
    """Raised into the main thread when the worker is asked to stop; the shard is handed back.

    A KeyboardInterrupt, because event loops and database drivers let one through and clean up behind it; any other
    BaseException they wrap, or swallow, or leave a connection stuck for.
    """


def stop_on_signals() -> None:
    """Raise `Stop` in the main thread, once, when the process is asked to end."""
    for number in SIGNALS:
        signal.signal(number, _stop)


def ignore_signals() -> None:
    """Hear no further request to end: one must not interrupt the handing back that another has begun."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def hides_stop(error: BaseException) -> bool:
    """Tell whether an error came up while a `Stop` was being raised, and took its place.

    A library that cleans up behind an exception may fail in doing so; the pool's ping of a connection does.
    """
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, Stop):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    ignore_signals()
    raise Stop
