"""What pullit is for, on real callbacks and real input. Run it with: make demo"""

from __future__ import annotations

import ast
import bisect
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from xml.parsers import expat

import pullit

FEATURES = Path(__file__).parent / "data" / "python-features.xml"


def stop_a_parser_early() -> None:
    print(f"1. Which release of Python brought generators? expat parses {FEATURES.name} and")
    print("   calls us for each element. pullit makes that a loop, and the loop breaks.\n")
    with FEATURES.open("rb") as file:

        def elements(yield_: Callable[[tuple[str, dict[str, str]]], Any]) -> None:
            parser = expat.ParserCreate()
            parser.StartElementHandler = lambda tag, attributes: yield_((tag, attributes))
            try:
                parser.ParseFile(file)  # one call into C, which lasts as long as the file
            finally:
                print(f"   expat leaves the file at line {parser.CurrentLineNumber}")

        release = {}
        with pullit.iterate(elements) as it:
            for tag, attributes in it:
                if tag == "release":
                    release = attributes
                    print(f"   {release['version']} of {release['date']}")
                elif attributes.get("pep") == "255":
                    break  # leaving the with block unwinds ParseFile
        read, size = file.tell(), FEATURES.stat().st_size
    print(f"\n   Python {release['version']}. expat has read {read:,} of {size:,} bytes.\n")


def nodes(tree: ast.Module, name: str) -> pullit.Seq[ast.AST]:
    """Return a push iterator over the body of the function *name*, but for its docstring."""

    def walk(yield_: Callable[[ast.AST], Any]) -> None:
        class Visitor(ast.NodeVisitor):
            def generic_visit(self, node: ast.AST) -> None:
                yield_(node)  # from any depth of this recursion
                super().generic_visit(node)

        for function in tree.body:
            if isinstance(function, ast.FunctionDef) and function.name == name:
                for statement in function.body[1:]:
                    Visitor().visit(statement)

    return walk


def compare_two_trees() -> None:
    print("2. bisect_left and bisect_right look alike. Two ast.NodeVisitors walk their syntax")
    print("   trees in lockstep, each within its own recursion, to where they differ.\n")
    source = Path(bisect.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source)
    alike, left, right = 0, None, None
    with (
        pullit.pull(nodes(tree, "bisect_left")) as (next_left, _),
        pullit.pull(nodes(tree, "bisect_right")) as (next_right, _),
    ):
        while True:
            (a, more), (b, _) = next_left(), next_right()
            if not more or type(a) is not type(b):
                break
            alike += 1
            if isinstance(a, ast.Compare) and isinstance(b, ast.Compare):
                left, right = a, b  # the comparison that we are in
    for name, node in (("bisect_left", left), ("bisect_right", right)):
        if node is not None:
            print(f"   {name:13} line {node.lineno}: {ast.get_source_segment(source, node)}")
    print(f"\n   {alike} nodes are alike. Neither walk was run to its end, nor kept as a list.\n")


def squares(count: int, yield_: Callable[[int], Any]) -> None:
    for n in range(count):
        if not yield_(n * n):
            return


def by_generator(count: int) -> Iterator[int]:
    for n in range(count):
        yield n * n


def by_queue(count: int) -> Iterator[int | None]:
    """The usual recipe: a thread, and a queue of one."""
    values: queue.Queue[int | None] = queue.Queue(1)

    def put(value: int) -> bool:
        values.put(value)
        return True

    def run() -> None:
        squares(count, put)
        values.put(None)

    threading.Thread(target=run).start()
    return iter(values.get, None)


def seconds(way: Callable[[int], Iterator[object]], count: int) -> float:
    """Return the time that one value takes, the median of five."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in way(count):
            pass
        times.append(time.perf_counter() - start)
    return median(times) / count


def rounded(number: float) -> str:
    """Return *number* with two digits: more of them differ each time."""
    return f"{float(f'{number:.2g}'):g}"


def compare_costs() -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"3. What one value costs, measured just now on CPython {version}:\n")
    generator = seconds(by_generator, 50_000)
    greenlet = seconds(lambda count: pullit.iterate(partial(squares, count)), 50_000)
    thread = seconds(lambda n: pullit.iterate(partial(squares, n), engine="thread"), 2_000)
    for name, cost in (
        ("a generator, which cannot yield for a callback", generator),
        ("pullit", greenlet),
        ('pullit, engine="thread"', thread),
        ("a thread and a queue of one, without pullit", seconds(by_queue, 2_000)),
    ):
        micros, times = rounded(cost * 1e6), rounded(cost / generator)
        print(f"   {name:47} {micros:>6} µs {times:>6} times a generator")


if __name__ == "__main__":
    stop_a_parser_early()
    compare_two_trees()
    compare_costs()
