"""Draw results.json: one SVG for each question that docs/costs.md answers.

The pictures are shown on light pages and on dark ones, down to a phone's width. So
the ground is transparent, the lines have a contrast of three to one with both white
and black, and the text is text, in a colour that follows the reader's theme.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from ways import AHEAD, C_DEPTHS, DEPTHS, STACKS

GREY, BLUE, PURPLE, ORANGE, GREEN = "#808080", "#2f7fd1", "#a25fc4", "#d9641a", "#2a9461"
INK = "#123456"  # stands for the text's colour until the file is written

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pullit",
    "font.family": "sans-serif",
    "font.size": 13,
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.linewidth": 2.2,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
THEMES = """<style>
:root { color: #59636e }
@media (prefers-color-scheme: dark) { :root { color: #9aa4ae } }
</style>
"""

NO_METADATA = dict.fromkeys(["Creator", "Date", "Format", "Type"])  # else it changes daily

Results = dict[str, Any]

# The bars: what the name in the results is, what is written, the colour.
BARS = [
    ("native", "native generator", GREY),
    ("Go", "Go, iter.Pull", GREEN),
    ("Lua", "Lua, coroutine.wrap", GREEN),
    ("Ruby", "Ruby, Enumerator#next", GREEN),
    ("raw", "raw greenlet", PURPLE),
    ("iterate", "iterate", BLUE),
    ("read-ahead/256", "iterate, read_ahead=256", BLUE),
    ("pull", "next of pull", BLUE),
    ("thread", "thread engine", ORANGE),
    ("thread read-ahead/256", "threads, read_ahead=256", ORANGE),
    ("queue 1", "thread and Queue(1)", ORANGE),
    ("queue 64", "thread and Queue(64)", ORANGE),
    ("callback_iter", "callback_iter", ORANGE),
]

LINES = [
    ("native", "native generator", GREY, "-"),
    ("raw", "raw greenlet", PURPLE, ":"),
    ("iterate", "iterate", BLUE, "-"),
    ("read-ahead 256", "read_ahead=256", BLUE, "--"),
]


def nice(seconds: float) -> str:
    """Write a time with two digits or three: 1.2 µs, 46 ns, 155 ns."""
    number, unit = seconds * 1e3, "ms"
    if number < 0.9995:
        number, unit = seconds * 1e6, "µs"
    if number < 0.9995:
        number, unit = seconds * 1e9, "ns"
    return f"{number:.{0 if number >= 9.95 else 1}f} {unit}"


def times(results: Results, name: str) -> tuple[float, float] | None:
    """Return the lower and the upper quartile, if the way was measured.

    The upper one is the lower again where they are close: then what lies between
    is the machine's noise, and no matter of the way.
    """
    found = results["seconds"].get(name)
    if not found:
        return None
    lower, _, upper = found
    return lower, upper if upper > 2.5 * lower else lower


def span(low: str, high: str) -> str:
    """Write "16 to 55 µs", "84 µs to 4.5 ms", or only the one if they are the same."""
    if low == high:
        return low
    unit = " " + high.split()[1]
    return f"{low.removesuffix(unit)} to {high}"


def series(results: Results, group: str) -> tuple[list[int], list[float]]:
    """Return the x and the times of the names that are "group/x"."""
    found = {
        int(name.rpartition("/")[2]): quartiles[0]
        for name, quartiles in results["seconds"].items()
        if name.rpartition("/")[0] == group
    }
    return sorted(found), [found[x] for x in sorted(found)]


def by_way(results: Results) -> Figure:
    rows = [(t, label, colour) for name, label, colour in BARS if (t := times(results, name))]
    rows.sort(reverse=True)
    figure = Figure(figsize=(6.4, 0.36 * len(rows) + 0.7), layout="constrained")
    axes = figure.subplots()
    for y, ((low, high), _, colour) in enumerate(rows):
        axes.barh(y, low, color=colour)
        if low < high:
            axes.plot([low, high], [y, y], color=colour)
        beside(axes, y, high, span(nice(low), nice(high)))
    axes.set_yticks(range(len(rows)), [row[1] for row in rows])
    axes.set(xscale="log", xlim=(1e-8, 8e-3), title="Time for one value")
    finish(axes.xaxis)
    axes.tick_params(axis="y", length=0)
    return figure


def beside_busy(results: Results) -> Figure:
    rows = []
    for name, label, colour in BARS:
        alone, busy = times(results, name), times(results, f"busy/{name}")
        if alone and busy:
            rows.append((busy, alone[0], label, colour))
    rows.sort(reverse=True)
    figure = Figure(figsize=(6.4, 0.36 * len(rows) + 1.1), layout="constrained")
    axes = figure.subplots()
    for y, ((low, high), ring, _, colour) in enumerate(rows):
        axes.plot([ring, high], [y, y], color=colour)
        axes.plot([ring], [y], "o", color=colour, ms=8, mfc="none", mew=2)
        axes.plot([low, high], [y, y], "o", color=colour, ms=9)
        beside(axes, y, high, span(ratio(low / ring), ratio(high / ring)))
    axes.set_yticks(range(len(rows)), [row[2] for row in rows])
    axes.set(xscale="log", xlim=(1e-8, 30), ylim=(-0.6, len(rows) - 0.4))
    axes.set_title("Time for one value, alone (ring)\nand beside one busy thread (disc)")
    finish(axes.xaxis)
    axes.set_xticks([1e-8, 1e-6, 1e-4, 1e-2])
    axes.tick_params(axis="y", length=0)
    return figure


def by_read_ahead(results: Results) -> Figure:
    figure = Figure(figsize=(6.4, 3.9), layout="constrained")
    axes = figure.subplots()
    for group, label, colour in (
        ("thread read-ahead", "threads", ORANGE),
        ("read-ahead", "greenlets", BLUE),
    ):
        axes.plot(*series(results, group), "o-", color=colour, label=label)
    for name, label, colour in (
        ("Go", "Go, iter.Pull", GREEN),
        ("native", "native generator", GREY),
    ):
        level = times(results, name)
        if level:
            axes.axhline(level[0], color=colour, linestyle="--", label=label)
    axes.set(xscale="log", yscale="log", xlabel="read_ahead", title="Time for one value")
    axes.set_xticks(AHEAD, map(str, AHEAD))
    axes.xaxis.set_minor_locator(NullLocator())
    finish(axes.yaxis)
    axes.legend(loc="upper right")
    return figure


def by_depth(results: Results) -> Figure:
    figure = Figure(figsize=(6.4, 9.6), layout="constrained")
    python, native, stack = figure.subplots(3)
    for name, label, colour, style in LINES:
        line = {"color": colour, "marker": "o"}
        python.plot(*series(results, f"depth/{name}"), style, label=label, **line)
        native.plot(*series(results, f"sort/{name}"), style, **line)
        native.plot(*series(results, f"reduce/{name}"), style, **line | {"marker": "s"})
        stack.plot(*series(results, f"stack/{name}"), style, **line)
    python.set(xscale="log", xlabel="Python calls deep")
    python.set_xticks(DEPTHS, map(str, DEPTHS))
    native.set(xscale="log", xlabel="calls deep through C: list.sort ●, reduce ■")
    native.set_xticks(C_DEPTHS, map(str, C_DEPTHS))
    stack.set(xlabel="pulls, each over the one before", xticks=STACKS)
    for axes in python, native, stack:
        axes.set(yscale="log")
        axes.xaxis.set_minor_locator(NullLocator())
        finish(axes.yaxis)
    python.set_title("Time for one value")
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def ratio(number: float) -> str:
    return f"{number:.{0 if number >= 9.95 else 1}f} ×"  # noqa: RUF001


def beside(axes: Any, y: float, x: float, text: str) -> None:
    axes.annotate(text, (x, y), (9, 0), textcoords="offset points", va="center")


def finish(axis: Any) -> None:
    """Write times along *axis*, one for each tenfold, with a line across."""
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda seconds, _: nice(seconds).replace(".0 ", " "))
    axis.grid()


PICTURES: dict[str, Callable[[Results], Figure]] = {
    "cost-by-way": by_way,
    "cost-by-read-ahead": by_read_ahead,
    "cost-by-depth": by_depth,
    "cost-beside-a-busy-thread": beside_busy,
}


def draw(results: Results, folder: Path) -> None:
    """Write all pictures to *folder*. The same results give the same files."""
    with mpl.rc_context(STYLE):
        for name, picture in PICTURES.items():
            path = folder / f"{name}.svg"
            picture(results).savefig(path, transparent=True, metadata=NO_METADATA)
            text = path.read_text().replace(INK, "currentColor")
            path.write_text(re.sub(r"(<svg [^>]*>\n)", lambda m: m[1] + THEMES, text, count=1))
