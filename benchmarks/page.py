"""Write results.json as the tables of docs/costs.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from plots import Results, nice, span, times

START, END = "<!-- made by `make bench`: -->\n", "<!-- so far. -->\n"

# What a row says, and its name in the results.
VALUES = [
    ("a native generator", "native"),
    *((f"`iterate`, `read_ahead={n}`", f"read-ahead/{n}") for n in (1024, 256, 64, 16, 4)),
    ("raw greenlet, no guards", "raw"),
    ("`iterate`", "iterate"),
    ("`next` of `pull`", "pull"),
    ("`pullit.zip` of two", "zip of two"),
    ("a thread and a `queue.Queue(64)`", "queue 64"),
    ("a thread and a `queue.Queue(1)`", "queue 1"),
    ("`more_itertools.callback_iter`", "callback_iter"),
    ('`iterate`, `engine="thread"`, `read_ahead=256`', "thread read-ahead/256"),
    ('`iterate`, `engine="thread"`', "thread"),
    ("Go's `iter.Pull`", "Go"),
    ("Lua's `coroutine.wrap`", "Lua"),
    ("Ruby's `Enumerator#next`", "Ruby"),
]
CREATED = [
    ("a native generator", "native"),
    ("raw greenlet: create, two switches", "raw"),
    ("`pull`", "pull"),
    ("`iterate`", "iterate"),
    ('`iterate`, `engine="thread"`', "thread"),
]
SUSPENDED = [
    ("a native generator", "native"),
    ("a raw greenlet", "raw"),
    ("`iterate`", "iterate"),
    ("`pull`", "pull"),
    ("`iterate`, `read_ahead=256`", "read-ahead 256"),
]

ASYNC = [
    ("`run_in_executor(None, next, iterator, end)`", "executor"),
    ("`aiterate`", "aiterate"),
    ("`aiterate`, `read_ahead=64`", "aiterate 64"),
    ("a thread and an `asyncio.Queue`, without a bound", "queue"),
    ("the same with a `Semaphore(64)`", "queue 64"),
    ("`janus.Queue(64)`", "janus 64"),
    ("`culsans.Queue(64)`", "culsans 64"),
]
STREAMS = [
    ("no tokens", "silent"),
    ("`aiterate`", "aiterate"),
    ("`aiterate`, `read_ahead=64`", "aiterate 64"),
    ("`run_in_executor`", "executor"),
    ("a loop in an async generator", "blocking"),
]
# What is measured on other Pythons too. Where threads hand over each value, that is on one
# core: on two it takes half as long or twice, as the kernel has placed them.
MAIN = [
    ("a native generator", "native"),
    ("raw greenlet, no guards", "raw"),
    ("`iterate`", "iterate"),
    ("`next` of `pull`", "pull"),
    ("`iterate`, `read_ahead=256`", "read-ahead/256"),
    ('`iterate`, `engine="thread"`, on one core', "one core/thread"),
    ('`iterate`, `engine="thread"`, `read_ahead=64`', "thread read-ahead/64"),
    ("raw greenlet: create, two switches", "create/raw"),
    ("`pull`: create, get one, stop", "create/pull"),
]

Measure = Callable[[Results], float]


def seconds(name: str) -> Measure:
    return lambda results: float(results["seconds"][name][0])


def count(name: str) -> Measure:
    return lambda results: float(results["instructions"][name])


def memory(name: str) -> Measure:
    return lambda results: float(results["bytes"][name]["100000"])


def in_loop(name: str) -> Measure:
    return lambda results: float(results["async"]["seconds"][name][1])


def fastest_queue(results: Results) -> float:
    return min(in_loop(f"{name} 64")(results) for name in ("queue", "janus", "culsans"))


# What the project holds itself to, on CPython 3.13: what, against what, at most.
LIMITS: list[tuple[str, Measure, Measure, float]] = [
    ("read-ahead 256 ÷ raw greenlet, instructions", count("read-ahead/256"), count("raw"), 0.24),
    (
        "read-ahead 256 ÷ native generator, instructions",
        count("read-ahead/256"),
        count("native"),
        3.4,
    ),
    ("read-ahead 256 ÷ Go's `iter.Pull`, time", seconds("read-ahead/256"), seconds("Go"), 1.8),
    ("`iterate` ÷ raw greenlet, instructions", count("iterate"), count("raw"), 1.48),
    ("`next` of `pull` ÷ raw greenlet, instructions", count("pull"), count("raw"), 1.65),
    ("`iterate` ÷ thread engine, time", seconds("iterate"), seconds("thread"), 1 / 12),
    ("`iterate` ÷ `callback_iter`, time", seconds("iterate"), seconds("callback_iter"), 1 / 4),
    (
        "create a `pull`, get one, stop ÷ raw greenlet, time",
        seconds("create/pull"),
        seconds("create/raw"),
        0.50,
    ),
    (
        "`iterate` beside a busy thread ÷ alone, time",
        seconds("busy/iterate"),
        seconds("iterate"),
        3.0,
    ),
    (
        "memory of a suspended `pull` ÷ raw greenlet, of 100,000",
        memory("pull"),
        memory("raw"),
        1.6,
    ),
    ("`aiterate` ÷ executor, time", in_loop("aiterate"), in_loop("executor"), 0.75),
    (
        "the same, read-ahead 64 ÷ executor, time",
        in_loop("aiterate 64"),
        in_loop("executor"),
        0.1,
    ),
    ("the same ÷ the fastest bounded queue, time", in_loop("aiterate 64"), fastest_queue, 1),
]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(results: Results, name: str) -> str:
    found = times(results, name)
    return span(*map(nice, found)) if found else ""


def values(results: Results) -> Iterator[list[str]]:
    for text, name in VALUES:
        if times(results, name):
            cells = [cell(results, group + name) for group in ("", "one core/", "busy/")]
            counted = results["instructions"].get(name)
            yield [text, *cells, f"{counted:,.0f}" if counted else ""]


def created(results: Results) -> Iterator[list[str]]:
    for text, name in CREATED:
        counted = results["instructions"].get(f"create/{name}")
        instructions = f"{counted:,.0f}" if counted else ""
        yield [text, cell(results, f"create/{name}"), instructions]


def suspended(results: Results) -> Iterator[list[str]]:
    for text, name in SUSPENDED:
        sizes: dict[str, float] = results["bytes"].get(name, {})
        if sizes:
            yield [text, *(f"{size:,.0f}" for size in sizes.values())]


def values_in_loop(found: Results) -> Iterator[list[str]]:
    for text, name in ASYNC:
        cells: list[str] = []
        for group in "", "one core/":
            own, base = (found["seconds"][group + way][1] for way in (name, "executor"))
            cells += nice(own), f"{own / base:.3f}"
        yield [text, *cells]


def streams(found: Results, producer: str) -> Iterator[list[str]]:
    for text, name in STREAMS:
        row = found["streams"][producer][name]
        waits = [*row["late"], row["starting"][-1], *row["executor"][:2]]
        yield [text, f"{row['tokens']:,.0f}", *map(nice, waits)]


def async_tables(found: Results) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    yield f"In an event loop, measured on {found['date']}; {versions}; medians.\n"
    head = ["one value in an event loop", "time", "÷ executor", "on one core", "÷ executor"]
    yield table(head, values_in_loop(found))
    for producer in found["streams"]:
        head = [f"100 streams, whose producer {producer}", "tokens in 1 s", "loop late: median"]
        head += ["99 %", "most", "most at the start", "executor: median", "99 %"]
        yield table(head, streams(found, producer))


def names(pythons: list[Results]) -> list[str]:
    return [f"CPython {results['versions']['CPython']}" for results in pythons]


def beside(pythons: list[Results]) -> Iterator[list[str]]:
    for text, name in MAIN:
        cells: list[str] = []
        for results in pythons:
            counted = results["instructions"].get(name)
            cells += cell(results, name), f"{counted:,.0f}" if counted else ""
        yield [text, *cells]


def beside_in_loop(pythons: list[Results]) -> Iterator[list[str]]:
    for text, name in ASYNC:
        yield [text, *(nice(in_loop(f"one core/{name}")(results)) for results in pythons)]


def beside_tables(pythons: list[Results]) -> Iterator[str]:
    for results in pythons[1:]:
        versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
        where = f"{results['date']}: {results['platform']}"
        yield f"On another Python, measured on {where};\n{versions}.\n"
    head = ["one value"]
    for name in names(pythons):
        head += name, "instructions"
    yield table(head, beside(pythons))
    yield table(["in an event loop, on one core", *names(pythons)], beside_in_loop(pythons))


def limits(pythons: list[Results]) -> Iterator[list[str]]:
    for text, this, that, most in LIMITS:
        ratios: list[str] = []
        for results in pythons:
            try:
                ratios.append(f"{this(results) / that(results):.3f}")
            except KeyError:  # not measured there
                ratios.append("")
        if ratios[0]:
            kept = "yes" if float(ratios[0]) <= most else "no"
            yield [text, *ratios, f"{most:.3g}", kept]


def tables(results: Results) -> str:
    found: dict[str, Any] = results["versions"]
    versions = ", ".join(f"{name} {version}" for name, version in found.items())
    pythons: list[Results] = [results, *results.get("others", {}).values()]
    parts = [
        f"Measured on {results['date']}: {results['machine']}; {results['platform']};\n"
        f"{versions}.\n",
        table(
            ["one value", "time", "on one core", "beside a busy thread", "instructions"],
            values(results),
        ),
        table(["create, get one, stop", "time", "instructions"], created(results)),
        table(
            ["one of so many, suspended: bytes", *next(iter(results["bytes"].values()))],
            suspended(results),
        ),
        *(async_tables(results["async"]) if "async" in results else ()),
        *(beside_tables(pythons) if len(pythons) > 1 else ()),
        table(["ratio", *names(pythons), "at most, on 3.13", "kept"], limits(pythons)),
    ]
    parts += [f"Left out: {line}.\n" for line in results["missing"]]
    return "\n".join(parts)


def write(results: Results, path: Path) -> None:
    """Put the tables between the marks in the page."""
    before, _, rest = path.read_text().partition(START)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{START}\n{tables(results)}\n{END}{after}")
