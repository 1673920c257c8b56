"""What from_callback returns, and a run of the API that it calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent

from pullit._arguments import seq_name
from pullit._coro import coro_of
from pullit._errors import PullExit, cause_of, chain, follow
from pullit._guard import Guard, WaitingCallback, not_newest
from pullit._per_thread import per_thread
from pullit._pull import EXITS

UNSET: Any = object()


class CallbackSeq:
    """What from_callback returns."""

    def __init__(
        self, run: Any, pack: Any, reply: Any, stop_reply: Any, stop_errors: Any, interleave: bool
    ) -> None:
        self.run, self.pack, self.reply = run, pack, reply
        self.stop_reply, self.stop_errors = stop_reply, stop_errors
        self.interleave = interleave
        self.__qualname__ = f"from_callback({seq_name(run)})"

    def __repr__(self) -> str:
        return f"pullit.{self.__qualname__}"

    def __call__(self, yield_: Callable[[Any], Any], /) -> object:
        running = Running(self, yield_)
        try:
            if not self.interleave:
                running.begin()
            return running.run()
        finally:
            # No call of ours comes first, in which a handler could raise: a guard left
            # here would have older ones refused forever.
            if running in running.home.guards:
                running.home.guards.remove(running)
            running.end()

    def value(self, *args: Any, **kwargs: Any) -> Any:
        """What pack is by default."""
        if kwargs:
            raise TypeError(
                f"pullit.from_callback: {seq_name(self.run)} calls back with keyword"
                f" arguments, {', '.join(kwargs)}; say what they make by pack, for example"
                " pack=lambda *args, **kwargs: (args, kwargs)"
            )
        return args[0] if len(args) == 1 else args


class Running(Guard):
    """A run of the API."""

    __slots__ = ("ended", "errors", "exits", "pulled", "seq", "stopped", "yield_")

    def __init__(self, seq: CallbackSeq, yield_: Callable[[Any], Any]) -> None:
        super().__init__(seq.__qualname__, per_thread())
        self.seq = seq
        self.yield_ = yield_
        self.stopped = self.pulled = False  # it was told to stop, and by a pull
        self.exits = 0  # by PullExits that no pull counts
        self.errors: list[BaseException] = []  # the first of pack and reply
        self.ended = False

    def answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Yield the value of a call; return what the API gets."""
        seq = self.seq
        value = self.make(seq.pack or seq.value, args, kwargs)
        waiting = WaitingCallback()
        try:
            answer = self.wait(value, waiting)
        except PullExit:
            self.stopped = self.pulled = True
            if seq.stop_reply is UNSET:
                raise
            return self.stop(None)
        sent = waiting.order is not None and waiting.order.kind == "send"
        told = waiting.order is not None and waiting.order.kind == "stop"
        if told or (answer is False and not sent):
            self.stopped, self.pulled = True, told
            return self.stop(waiting.pull.raise_exit if told else self.raise_exit)
        if sent or not (answer is True or answer is None):
            return answer
        return self.make(seq.reply, args, kwargs) if seq.reply else None

    def wait(self, value: Any, waiting: WaitingCallback) -> Any:
        """Yield *value*, and have *waiting* know what resumes us."""
        home = per_thread()  # an API may call back from other threads
        me, calls = home.coroutine(), home.calls
        before = calls.get(me)
        calls[me] = waiting
        try:
            return self.yield_(value)
        finally:
            if before:
                calls[me] = before
            else:
                del calls[me]

    def make(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call pack or reply, and keep its error, which the API may swallow."""
        try:
            return function(*args, **kwargs)
        except StopIteration:
            raise  # some APIs want to be told something by it
        except BaseException as e:
            if not self.errors:
                self.errors.append(e)
            raise

    def stop(self, raise_exit: Callable[[], bool] | None) -> Any:
        """Tell the API to stop."""
        reply = self.seq.stop_reply
        if reply is UNSET:
            return bool(raise_exit and raise_exit())
        if isinstance(reply, BaseException):
            raise reply.with_traceback(None)  # that of the last time
        if is_exception_class(reply):
            raise reply
        return reply

    def raise_exit(self) -> bool:
        """Raise the next PullExit, where there is no pull; return False after enough of them."""
        if self.exits == EXITS:
            return False
        self.exits += 1
        raise PullExit("pullit.from_callback: told to stop")

    def stop_later_ones(self) -> None:
        """Before native code goes on, stop what it has left suspended, and say so."""
        home = self.home
        guards = home.guards
        if self in guards and guards[-1] is not self and home.is_here():
            later = guards[-1]
            while guards[-1] is not self:
                pull: Any = guards[-1].coroutine and coro_of(guards[-1].coroutine)
                if pull is None or pull is coro_of(getcurrent()):
                    break  # pragma: no cover  nothing that we could stop
                pull.stop()
            raise not_newest("pullit.from_callback", self, later)

    def run(self) -> object:
        """Run the API; that it was stopped is no error."""

        # A plain function: ctypes and scipy look at what they call.
        def callback(*args: Any, **kwargs: Any) -> Any:
            if self.ended:
                return False  # as yield_ answers after the end
            try:
                return self.answer(args, kwargs)
            finally:
                self.stop_later_ones()

        try:
            result = self.seq.run(callback)
        except BaseException as e:
            if self.errors:
                chain(e, self.errors.pop())
            if not self.stopped or not self.reports_stop(e):
                raise
            if not self.pulled:
                return None
            raise PullExit("pullit.from_callback: the API was stopped") from e
        finally:
            self.ended = True
        if self.errors:
            raise self.errors.pop()  # kept in no frame of its traceback
        return result

    def reports_stop(self, error: BaseException) -> bool:
        """Tell whether *error* comes of our stopping the API."""
        reply = self.seq.stop_reply
        ours = (PullExit, reply) if is_exception_class(reply) else PullExit
        return isinstance(error, self.seq.stop_errors) or any(
            isinstance(e, ours) or e is reply for e in follow(cause_of, error)
        )


def is_exception_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
