"""from_callback: an API that calls back, as a push iterator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, overload

from greenlet import getcurrent

from pullit._coro import own
from pullit._errors import PullExit, causes, chain, raise_if
from pullit._guard import Call, Exit, Guard, calls, out_of_order
from pullit._lifetimes import live, look_again
from pullit._seq import Seq, T, Yield, check_seq, seq_name
from pullit._state import EXITS

UNSET: Any = object()

if TYPE_CHECKING:

    class Many(Protocol):
        def __call__(self, a: Any, b: Any, /, *more: Any, **named: Any) -> Any: ...

    # Runs that call back with no argument, or several. mypy takes a lambda for one only
    # in a union with the first kind, pyright only alone.
    Other: TypeAlias = Callable[[Many], object] | Callable[[Callable[[], Any]], object]


@overload
def from_callback(
    run: Callable[[Callable[..., Any]], object],
    *,
    pack: Callable[..., T],
    reply: Callable[..., Any] | None = None,
    stop_reply: Any = ...,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Seq[T]: ...
@overload
def from_callback(
    run: Callable[[Yield[T]], object],
    *,
    pack: None = None,
    reply: Callable[..., Any] | None = None,
    stop_reply: Any = ...,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Seq[T]: ...
@overload
def from_callback(
    run: Callable[[Yield[T]], object] | Other,
    *,
    pack: None = None,
    reply: Callable[..., Any] | None = None,
    stop_reply: Any = ...,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Seq[T]: ...
def from_callback(
    run: Any,
    *,
    pack: Any = None,
    reply: Any = None,
    stop_reply: Any = UNSET,
    stop_errors: tuple[type[BaseException], ...] = (),
    interleave: bool = False,
) -> Any:
    """Return a push iterator over the calls that an API makes to a callback.

    *run* calls the API with the callback that it is given:

        >>> from pullit import from_callback, iterate
        >>> import re
        >>> seq = from_callback(lambda callback: re.sub("[0-9]+", callback, "a1b22"))
        >>> for match in iterate(seq):
        ...     print(match[0])
        1
        22

    Each call is one value: what *pack* makes of its arguments, else its sole
    positional argument, else the tuple of them. The API waits in the callback until
    the next value is asked for. It gets what the consumer sends, else *reply* of the
    arguments, else None:

        >>> it = iterate(seq)
        >>> next(it)[0], it.send("<1>")[0]
        ('1', '22')

    Told to stop, the callback raises PullExit, again if the API swallows it, and
    after five lets the API come to its own end. With *stop_reply* it returns that
    instead, or raises it if it is an exception. ``close`` does not raise what was
    raised from these, nor *stop_errors*.

    An error of *pack* or *reply* goes through the API, and is raised at its end if it
    swallows it. So is the TypeError of a call with keyword arguments and no *pack*.

    Native libraries crash when suspended calls do not end newest first. To resume or
    stop one while a later one is suspended is an error, PullError, except with the
    thread engine, or if *interleave* says that the API survives it.
    """
    check_seq("pullit.from_callback", run, "run", "a function of one argument, the callback")
    return CallbackSeq(run, pack, reply, stop_reply, stop_errors, interleave)


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
        running, guards = Running(self, yield_), own().guards
        try:
            if not self.interleave:
                guards.append(running)
                look_again(running.coroutine)
            return running.run()
        finally:
            # No call of ours, where a signal's handler could raise: a guard left here
            # would have older ones refused for ever.
            if running in guards:
                guards.remove(running)
            running.leave()

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
        super().__init__(seq.__qualname__)
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
        me, call = getcurrent(), Call()
        before = calls.get(me)
        calls[me] = call
        try:
            answer = self.yield_(value)
        except PullExit:
            self.stopped = self.pulled = True
            if seq.stop_reply is UNSET:
                raise
            return self.stop(None)
        finally:
            if before:
                calls[me] = before
            else:
                del calls[me]
        if call.told or (answer is False and not call.sent):
            self.stopped, self.pulled = True, call.told is not None
            return self.stop(call.told or self.next_exit)
        if call.sent or not (answer is True or answer is None):
            return answer
        return self.make(seq.reply, args, kwargs) if seq.reply else None

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

    def stop(self, exit: Exit | None) -> Any:
        """Tell the API to stop."""
        reply = self.seq.stop_reply
        if reply is UNSET:
            raise_if(exit and exit())
            return False
        if isinstance(reply, BaseException):
            raise reply.with_traceback(None)  # that of the last time
        if is_exception_class(reply):
            raise reply
        return reply

    def next_exit(self) -> PullExit | None:
        """What an Exit does, where there is no pull."""
        self.exits += 1
        return PullExit("pullit.from_callback: told to stop") if self.exits <= EXITS else None

    def check_order(self) -> None:
        """Before native code goes on, stop what it has left suspended, and say so."""
        guards = own().guards
        if self in guards and guards[-1] is not self:
            later = guards[-1]
            while guards[-1] is not self and guards[-1].coroutine in live:
                live[guards[-1].coroutine].stop()
            raise out_of_order("pullit.from_callback", self, later)

    def run(self) -> object:
        """Run the API; that it was stopped is no error."""

        # A plain function: ctypes and scipy look at what they call.
        def callback(*args: Any, **kwargs: Any) -> Any:
            if self.ended:
                return False  # as yield_ answers after the end
            try:
                return self.answer(args, kwargs)
            finally:
                self.check_order()

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
            isinstance(e, ours) or e is reply for e in causes(error)
        )


def is_exception_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
