"""Where in a broken JSON text a byte stands: the path to it, as far as the text before it tells."""

import re

ROOT = "$"
_TOKEN = re.compile(rb'"(?P<text>[^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)|[\[\]{},:]', re.DOTALL)
_NAME = re.compile(rb"_?[A-Za-z][A-Za-z0-9]{0,63}")
_UNTOLD = "[...]"  # for a member whose name is none of FHIR or CDS Hooks: it may be anything

_FARTHEST = 500_000  # bytes that are worth looking through for a path: a broken body must not cost more than a good one
_DEEPEST = 100


def path_at(body: bytes, offset: int) -> str:
    """The path of the value that byte `offset` lies in: `prefetch.patient.id`; `$` for the whole, or too far in."""
    steps: list[str | int] = []
    if offset > _FARTHEST:
        return ROOT
    text = b""
    for token in _TOKEN.finditer(body, 0, offset):
        mark = token[0]
        if len(steps) > _DEEPEST:
            return ROOT
        if mark in (b"{", b"["):
            steps.append("" if mark == b"{" else 0)
        elif mark in (b"}", b"]"):
            del steps[-1:]
        elif mark == b",":
            steps[-1:] = [_next(step) for step in steps[-1:]]
        elif mark == b":":
            steps[-1:] = [_member(text) for _ in steps[-1:]]
        else:
            text = token["text"]
    return "".join(map(_written, steps)).lstrip(".") or ROOT


def _next(step: str | int) -> str | int:
    return step + 1 if isinstance(step, int) else ""


def _member(name: bytes) -> str:
    return f".{name.decode()}" if _NAME.fullmatch(name) else _UNTOLD


def _written(step: str | int) -> str:
    return f"[{step}]" if isinstance(step, int) else step
