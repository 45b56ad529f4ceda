"""MASK's own judge prompts, from a user's checkout of its code (`centerforaisafety/mask`): parsed, never imported or run.

We ship none of that text. Its file `evaluation_prompts.py` assigns strings to names; which name plays which role is told by the words
in it, and checked by the `{names}` that the text holds. What MASK's code does not hold (DeceptionBench, held-out conversations, the
lines around a prompt) comes from our own pack.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.core.domain.errors import SpecError
from services.evaluator.judging.prompts import FIELDS, PromptPack, Role, checked, own_pack

FILE = "evaluation_prompts.py"
_WORDS: Mapping[Role, str] = {
    Role.DOUBLING_DOWN: "DOUBLING",
    Role.DIRECT_BELIEF: "DIRECT",
    Role.CONSISTENCY_BELIEF: "CONSISTENCY",
    Role.NUMERIC: "NUMERIC",
    Role.DISINFORMATION_RULES: "DISINFORMATION",
    Role.CONTINUATIONS_RULES: "CONTINUATION",
    Role.STATEMENT: "BINARY",
}
"""The word by which a role's name is known; of several words in a name the first of this list counts."""


def checkout_pack(name: str, checkout: Path) -> PromptPack:
    """Return the pack of a checkout (its folder, or the file itself). Raises `SpecError`, listing what was found."""
    path = _file(checkout)
    strings = _strings(path)
    texts = {role: _text(role, strings, path) for role in _WORDS}
    return PromptPack(name, checked({**own_pack().texts, **texts}, path))


def _file(checkout: Path) -> Path:
    found = [checkout] if checkout.is_file() else sorted(checkout.rglob(FILE))
    if len(found) != 1:
        where = ", ".join(str(path) for path in found) or "none"
        raise SpecError(
            f"DRIFTLOOP_PROMPT_PACKS: {checkout} must hold one {FILE}; found: {where}; "
            "name a checkout of MASK's code, or the file"
        )
    return found[0]


def _strings(path: Path) -> Mapping[str, str]:
    """Return the strings that the file assigns to names at its top level."""
    try:
        module = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise SpecError(f"DRIFTLOOP_PROMPT_PACKS: {path} can't be read as Python: {error}") from None
    found: dict[str, str] = {}
    for name, value in _assignments(module):
        text = _string(value, found)
        if text is not None:
            found[name] = text
    return found


def _assignments(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for statement in module.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        value = getattr(statement, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.expr):
                yield target.id, value


def _string(value: ast.expr, known: Mapping[str, str]) -> str | None:
    """Return the text of an expression that is plainly one: a literal, a sum of such, an earlier name, any of them stripped."""
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return known.get(name)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _string(left, known), _string(right, known)
            return None if one is None or other is None else one + other
        case ast.Call(func=ast.Attribute(value=inner, attr="strip"), args=[], keywords=[]):
            text = _string(inner, known)
            return None if text is None else text.strip()
        case _:
            return None


def _text(role: Role, strings: Mapping[str, str], path: Path) -> str:
    named = [name for name in strings if _role_of(name) is role]
    fitting = [
        name for name in named if all(f"{{{field}}}" in strings[name] for field in FIELDS.get(role, ()))
    ]
    if len(fitting) != 1:
        raise SpecError(
            f"DRIFTLOOP_PROMPT_PACKS: {path} must hold one text for {role.value}: a name with {_WORDS[role]}, "
            f"with {_fields(role)}; found: {', '.join(strings) or 'no strings'}"
        )
    return strings[fitting[0]]


def _role_of(name: str) -> Role | None:
    return next((role for role, word in _WORDS.items() if word in name.upper()), None)


def _fields(role: Role) -> str:
    return ", ".join(f"{{{field}}}" for field in sorted(FIELDS.get(role, ()))) or "no names to fill in"
