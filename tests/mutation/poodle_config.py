"""Mutation testing: change the package in one place, and see whether a test notices.

`make mutants` has poodle do so, in copies of the tree, with each place below. A
mutant that every test passes is a survivor: it wants a test, or simpler code, or an
entry in survivors.toml that says why no test can tell it from the original. poodle
changes the source itself. Tools that choose between variants of a function when it
is called add frames, which our tests of tracebacks and of references would see.
"""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from poodle import PoodleTestingFailedError, mutators
from poodle.data_types import FileMutation, Mutant, MutantTrialResult, TestingResults
from poodle.util import mutate_lines

# What poodle reads here: options of its own.
source_folders = ["."]  # is copied, but for what is hidden and for ...
file_copy_filters = ["build/**", "**/__pycache__/**"]
work_folder = "build/mutants"
only_files = [
    f"pullit/{name}.py"
    for name in [
        "_threads",
        "_per_thread",
        "_free_list",
        "_foreign",
        "_coro",
        "_errors",
        "_lifetimes",
        "_guard",
        "_pull",
        "_producer",
        "_ending",
        "_on_greenlet",
        "_making",
        "_functions",
        "_iterator",
        "_read_ahead",
        "_channel",
        "_on_thread",
    ]
]
max_workers = len(os.sched_getaffinity(0))
skip_mutators = ["all"]  # which `mutations` calls by itself, those of LIBRARY
add_mutators = ["poodle_config.mutations"]
fail_under = 100
min_timeout = 3600  # ours are shorter, and end grandchildren as well
runner = "poodle_config.run_tests"
reporters = ["summary", "poodle_config.report"]

# The tests that kill most, in a second, and how long they may take: for one test, and
# for all. Then the rest, but for those of types, layout and other libraries.
STAGES = [
    ("coro contract go arguments callback", 5, 30),
    ("depth reuse lifetimes company processes threads machine ahead combine tools model", 30, 600),
]

LIBRARY = [
    mutators.AugAssignMutator,
    mutators.BinaryOperationMutator,
    mutators.ComparisonMutator,
    mutators.DecoratorMutator,
    mutators.DictArrayCallMutator,
    mutators.FunctionCallMutator,
    mutators.KeywordMutator,
    mutators.LambdaReturnMutator,
    mutators.NumberMutator,
    mutators.ReturnMutator,
    mutators.UnaryOperationMutator,
]

# Read when we begin, so that it does no harm to edit them meanwhile.
SOURCES = {path.name: path.read_text() for path in Path("pullit").glob("*.py")}
SURVIVORS = Path(__file__).with_name("survivors.toml").read_text()
EXPLAINED = {
    key.strip() for entry in tomllib.loads(SURVIVORS)["survivors"] for key in entry["mutants"]
}


def mutations(*, config: Any, parsed_ast: ast.Module, **_: object) -> list[FileMutation]:
    """Return the changes to make in a file: the library's, and ours."""
    tree = OnlyWhatRuns().visit(parsed_ast)
    found = [m for node in ast.walk(tree) for m in mutate(node)]
    for mutator in LIBRARY:
        # A copy, because some change it.
        found += mutator(config=config, echo=print).create_mutations(deepcopy(tree), file_lines=[])
    places = {(m.lineno, m.col_offset, m.end_lineno, m.end_col_offset, m.text): m for m in found}
    return [places[place] for place in sorted(places)]


class OnlyWhatRuns(ast.NodeTransformer):
    """Drop what has no effect, or only on the text of a message: that, tests compare."""

    def visit_If(self, node: ast.If) -> Any:
        if is_given(node.test):
            given = {"TYPE_CHECKING": False, "sys": sys}
            runs = eval(ast.unparse(node.test), given)
            return [self.visit(n) for n in (node.body if runs else node.orelse)]
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        if is_given(node.test):  # survivors.toml is to fit every version
            return self.visit(ast.Tuple([node.body, node.orelse]))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        if "overload" in map(ast.unparse, node.decorator_list):
            return None
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.annotation = ast.Name("Any")
        return self.generic_visit(node) if node.value else None

    def visit_Assert(self, node: ast.Assert) -> None:
        return None  # is for type checkers

    def visit_Compare(self, node: ast.Compare) -> Any:
        # `is ' '` for `is None` would be a SyntaxWarning, and no test be needed.
        node.comparators = [
            ast.Name("None") if ast.unparse(n) == "None" else n for n in node.comparators
        ]
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        return ast.copy_location(ast.Constant(""), node)


def is_given(test: ast.expr) -> bool:
    """Tell whether what runs here has decided *test*."""
    return ast.unparse(test).startswith(("TYPE_CHECKING", "sys.version_info"))


def mutate(node: Any) -> Iterator[FileMutation]:
    """Leave out a statement, decide a condition, catch nothing."""
    match node:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Delete() | ast.Raise():
            yield change("Delete", node, "pass")
        case ast.Return(value=None) | ast.Expr(value=ast.Yield()):
            yield change("Delete", node, "pass")
        case ast.If() | ast.IfExp():
            yield change("Condition", node.test, "True")
            yield change("Condition", node.test, "False")
        case ast.While() if not isinstance(node.test, ast.Constant):
            yield change("Condition", node.test, "False")
        case ast.ExceptHandler(type=ast.AST()):
            yield change("Except", node.type, "()")


def change(name: str, node: Any, text: str) -> FileMutation:
    return FileMutation(
        name, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, text
    )


def describe(mutant: Mutant) -> str:
    """Return what names *mutant* in survivors.toml, wherever its line may move to."""
    assert mutant.source_file is not None
    source = SOURCES[mutant.source_file.name]
    lines = source.splitlines()
    first, last = mutant.lineno, mutant.end_lineno
    where = [mutant.source_file.stem] + [
        n.name
        for n in ast.walk(ast.parse(source))
        if isinstance(n, ast.FunctionDef | ast.ClassDef)
        and n.lineno <= first <= (n.end_lineno or 0)
    ]
    was, now = lines[first - 1 : last], mutate_lines(mutant, lines)[first - 1].splitlines()
    return f"{'.'.join(where)}: {squeeze(was)} -> {squeeze(now)}"


def squeeze(lines: list[str]) -> str:
    """Return *lines* as one, without comments."""
    return " ".join(" ".join(line.partition("  #")[0].split()) for line in lines)


def module_of(key: str) -> str:
    return key.partition(":")[0].partition(".")[0]


def run_tests(*, run_folder: Path, mutant: Mutant, echo: Any, **_: object) -> MutantTrialResult:
    """Run the tests, in the copy that has the mutant, until one fails, hangs or crashes."""
    if mutant.source_file and describe(mutant) in EXPLAINED:
        return MutantTrialResult(True, "explained")
    run_folder = run_folder.resolve()
    output = run_folder / "output"
    env = os.environ | {"PYTHONPATH": str(run_folder), "PYTHONDONTWRITEBYTECODE": "1"}
    for names, limit_one, limit_all in STAGES:
        command = [sys.executable, "-m", "pytest", "-x", "--tb=short", "--hypothesis-seed=0"]
        command += ["-o", f"faulthandler_timeout={limit_one}"]
        command += [f"tests/test_{name}.py" for name in names.split()]
        with output.open("w") as file:
            process = subprocess.Popen(
                command,
                cwd=run_folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            code = process.wait(limit_all)
        except subprocess.TimeoutExpired:
            return MutantTrialResult(True, "hangs")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code:
            text = output.read_text(errors="replace")
            return MutantTrialResult(True, "fails" if code > 0 else "crashes", text[-2000:])
    if mutant.source_file:
        echo(f"SURVIVES {describe(mutant)}")
    return MutantTrialResult(False, MutantTrialResult.RC_NOT_FOUND)


def report(*, echo: Any, testing_results: TestingResults, **_: object) -> None:
    """Print the figures of each file, and what is to go into survivors.toml or to be killed."""
    figures: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: Counter[str] = Counter()
    mutants = set()
    survivors = []
    for trial in testing_results.mutant_trials:
        key = describe(trial.mutant)
        mutants.add(key)
        module = module_of(key)
        figures[module][trial.result.reason_code] += 1
        seconds[module] += trial.duration
        if not trial.result.found:
            survivors.append(key)
    for module, counts in figures.items():
        parts = ", ".join(f"{n} {reason}" for reason, n in counts.most_common())
        echo(f"{module}: {counts.total()} mutants: {parts}; {seconds[module]:.0f} s of tests")
    for key in survivors:
        echo(f"    '''{key} ''',")
    stale = {key for key in EXPLAINED if module_of(key) in figures} - mutants
    if stale:
        raise PoodleTestingFailedError("survivors.toml explains what is no mutant:", *stale)
