"""Leave out the pages whose examples call what is not installed here."""

from importlib.util import find_spec

NEEDS = {
    "howto-streaming.md": ["starlette", "httpx2"],
    "howto-progress-and-batches.md": ["tqdm", "more_itertools"],
}

collect_ignore = [page for page, names in NEEDS.items() if not all(map(find_spec, names))]
