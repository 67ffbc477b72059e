"""How what people give for the office must look; complaints come all at once and repeat nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

POST_KINDS = ("main_head", "other_head", "staff")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would compute at the beginning of a cell."""

_ACCOUNT = re.compile(r"[a-z][a-z0-9_.-]{1,40}")
_CODE = re.compile(r"[A-Z][A-Z0-9]{1,15}")
_MAIL = re.compile(r"[A-Za-z0-9][^@\s<>,;]*@[^@\s<>,;]+")
_CERTIFICATE = re.compile(r"[0-9A-Za-z]{4,30}")
_NOBODY = frozenset({"public", "sys", "holder", "database", "command", "worker"})

SENTENCES = {
    "code": "代码用大写字母和数字,名称不能为空。Use capitals and digits; give a name.",
    "account": "账号用小写字母、数字、点、横线、下划线,字母开头。Use a-z, 0-9, dot, dash, underline.",
    "name": "请填写名称(1至60字,不以 = + - @ 开头)。Give a name of 1 to 60 characters, not a formula.",
    "aliases": "别名同名称的要求。Aliases are written like names.",
    "email": "不是邮箱地址。Not a mail address.",
    "post": "职务1至60字,不以 = + - @ 开头。A post has 1 to 60 characters and is no formula.",
    "post_kind": f"应为 {'、'.join(POST_KINDS)} 之一。One of {', '.join(POST_KINDS)}.",
    "certificate": "证号为4至30位字母数字。A certificate number has 4 to 30 letters and digits.",
}


def demand_sound(given: Mapping[str, Any]) -> None:
    """Raise Invalid with a sentence for every value that is not of its form; None is left alone."""
    errors = faults(given)
    if errors:
        raise Invalid([(f"/{name}", sentence) for name, sentence in errors])


def faults(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, sentence) for every value that is not of its form."""
    found = []
    for name, value in given.items():
        if value is None or name not in SENTENCES:
            continue
        values = value if name == "aliases" else [value]
        if not all(isinstance(each, str) and _fits(name, each) for each in values):
            found.append((name, SENTENCES[name]))
    return found


def _fits(name: str, value: str) -> bool:
    if name == "account":
        return bool(_ACCOUNT.fullmatch(value)) and value not in _NOBODY
    if name == "post_kind":
        return value in POST_KINDS
    patterns = {"code": _CODE, "email": _MAIL, "certificate": _CERTIFICATE}
    if name in patterns:
        return bool(patterns[name].fullmatch(value))
    plain = value.strip()
    return 0 < len(plain) <= 60 and plain.isprintable() and not plain.startswith(FORMULA)  # noqa: PLR2004
