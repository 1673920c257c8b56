"""The standard library's callbacks as loops: parsers, sort keys, visitors, hooks."""

from __future__ import annotations

import ast
import functools
import gc
import io
import json
import re
import tokenize
import weakref
import xml.sax
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, BinaryIO
from xml.parsers import expat

import pytest

import pullit
from pullit import PullError, from_callback, iterate
from pullit._types import Engine

MENU = b"<menu><tea price='3'/><tea price='4'/><cake price='5'/><cake price='7'/></menu>"
TAGS = ["menu", "tea", "tea", "cake", "cake"]


def converse(it: pullit.PullIterator[Any], answer: Callable[[Any], Any]) -> Any:
    """Send the API what *answer* makes of each of its questions; return its result."""
    question = next(it)
    while True:
        try:
            question = it.send(answer(question))
        except StopIteration as e:
            return e.value


# xml.parsers.expat


def expat_run(document: BinaryIO, log: list[int]) -> Callable[[Callable[..., Any]], int]:
    """Return a function that parses *document*, closes it, and logs how far it came."""

    def run(callback: Callable[..., Any]) -> int:
        parser = expat.ParserCreate()
        parser.StartElementHandler = callback
        try:
            with document:
                parser.ParseFile(document)
            return parser.CurrentByteIndex
        finally:
            log.append(parser.CurrentByteIndex)

    return run


def test_expat_gives_each_element_and_its_result(engine: Engine) -> None:
    """Two arguments make a tuple; what run returns is the result."""
    log: list[int] = []
    it = iterate(from_callback(expat_run(io.BytesIO(MENU), log)), engine=engine)
    assert next(it) == ("menu", {})
    assert [tag for tag, _ in it] == TAGS[1:]
    assert it.result == len(MENU)
    assert log == [len(MENU)]


def test_expat_is_left_where_the_loop_breaks(engine: Engine) -> None:
    """The exit from the with block unwinds ParseFile, which closes the document."""
    document, log = io.BytesIO(MENU), list[int]()
    with iterate(from_callback(expat_run(document, log)), engine=engine) as it:
        for tag, _ in it:
            if tag == "cake":
                break
        assert not document.closed
    assert document.closed
    assert MENU.index(b"<cake") <= log[0] <= MENU.rindex(b"<cake")
    assert it.done


def test_expat_reads_no_further_than_the_loop_needs(engine: Engine) -> None:
    """A large document is read in blocks, when the loop comes to them."""
    document = io.BytesIO(b"<list>" + b"<item/>" * 100_000 + b"</list>")
    with iterate(from_callback(expat_run(document, [])), engine=engine) as it:
        next(it)
        assert document.tell() < len(document.getvalue()) / 2


def test_expat_is_left_when_the_iterator_is_dropped(engine: Engine) -> None:
    """No with block is needed where reference counts do."""
    document = io.BytesIO(MENU)
    for tag, _ in iterate(from_callback(expat_run(document, [])), engine=engine):
        if tag == "tea":
            break
    gc.collect()
    assert document.closed


def test_expat_errors_come_after_the_elements_before_them(engine: Engine) -> None:
    """The parser's own error, with its details, at the next that meets it."""
    it = iterate(from_callback(expat_run(io.BytesIO(MENU[:40]), [])), engine=engine)
    assert [next(it)[0] for _ in range(3)] == TAGS[:3]
    with pytest.raises(expat.ExpatError, match="unclosed token") as raised:
        next(it)
    assert raised.value.offset == MENU.rindex(b"<", 0, 40)
    assert list(it) == []
    with pytest.raises(PullError, match="did not return"):
        _ = it.result


def test_an_error_of_the_loop_leaves_expat_and_goes_on(engine: Engine) -> None:
    """The consumer's error is its own: the parser is only told to stop."""
    document, error = io.BytesIO(MENU), LookupError("no tea today")
    seq = from_callback(expat_run(document, []))
    with pytest.raises(LookupError) as raised, iterate(seq, engine=engine) as it:
        for tag, _ in it:
            if tag == "tea":
                raise error
    assert raised.value is error
    assert error.__context__ is None
    assert document.closed


def test_an_error_thrown_in_leaves_expat_as_itself(engine: Engine) -> None:
    """As if the handler had raised it."""
    document, error = io.BytesIO(MENU), LookupError("thrown")
    it = iterate(from_callback(expat_run(document, [])), engine=engine)
    next(it)
    with pytest.raises(LookupError) as raised:
        it.throw(error)
    assert raised.value is error
    assert document.closed


def test_two_parsers_walk_in_lockstep() -> None:
    """expat keeps no list through its C stack, so their order does not matter."""
    other = MENU.replace(b"price='7'", b"price='8'")
    pulls = [
        pullit.pull(from_callback(expat_run(io.BytesIO(text), []), interleave=True))
        for text in (MENU, other)
    ]
    with pulls[0] as (next_left, _), pulls[1] as (next_right, _):
        alike = 0
        while (left := next_left()) == (right := next_right()):
            alike += 1
    assert alike == 4
    assert (left[0], right[0]) == (("cake", {"price": "7"}), ("cake", {"price": "8"}))


def test_two_parsers_in_lockstep_are_refused_unless_allowed() -> None:
    """Nobody can know from outside that expat survives it; both go on afterwards."""
    with iterate(from_callback(expat_run(io.BytesIO(MENU), []))) as outer:
        next(outer)
        with iterate(from_callback(expat_run(io.BytesIO(MENU), []))) as inner:
            next(inner)
            with pytest.raises(PullError, match="interleave=True"):
                next(outer)
            assert [tag for tag, _ in inner] == TAGS[1:]
        assert [tag for tag, _ in outer] == TAGS[1:]


# xml.sax and html.parser


def sax_run(document: BinaryIO) -> Callable[[Callable[..., Any]], None]:
    """Return a function that parses *document*, which xml.sax closes."""

    def run(callback: Callable[..., Any]) -> None:
        handler: Any = xml.sax.ContentHandler()
        handler.startElement = lambda name, attributes: callback((name, dict(attributes)))
        handler.endElement = lambda name: callback(("end", name))
        xml.sax.parse(document, handler)

    return run


def test_sax_gives_the_events_of_several_handlers(engine: Engine) -> None:
    """One callback serves them all: a loop over all events in their order."""
    events = list(iterate(from_callback(sax_run(io.BytesIO(MENU))), engine=engine))
    assert events[:3] == [("menu", {}), ("tea", {"price": "3"}), ("end", "tea")]
    assert events[-1] == ("end", "menu")
    assert len(events) == 2 * len(TAGS)


def test_sax_closes_its_document_when_the_loop_breaks(engine: Engine) -> None:
    """It does so on every exception, PullExit included."""
    document = io.BytesIO(MENU)
    with iterate(from_callback(sax_run(document)), engine=engine) as it:
        next(it)
        assert not document.closed
    assert document.closed


def test_sax_errors_arrive_at_the_loop(engine: Engine) -> None:
    """xml.sax makes its own error of expat's."""
    it = iterate(from_callback(sax_run(io.BytesIO(b"<a></b>"))), engine=engine)
    assert next(it) == ("a", {})
    with pytest.raises(xml.sax.SAXParseException, match="mismatched tag"):
        next(it)


def html_run(text: str, parsers: list[HTMLParser]) -> Callable[[Callable[..., Any]], None]:
    """Return a function that parses *text* by an HTMLParser, which it puts into *parsers*."""

    def run(callback: Callable[..., Any]) -> None:
        parser: Any = HTMLParser()
        parser.handle_starttag = callback
        parsers.append(parser)
        parser.feed(text)
        parser.close()

    return run


def test_html_gives_links_until_the_loop_has_enough(engine: Engine) -> None:
    """The parser has come to the tag at which the loop breaks."""
    page, parsers = "<p><a href='1'>one</a>\n<a href='2'>two</a>\n<a href='3'>3</a>", list[Any]()
    seq = from_callback(html_run(page, parsers))
    assert [tag for tag, _ in iterate(seq, engine=engine)] == ["p", "a", "a", "a"]
    with iterate(seq, engine=engine) as it:
        for _, attributes in it:
            if dict(attributes).get("href") == "2":
                break
    assert parsers[1].getpos() == (2, 0)


# re.sub


def test_re_sub_asks_the_loop_for_each_replacement(engine: Engine) -> None:
    """send is the answer to the match that came last."""
    it = iterate(
        from_callback(lambda cb: re.sub("[0-9]+", cb, "1 cup, 20 g, 300 ml")), engine=engine
    )
    assert converse(it, lambda match: str(2 * int(match[0]))) == "2 cup, 40 g, 600 ml"


def test_re_sub_gets_a_standing_reply_where_the_loop_only_looks(engine: Engine) -> None:
    """reply answers for a for loop; a value sent takes its place."""
    seq = from_callback(lambda cb: re.sub("[a-z]", cb, "abc"), reply=lambda match: match[0].upper())
    it = iterate(seq, engine=engine)
    assert [match[0] for match in it] == ["a", "b", "c"]
    assert it.result == "ABC"
    it = iterate(seq, engine=engine)
    next(it)
    it.send("-")
    assert [match[0] for match in it] == ["c"]
    assert it.result == "-BC"


def test_re_sub_is_left_early_and_has_no_result(engine: Engine) -> None:
    """PullExit unwinds it, so there is nothing that it could have returned."""
    with iterate(from_callback(lambda cb: re.sub("x", cb, "x" * 1000)), engine=engine) as it:
        next(it)
    assert it.done
    with pytest.raises(PullError, match="did not return"):
        _ = it.result


def test_re_sub_refuses_a_wrong_reply_at_the_loop(engine: Engine) -> None:
    """The API's complaint about what was sent is raised by that send."""
    it = iterate(from_callback(lambda cb: re.sub("x", cb, "xx")), engine=engine)
    next(it)
    assert next(it)[0] == "x"
    with pytest.raises(TypeError, match="expected str instance, int found"):
        it.send(1)


# list.sort


def test_sort_asks_the_loop_for_each_key(engine: Engine) -> None:
    """The loop is the key function, and False and None are keys like others."""
    words = ["pear", "fig", "banana"]
    it = iterate(from_callback(lambda cb: words.sort(key=cb)), engine=engine)
    assert converse(it, len) is None
    assert words == ["fig", "pear", "banana"]
    it = iterate(from_callback(lambda cb: words.sort(key=cb)), engine=engine)
    converse(it, lambda word: word != "pear")
    assert words == ["pear", "fig", "banana"]


def test_sort_that_is_left_gives_the_list_back(engine: Engine) -> None:
    """While it is suspended the list looks empty."""
    words = ["pear", "fig", "banana"]
    with iterate(from_callback(lambda cb: words.sort(key=cb)), engine=engine) as it:
        assert next(it) == "pear"
        assert words == []
    assert words == ["pear", "fig", "banana"]


def test_sort_gives_the_list_back_when_the_loop_fails(engine: Engine) -> None:
    """Whatever the loop raised, and what it threw in."""
    words = ["pear", "fig"]
    seq = from_callback(lambda cb: words.sort(key=cb))
    with pytest.raises(ZeroDivisionError), iterate(seq, engine=engine) as it:
        for _ in it:
            _ = 1 / 0
    assert words == ["pear", "fig"]
    it = iterate(seq, engine=engine)
    next(it)
    with pytest.raises(KeyError, match="no such key"):
        it.throw(KeyError("no such key"))
    assert words == ["pear", "fig"]


def test_sort_reports_keys_that_do_not_compare(engine: Engine) -> None:
    """After the last key, at the send that gave it."""
    it = iterate(from_callback(lambda cb: [1, 2].sort(key=cb)), engine=engine)
    next(it)
    it.send("one")
    with pytest.raises(TypeError, match="not supported between"):
        it.send(2)


def test_reduce_asks_the_loop_to_combine(engine: Engine) -> None:
    """Two arguments are one question."""
    it = iterate(from_callback(lambda cb: functools.reduce(cb, [1, 2, 3, 4])), engine=engine)
    asked: list[tuple[int, int]] = []

    def add(pair: tuple[int, int]) -> int:
        asked.append(pair)
        return sum(pair)

    assert converse(it, add) == 10
    assert asked == [(1, 2), (3, 3), (6, 4)]


# tokenize and ast


def test_tokenize_asks_the_loop_for_lines(engine: Engine) -> None:
    """A source turned into a sink: a line goes in when the tokenizer wants one."""
    lines = iter(["if x:\n", "    y = 1\n", ""])
    it = iterate(
        from_callback(lambda cb: [t.string for t in tokenize.generate_tokens(cb) if t.string]),
        engine=engine,
    )
    tokens = converse(it, lambda question: next(lines))
    assert tokens == ["if", "x", ":", "\n", "    ", "y", "=", "1", "\n"]


def test_tokenize_comes_to_its_end_when_told_so_by_its_reply(engine: Engine) -> None:
    """To readline, an empty line is the end; close returns what was made of the rest."""
    it = iterate(
        from_callback(
            lambda cb: [t.string for t in tokenize.generate_tokens(cb) if t.string.strip()],
            stop_reply="",
        ),
        engine=engine,
    )
    assert next(it) == ()
    assert it.send("a = 1\n") == ()
    assert it.close() == ["a", "=", "1"]
    assert it.result == ["a", "=", "1"]


def test_tokenize_errors_arrive_at_the_send_that_gave_the_line(engine: Engine) -> None:
    """The tokenizer sees only then that the indentation is wrong."""
    lines = iter(["if x:\n", "        y\n", "    z\n", ""])
    it = iterate(from_callback(lambda cb: list(tokenize.generate_tokens(cb))), engine=engine)
    with pytest.raises(IndentationError, match="unindent"):
        converse(it, lambda question: next(lines))


def visit(source: str) -> Callable[[Callable[[ast.AST], Any]], None]:
    """Return a function that visits each node of *source*, parents first."""

    def run(callback: Callable[[ast.AST], Any]) -> None:
        class Visitor(ast.NodeVisitor):
            def generic_visit(self, node: ast.AST) -> None:
                callback(node)
                super().generic_visit(node)

        Visitor().visit(ast.parse(source))

    return run


def test_a_node_visitor_is_walked_to_the_first_match(engine: Engine) -> None:
    """From any depth of its recursion; nothing keeps the tree afterwards."""
    with iterate(from_callback(visit("def f(x):\n  return [x, 2 * (x + 1)]")), engine=engine) as it:
        node = next(node for node in it if isinstance(node, ast.BinOp))
        assert isinstance(node.op, ast.Mult)
        frame = it.frame
        assert frame is not None
        tree = weakref.ref(node)
        del frame, node
    gc.collect()
    assert tree() is None


def test_two_syntax_trees_are_compared_in_lockstep(engine: Engine) -> None:
    """Two visitors in Python may take turns."""
    left, right = (
        pullit.pull(from_callback(visit(source), interleave=True), engine=engine)
        for source in ("a = b + 1", "a = b - 1")
    )
    with left as (next_left, _), right as (next_right, _):
        while True:
            (a, more), (b, _) = next_left(), next_right()
            if not more or type(a) is not type(b):
                break
    assert isinstance(a, ast.Add)
    assert isinstance(b, ast.Sub)


# json


ORDER = '{"cup": {"tea": 1}, "plate": {"cake": 2, "fork": {}}}'


def test_json_gives_each_object_innermost_first(engine: Engine) -> None:
    """What the loop sends takes its place."""
    seq = from_callback(lambda cb: json.loads(ORDER, object_hook=cb), reply=lambda made: made)
    it = iterate(seq, engine=engine)
    assert [list(made) for made in it] == [["tea"], [], ["cake", "fork"], ["cup", "plate"]]
    assert it.result == json.loads(ORDER)
    it = iterate(seq, engine=engine)
    assert converse(it, lambda made: sorted(made)) == ["cup", "plate"]


def test_json_pairs_come_with_their_duplicates(engine: Engine) -> None:
    """One positional argument is the value itself, a list here."""
    it = iterate(
        from_callback(
            lambda cb: json.loads('[{"a": 1, "a": 2}]', object_pairs_hook=cb), reply=dict
        ),
        engine=engine,
    )
    assert list(it) == [[("a", 1), ("a", 2)]]
    assert it.result == [{"a": 2}]


def test_json_errors_come_after_the_objects_before_them(engine: Engine) -> None:
    """The decoder says where it was."""
    it = iterate(
        from_callback(lambda cb: json.loads('[{"a": 1}, {]', object_hook=cb)), engine=engine
    )
    assert next(it) == {"a": 1}
    with pytest.raises(json.JSONDecodeError) as raised:
        next(it)
    assert raised.value.pos == 12


def test_an_error_of_reply_goes_through_the_api_to_the_loop(engine: Engine) -> None:
    """It is the same object, raised by the next that asked for more."""

    def refuse(made: dict[str, Any]) -> None:
        raise error

    error = ValueError("refused")
    it = iterate(
        from_callback(lambda cb: json.loads(ORDER, object_hook=cb), reply=refuse), engine=engine
    )
    assert next(it) == {"tea": 1}
    with pytest.raises(ValueError, match="refused") as raised:
        next(it)
    assert raised.value is error
    assert "json" in {Path(entry.path).parent.name for entry in raised.traceback}
