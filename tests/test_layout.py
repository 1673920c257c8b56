"""How the package is built: what is imported from where, and what is public."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pullit

PACKAGE = Path(pullit.__file__).parent

# As one should read them. CONTRIBUTING.md says so, too.
ORDER = [
    "_errors",
    "_threads",
    "_free_list",
    "_per_thread",
    "_foreign",
    "_types",
    "_coro",
    "_arguments",
    "_handles",
    "_pull",
    "_guard",
    "_lifetimes",
    "_stopping",
    "_producer",
    "_ending",
    "_on_greenlet",
    "_waiting",
    "_channel",
    "_consumer",
    "_on_thread",
    "_ahead_on_thread",
    "_tasks",
    "_on_loop",
    "_iterable",
    "_iterable_pull",
    "_making",
    "_functions",
    "_iterator",
    "_read_ahead",
    "_async",
    "_signature",
    "_generator",
    "_running_api",
    "_callback",
    "_combine",
    "__init__",
]


def imports(tree: ast.AST) -> Iterator[str]:
    """Give the modules of the package that are imported when *tree* runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            continue  # what its body imports is seldom wanted, and later
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for branch in node.orelse:
                yield from imports(branch)
        elif isinstance(node, ast.ImportFrom) and node.module:
            name, _, rest = node.module.partition(".")
            if name == "pullit":
                yield from [rest] if rest else (alias.name for alias in node.names)
        else:
            yield from imports(node)


def test_imports_point_one_way_only() -> None:
    """Each module needs none but those that come before it in reading order."""
    assert sorted(path.stem for path in PACKAGE.glob("*.py")) == sorted(ORDER)
    for place, name in enumerate(ORDER):
        found = set(imports(ast.parse((PACKAGE / f"{name}.py").read_text())))
        assert found <= set(ORDER[:place]), (name, found - set(ORDER[:place]))


def test_what_is_public_shows_itself_as_such() -> None:
    """In tracebacks, reprs and docs; and has a docstring."""
    for name in pullit.__all__:
        value = getattr(pullit, name)
        if name not in ("Seq", "Seq2", "Yield", "Yield2"):
            assert f"{value.__module__}.{value.__qualname__}" == f"pullit.{name}"
            assert value.__doc__
