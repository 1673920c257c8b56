"""What from_callback returns, and a run of the API that it calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeGuard

from greenlet import getcurrent

from pullit._arguments import seq_name
from pullit._coro import coro_of
from pullit._errors import PullExit, cause_of, chain, follow, note_stop, set_traceback, without
from pullit._guard import Guard, WaitingCallback, not_newest
from pullit._per_thread import per_thread
from pullit._pull import EXITS
from pullit._stopping import Stopper, note_stopper
from pullit._types import UNSET


class CallbackSeq:
    """What from_callback returns."""

    def __init__(self, run: Any, **options: Any) -> None:
        self.run = run
        self.pack, self.reply = options["pack"], options["reply"]
        self.stop, self.stop_reply = options["stop"], options["stop_reply"]
        self.stop_errors, self.interleave = options["stop_errors"], options["interleave"]
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
            # First of all, before any call of ours in which a signal handler could raise: a
            # guard that is left here would have older ones refused forever.
            if running in running.home.guards:
                running.home.guards.remove(running)
            running.end()

    def value(self, *args: Any, **kwargs: Any) -> Any:
        """The default of *pack*: return the argument, or a tuple if there are several or none."""
        if kwargs:
            raise TypeError(
                f"pullit.from_callback: {seq_name(self.run)} calls back with keyword"
                f" arguments, {', '.join(kwargs)}; say what they make by pack, for example"
                " pack=lambda *args, **kwargs: (args, kwargs)"
            )
        return args[0] if len(args) == 1 else args

    # Helpful errors for `for` and next. Not by __iter__: zip would take this for an iterable.
    def __getitem__(self, key: object) -> NoReturn:
        self.refuse("for")

    def __next__(self) -> NoReturn:
        self.refuse("next")

    def refuse(self, call: str) -> NoReturn:
        raise TypeError(
            f"pullit.from_callback: {call} over {self!r}, which is a push iterator;"
            " pass it to pullit.iterate, and use what that returns"
        )


class Running(Guard):
    """A run of the API."""

    __slots__ = ("ended", "errors", "exits", "pulled", "seq", "stopped", "stopper", "yield_")

    def __init__(self, seq: CallbackSeq, yield_: Callable[[Any], Any]) -> None:
        super().__init__(seq.__qualname__, per_thread())
        self.seq = seq
        self.yield_ = yield_
        self.stopped = self.pulled = False  # was it told to stop; and was that by a pull
        self.exits = 0  # how many PullExits it got that no pull counts
        self.errors: list[BaseException] = []  # the first error of pack, reply and stop
        self.ended = False
        self.stopper: Stopper | None = None  # of *stop*, if there is one

    def answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Yield the value of a call of the callback, and return what the callback returns."""
        seq, stopper = self.seq, self.stopper
        if stopper is not None and stopper.told:
            self.stopped = self.pulled = True
            return self.stop(None)
        value = self.make(seq.pack or seq.value, args, kwargs)
        waiting = WaitingCallback()
        try:
            answer = self.wait(value, waiting)
        except PullExit:
            self.stopped = self.pulled = True
            if stopper is None and seq.stop_reply is UNSET:
                raise
            return self.stop(None)
        if stopper is not None and stopper.told:
            self.stopped = self.pulled = True
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
        """Yield *value*, and have the order that resumes us noted in *waiting*."""
        home = per_thread()  # an API may call back from other threads
        me, calls = home.coroutine(), home.calls
        before = calls.get(me)
        calls[me] = waiting
        try:
            if self.stopper is None:
                return self.yield_(value)
            with self.stopper:
                return self.yield_(value)
        finally:
            if before:
                calls[me] = before
                # A callback around this one is resumed by the same order.
                before.order, before.pull = waiting.order, waiting.pull
            else:
                del calls[me]

    def make(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call pack or reply, and keep its error, which the API may swallow."""
        try:
            return function(*args, **kwargs)
        except StopIteration:
            raise  # to some APIs that is a message, not an error
        except BaseException as e:
            if not self.errors:
                self.errors.append(e)
            raise

    def stop(self, raise_exit: Callable[[], bool] | None) -> Any:
        """Tell the API to stop: return or raise what the callback is to. See from_callback."""
        reply = self.seq.stop_reply
        if self.stopper is not None:
            try:
                self.stopper()
            except BaseException as e:
                if not self.errors:
                    self.errors.append(e)
            reply = None if reply is UNSET else reply
        if reply is UNSET:
            return bool(raise_exit and raise_exit())
        if isinstance(reply, BaseException):
            set_traceback(reply, None)  # without that of the last time
            raise reply
        if is_exception_class(reply):
            raise reply
        return reply

    def raise_exit(self) -> bool:
        """Raise the next PullExit where there is no pull; after EXITS of them, return False."""
        if self.exits == EXITS:
            return False
        self.exits += 1
        raise PullExit("pullit.from_callback: told to stop; let this pass")

    def stop_later_ones(self) -> None:
        """Before native code goes on, stop the APIs that began later, and raise NestingError."""
        guards, later = self.home.guards, self.later_ones()
        if later:
            for guard in reversed(later):
                pull: Any = guard.coroutine and coro_of(guard.coroutine)
                if pull is None or pull is coro_of(getcurrent()):
                    break  # pragma: no cover  not a pull that we could stop
                if guard in guards:
                    pull.stop()
            raise not_newest("pullit.from_callback", self, later[-1])

    def later_ones(self) -> list[Guard]:
        """Return the guards of the APIs that began later in this thread, and must end first."""
        guards = self.home.guards
        if guards[-1:] == [self] or self not in guards or not self.home.is_here():
            return []
        # One of the same coroutine does no harm: it runs inside our callback.
        return [g for g in guards[guards.index(self) :] if g.coroutine is not self.coroutine]

    def run(self) -> object:
        """Run the API. If it raises only because it was stopped, that is no error."""

        # A plain function: ctypes and scipy look at what they call.
        def callback(*args: Any, **kwargs: Any) -> Any:
            if self.ended:
                return False  # as yield_ does after the end
            later = self.later_ones()
            if later:  # begun inside this run, so whoever resumed us could not close them
                raise not_newest("pullit.from_callback", self, later[-1])
            try:
                return self.answer(args, kwargs)
            finally:
                self.stop_later_ones()

        try:
            if self.seq.stop is not None:
                self.stopper = note_stopper(self.seq.stop)
                if self.stopper.told:
                    raise PullExit("pullit.from_callback: told to stop; the API is not called")
            result = self.seq.run(callback)
        except BaseException as e:
            if self.errors:
                chain(e, self.errors.pop())
            rest = self.judge(e)
            try:
                if rest is e:
                    raise
                if rest is not None or self.pulled:
                    raise rest or PullExit("pullit.from_callback: the API was stopped") from e
            finally:
                del rest  # otherwise this frame and the traceback are a cycle
            return None
        finally:
            self.ended = True
            if self.stopper is not None:
                self.stopper.end()
        if self.errors:
            raise self.errors.pop()  # popped, so that no frame keeps it
        return result

    def judge(self, error: BaseException) -> BaseException | None:
        """Return *error*, which the API has raised, or None if it results from our stop."""
        if self.stopper is not None and self.stopper.told:
            self.stopped = self.pulled = True
        if not self.stopped:
            return error
        rest: BaseException | None = without(error, self.reports_stop)
        if rest is not None:
            note_stop(rest, seq_name(self.seq.run))
        return rest

    def reports_stop(self, error: BaseException) -> bool:
        """Return whether *error* results from our stopping the API."""
        reply = self.seq.stop_reply
        ours = (PullExit, reply) if is_exception_class(reply) else PullExit
        return isinstance(error, self.seq.stop_errors) or any(
            isinstance(e, ours) or e is reply for e in follow(cause_of, error)
        )


def is_exception_class(value: object) -> TypeGuard[type[BaseException]]:
    return isinstance(value, type) and issubclass(value, BaseException)
