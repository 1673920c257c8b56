"""Contract 22, and other arguments that cannot be meant; and @generator."""

from __future__ import annotations

import inspect
import pickle
import sys
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from functools import partial
from typing import Any, cast, get_type_hints

import pytest
from elsewhere import run_script
from producers import countdown

import pullit
from pullit import PullError
from pullit._types import Engine

MAKERS: dict[str, Callable[..., Any]] = {
    "pull": pullit.pull,
    "pull2": pullit.pull2,
    "iterate": pullit.iterate,
    "iterate2": pullit.iterate2,
}
MUST = "seq must be a push iterator, a function that takes yield_, not"


def generates(yield_: object) -> Iterator[int]:
    yield 1


async def awaits(yield_: object) -> None:
    pass


async def generates_async(yield_: object) -> AsyncIterator[int]:
    yield 1


class Walk:
    """Something to call that is no function."""

    def __call__(self, yield_: Callable[[int], Any]) -> None:
        yield_(1)

    def generate(self, yield_: object) -> Iterator[int]:
        yield 1


class Generates:
    def __call__(self, yield_: object) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("seq", "text"),
    [
        (3, "int 3; pass a function that calls yield_(value) for each value"),
        (None, "NoneType None; pass a function that calls yield_(value) for each value"),
        ([1, 2], "list [1, 2]; for an iterable, pass pullit.from_iterable(it)"),
        ("abc", "str 'abc'; for an iterable, pass pullit.from_iterable(it)"),
        (
            generates,
            "generator function generates; pass pullit.from_iterable(generates(...)),"
            " or call yield_ in it, not yield",
        ),
        (awaits, "async function awaits; pass a plain function"),
        (
            generates_async,
            "async function generates_async; pass a plain function",
        ),
        (
            partial(generates),
            "generator function generates; pass pullit.from_iterable(generates(...)),"
            " or call yield_ in it, not yield",
        ),
        (
            Walk().generate,
            "generator function Walk.generate; pass"
            " pullit.from_iterable(Walk.generate(...)), or call yield_ in it, not yield",
        ),
        (
            Generates(),
            "generator function Generates object; pass"
            " pullit.from_iterable(Generates object(...)), or call yield_ in it, not yield",
        ),
    ],
)
def test_22_what_is_no_push_iterator_is_a_type_error(name: str, seq: object, text: str) -> None:
    """The message names the call, what came and what to pass."""
    with pytest.raises(TypeError) as caught:
        MAKERS[name](seq)
    assert str(caught.value) == f"pullit.{name}: {MUST} {text}"


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("engine", ["fibers", None, ["greenlet"]])
def test_an_unknown_engine_is_a_value_error(name: str, engine: object) -> None:
    """It lists those there are."""
    with pytest.raises(ValueError, match="unknown engine") as caught:
        MAKERS[name](countdown, engine=engine)
    assert str(caught.value) == (
        f"pullit.{name}: unknown engine {engine!r}; there are 'greenlet' and 'thread'"
    )


@pytest.mark.parametrize("name", ["pull", "iterate"])
def test_an_unknown_engine_is_refused_even_where_none_is_needed(name: str) -> None:
    """An iterable needs no coroutine."""
    with pytest.raises(ValueError, match=rf"^pullit\.{name}: unknown engine 'fibers'"):
        MAKERS[name](pullit.from_iterable([1]), engine="fibers")


@pytest.mark.parametrize("n", [0, 1, 2])
def test_an_iterable_is_as_strict_as_any_seq(n: int) -> None:
    """Read ahead or not, for which there is no need: send tells."""
    for seq in pullit.from_iterable([1, 2]), countdown:
        it = pullit.iterate(seq, read_ahead=n)
        next(it)
        if n < 2:
            assert it.send(True) == 2
        else:
            with pytest.raises(PullError, match="send on an iterator that reads ahead"):
                it.send(True)
        it.close()


def test_anything_else_that_can_be_called_is_taken(engine: Engine) -> None:
    """Bound methods, partial objects, instances, lambdas, builtins."""
    seqs: list[Any] = [
        Walk(),
        Walk().__call__,
        partial(lambda n, yield_: yield_(n), 1),
        lambda yield_: yield_(1),
        pullit.from_iterable([1]),
    ]
    for seq in seqs:
        assert list(pullit.iterate(seq, engine=engine)) == [1]


def test_a_pull_iterator_is_not_made_by_hand() -> None:
    """There is one way to make it."""
    with pytest.raises(TypeError, match=r"call pullit\.iterate\(seq\)"):
        pullit.PullIterator()
    assert isinstance(pullit.iterate(countdown), Generator)


def test_throw_takes_what_a_generators_does(engine: Engine) -> None:
    """A class, an instance, a class with its arguments; else TypeError, and no harm."""
    it = pullit.iterate(countdown, engine=engine)
    next(it)
    wrong: list[tuple[Any, ...]] = [(3,), (int,), (ValueError("x"), 3)]
    for arguments in wrong:
        with pytest.raises(TypeError, match="throw takes"):
            it.throw(*arguments)
    assert next(it) == 2
    it.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # throw with several arguments
@pytest.mark.parametrize("started", [True, False])
def test_throw_makes_of_its_arguments_what_a_generators_does(engine: Engine, started: bool) -> None:
    """The same exception, or an equal one, with the traceback that is given below its own."""
    error = ValueError("x")
    try:
        raise KeyError
    except KeyError as e:
        raised, given = e, e.__traceback__
    right: list[tuple[Any, ...]] = [
        (error,),
        (ValueError,),
        (ValueError, None),
        (ValueError, "x"),
        (ValueError, ("x", "y")),
        (ValueError, error),
        (Exception, error),
        (error, None, given),
        (ValueError, "x", given),
        (raised,),
    ]

    def seen(it: Generator[Any, Any, Any], arguments: tuple[Any, ...]) -> list[Any]:
        if started:
            next(it)
        error.__traceback__ = None
        with pytest.raises(Exception) as caught:  # noqa: PT011  of any kind
            it.throw(*arguments)
        lowest = traceback.extract_tb(caught.value.__traceback__)[-1]
        is_given = lowest == traceback.extract_tb(given)[-1]
        return [type(caught.value), caught.value.args, caught.value is error, is_given]

    for arguments in right:
        generator = (n for n in (1, 2))
        it = pullit.iterate(countdown, engine=engine)
        assert seen(generator, arguments) == seen(it, arguments), arguments


# @generator


@pullit.generator
def leaves(yield_: Callable[[int], Any], tree: list[Any], *, twice: bool = False) -> str:
    """Walk the leaves of *tree*."""
    for node in tree:
        if isinstance(node, list):
            for leaf in leaves(node, twice=twice):
                yield_(leaf)
        else:
            yield_(node)
            if twice:
                yield_(node)
    return "walked"


def test_a_generator_is_an_iterator_over_its_arguments() -> None:
    """Recursion included."""
    it = leaves([1, [2, [3]], 4])
    assert isinstance(it, pullit.PullIterator)
    assert list(it) == [1, 2, 3, 4]
    assert it.result == "walked"
    assert list(leaves([1, [2]], twice=True)) == [1, 1, 2, 2]
    assert repr(leaves([])) == "<pullit.PullIterator of leaves, unstarted>"


def test_a_generator_takes_options(engine: Engine) -> None:
    """As a decorator with arguments; its parameters may have any names."""

    @pullit.generator(engine=engine)
    def echo(emit: Callable[[str], Any], function: str, seq: str, engine: str) -> None:
        emit(function)
        emit(seq)
        emit(engine)

    assert list(echo("a", seq="b", engine="c")) == ["a", "b", "c"]


def test_a_generator_may_be_made_of_anything_that_can_be_called() -> None:
    """It need be no function, with code that could be looked at."""

    class Repeat:
        def __call__(self, yield_: Callable[[str], Any], text: str) -> None:
            yield_(text)
            yield_(text)

    assert list(pullit.generator(Repeat())("a")) == ["a", "a"]
    assert list(pullit.generator(partial(Repeat(), text="b"))()) == ["b", "b"]


def test_a_generator_keeps_the_rest_of_its_function() -> None:
    """Name, docstring, signature and annotations; it is pickled by its name."""
    assert leaves.__name__ == "leaves"
    assert leaves.__doc__ == "Walk the leaves of *tree*."
    assert list(inspect.signature(leaves).parameters) == ["tree", "twice"]
    hints = get_type_hints(leaves)
    assert hints == {"tree": list[Any], "twice": bool, "return": pullit.PullIterator}
    assert pickle.loads(pickle.dumps(leaves)) is leaves
    assert "def leaves" in inspect.getsource(leaves)


def test_a_generator_reports_misuse_by_its_name() -> None:
    """pullit.generator, and a wrong call of the function as Python does."""
    with pytest.raises(TypeError, match=r"^pullit\.generator: seq must be .* not int 3"):
        pullit.generator(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"^pullit\.generator: .* generator function generates"):
        pullit.generator(generates)
    with pytest.raises(ValueError, match=r"^pullit\.generator: unknown engine 'x'"):
        pullit.generator(engine="x")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r"^pullit\.generator: read_ahead"):
        pullit.generator(read_ahead=-1)
    with pytest.raises(TypeError, match="takes no positional argument; its first parameter must"):
        pullit.generator(lambda: None)  # type: ignore[arg-type, misc]
    it = leaves()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'tree'"):
        next(it)


def test_a_generator_may_be_made_of_what_is_no_plain_function() -> None:
    """Of anything that can be called, though its parameters are not known."""

    class Countdown:
        def __call__(self, yield_: Callable[[int], Any], start: int) -> None:
            for n in range(start, 0, -1):
                yield_(n)

    assert list(pullit.generator(Countdown())(3)) == [3, 2, 1]


@pytest.mark.parametrize("first", ["self", "cls"])
def test_a_method_whose_second_parameter_is_another_is_refused(first: str) -> None:
    """Where it is an instance's or a class's, yield_ comes behind that."""
    for rest, named in ((", tree", "not tree"), ("", "and there is none")):
        namespace: dict[str, Any] = {}
        exec(f"def walk({first}{rest}): pass", namespace)
        with pytest.raises(TypeError) as caught:
            pullit.generator(namespace["walk"])
        assert str(caught.value) == (
            f"pullit.generator: the first parameter of walk is {first}; the second must be"
            f" yield_, {named}"
        )


class Tree:
    """With methods that are generators from any depth."""

    kinds = ("oak", "elm")

    def __init__(self, *nodes: object) -> None:
        self.nodes = nodes

    @pullit.generator
    def leaves(self, yield_: Callable[[object], Any], depth: int = 0) -> None:
        """Yield all leaves."""
        for node in self.nodes:
            if isinstance(node, Tree):
                for leaf in node.leaves(depth=depth + 1):
                    yield_(leaf)
            else:
                yield_((depth, node))

    @classmethod
    @pullit.generator
    def all_kinds(cls, yield_: Callable[[str], Any]) -> None:
        for kind in cls.kinds:
            yield_(kind)

    @staticmethod
    @pullit.generator(read_ahead=2)
    def roots(yield_: Callable[[int], Any], count: int) -> None:
        for n in range(count):
            yield_(n)


def test_a_method_may_be_a_generator(engine: Engine) -> None:
    """An instance's, a class's, or a static one."""
    tree = Tree(1, Tree(2, Tree(3)), 4)
    assert list(tree.leaves()) == [(0, 1), (1, 2), (2, 3), (0, 4)]
    assert next(Tree.leaves(tree, 5)) == (5, 1)
    assert list(Tree.all_kinds()) == list(tree.all_kinds()) == ["oak", "elm"]
    assert list(Tree.roots(3)) == [0, 1, 2]


def test_wrapped_is_the_function_and_the_signature_has_no_yield() -> None:
    """Nor self, where it is bound."""

    def walk(yield_: Callable[[int], Any], tree: list[int], *, deep: bool = True) -> str:
        return ""

    made = pullit.generator(walk)
    assert made.__wrapped__ is walk  # type: ignore[attr-defined]
    assert list(inspect.signature(made).parameters) == ["tree", "deep"]
    assert list(inspect.signature(Tree().leaves).parameters) == ["depth"]
    assert list(inspect.signature(Tree.leaves).parameters) == ["self", "depth"]


def test_a_signature_is_looked_at_as_one_is() -> None:
    """It binds arguments, is changed, compared, copied and shown as a plain one is."""

    def walk(yield_: Callable[[int], Any], tree: list[int], *, deep: bool = True) -> None:
        pass

    shown = inspect.signature(pullit.generator(walk))
    assert str(shown).startswith("(tree: 'list[int]', *, deep: 'bool' = True) -> ")
    assert shown.bind([1], deep=False).arguments == {"tree": [1], "deep": False}
    with pytest.raises(TypeError, match="missing a required argument: 'tree'"):
        shown.bind()
    assert shown == inspect.signature(pullit.generator(walk))
    assert pickle.loads(pickle.dumps(shown)) == shown
    assert shown.replace(parameters=[]) == inspect.Signature(return_annotation=pullit.PullIterator)
    other = pullit.generator(lambda *anything: None)
    assert list(inspect.signature(other).parameters) == ["anything"]
    unknown = pullit.generator(cast(Any, type("Walk", (), {"__call__": max})()))
    assert list(inspect.signature(unknown).parameters) == ["args", "kwargs"]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated at once")
def test_annotations_may_name_what_comes_later() -> None:
    """They are evaluated when somebody asks for them, and no earlier."""
    program = """
        import annotationlib, inspect, typing, pullit
        from annotationlib import Format
        from pullit import Yield

        @pullit.generator
        def walk(yield_: Yield[Leaf], tree: Node, deep: list[Leaf] | None = None): ...

        class Forest:
            @pullit.generator
            def trees(self, yield_: Later, tree: Node) -> None: ...

        get = annotationlib.get_annotations
        names = {"tree": "Node", "deep": "list[Leaf] | None", "return": "pullit.PullIterator"}
        assert get(walk, format=Format.STRING) == names
        early = get(walk, format=Format.FORWARDREF)
        assert list(early) == ["tree", "deep", "return"]
        assert early["tree"].__forward_arg__ == "Node"
        assert early["return"] is pullit.PullIterator
        for ask in get, typing.get_type_hints, lambda walk: walk.__annotations__:
            try:
                ask(walk)
            except NameError as e:
                assert e.name in ("Node", "Leaf")
            else:
                raise AssertionError(ask)
        shown = inspect.signature(walk)
        assert list(shown.parameters) == ["tree", "deep"]
        assert shown.parameters["tree"].annotation.__forward_arg__ == "Node"

        class Node: ...
        class Leaf: ...

        hints = {"tree": Node, "deep": list[Leaf] | None, "return": pullit.PullIterator}
        for format in Format.VALUE, Format.FORWARDREF:
            assert get(walk, format=format) == hints
        assert typing.get_type_hints(walk) == walk.__annotations__ == hints
        assert early["tree"].evaluate() is Node
        for shown in shown, inspect.signature(walk):
            assert [p.annotation for p in shown.parameters.values()] == [Node, list[Leaf] | None]
            assert shown.return_annotation is pullit.PullIterator
        # Of a method too: Later, which yield_ has, is never there.
        assert list(inspect.signature(Forest().trees).parameters) == ["tree"]
        assert get(Forest.trees, format=Format.STRING)["tree"] == "Node"
        assert get(Forest.trees, format=Format.FORWARDREF)["tree"] is Node
        assert inspect.signature(Forest.trees).parameters["tree"].annotation is Node
    """
    run_script(program)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 keeps them in the calling frame")
def test_arguments_are_let_go_when_the_body_lets_go_of_them(engine: Engine) -> None:
    """As those of a generator function are."""

    class Thing:
        pass

    @pullit.generator(engine=engine)
    def walk(yield_: Callable[[int], Any], thing: Thing | None) -> None:
        del thing
        yield_(1)

    thing = Thing()
    watch = weakref.ref(thing)
    it = walk(thing)
    del thing
    assert watch() is not None
    next(it)
    assert watch() is None
    it.close()


# Imports


def test_importing_pullit_imports_nothing_heavy() -> None:
    """typing_extensions is for type checkers; the others are slow, too."""
    heavy = ["typing_extensions", "inspect", "asyncio", "logging", "concurrent.futures"]
    code = f"import sys, pullit; print([name for name in {heavy} if name in sys.modules])"
    assert run_script(code) == "[]\n"


def test_dir_lists_what_is_imported_later_too() -> None:
    """For completion, and for help; of another interpreter, which has asked for nothing yet."""
    code = "import pullit; assert set(pullit.__all__) <= set(dir(pullit))"
    assert run_script(code) == ""


def test_public_names_show_themselves_as_pullits() -> None:
    """In tracebacks, reprs and docs."""
    for name in pullit.__all__:
        value = getattr(pullit, name)
        if hasattr(value, "__qualname__") and name not in ("Seq", "Seq2", "Yield", "Yield2"):
            assert value.__module__ == "pullit"
            assert value.__qualname__ == name


@pytest.mark.parametrize("ahead", [0, 8])
def test_dir_of_an_iterator_lists_a_generators_names_and_the_documented_ones(
    engine: Engine, ahead: int
) -> None:
    """One that reads ahead hides what it inherits from itertools.chain."""
    it = pullit.iterate(countdown, engine=engine, read_ahead=ahead)
    shown = {name for name in dir(it) if not name.startswith("_")}
    assert shown == {"send", "throw", "close", "result", "done", "frame"}
    for name in "from_iterable", "__setstate__":
        assert name not in dir(it)
        assert not hasattr(it, name)


def test_pull2_shows_its_state_and_stops_as_a_context_manager(engine: Engine) -> None:
    """As pull does."""
    with pullit.pull2(lambda yield_: yield_("one", 1), engine=engine) as both:
        assert both.next() == ("one", 1, True)
        assert "suspended" in repr(both)
    assert "finished" in repr(both)
    assert both.next() == (None, None, False)
