"""What a password may be: long, and not one that everybody tries first.

No rule of composition and no date of expiry (ASVS 6.2.5, 6.2.10): both make people choose worse. Refused
are the long ones among the twenty thousand most common passwords (`common_passwords.txt`), and those
that are nothing but digits, or nothing but common words, runs of the keyboard, years and the person's own
names put together.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

SHORTEST, LONGEST = 12, 128
LEAST_OWN = 6
"""What must be left of a password when everything common is taken away."""

WORDS = (
    "password", "passwort", "passwd", "letmein", "welcome", "administrator", "admin", "login",
    "changeme", "default", "secret", "master", "monkey", "dragon", "iloveyou", "woaini", "woaiwojia", "1314", "520", "5201314", "521", "888", "666",
    "mima", "zhongguo", "beijing", "henan", "xuchang", "gongshang", "shichang", "jianguan", "banjie",
    "market", "office", "sample", "system", "computer", "internet", "windows", "test", "guest", "user",
    "abcd", "qwerty", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qazwsx", "1qaz2wsx", "1q2w3e4r", "q1w2e3",
    "asdf", "zxcv", "qwer", "wsx", "qaz", "edc", "rfv", "1qaz", "2wsx", "3edc", "4rfv", "summer", "winter",
    "spring", "autumn", "monday", "friday",
)  # fmt: skip
FOLDS = str.maketrans("@4031!$57", "aaoeiisst")
TOO_SHORT = f"口令至少{SHORTEST}位。Give at least {SHORTEST} characters."
TOO_LONG = f"口令至多{LONGEST}位。Give at most {LONGEST} characters."
COMMON = (
    "口令过于常见,请换几个互不相干的词连写。"
    "Too common: many people would try it. Choose several words that have nothing to do with each other."
)


@cache
def _listed() -> frozenset[str]:
    words = Path(__file__).with_name("common_passwords.txt").read_text(encoding="ascii")
    return frozenset(words.split())


def refusal_of(password: str, *own: str) -> str | None:
    """Why somebody may not choose a password, None where they may; `own` are words everybody knows
    of them: account, names, the office.
    """
    if len(password) < SHORTEST:
        return TOO_SHORT
    if len(password) > LONGEST:
        return TOO_LONG
    plain = password.casefold()
    if plain in _listed() or plain.isdecimal() or len(set(plain)) < LEAST_OWN - 1:
        return COMMON
    folded = plain.translate(FOLDS)
    if min(_own(plain, own), _own(folded, own)) < LEAST_OWN:
        return COMMON
    return None


def _own(plain: str, own: tuple[str, ...]) -> int:
    """How many characters are left when everything common is taken away."""
    known = {word.casefold() for word in (*WORDS, *own) if len(word) > 1}
    for word in sorted(known, key=len, reverse=True):
        plain = plain.replace(word, "\x00").replace(word[::-1], "\x00")
    plain = re.sub(r"(19|20)[0-9]{2}", "\x00", plain)
    left = [char for char in plain if char.isalnum()]
    return sum(
        1
        for at, char in enumerate(left)
        if at == 0 or ord(char) - ord(left[at - 1]) not in {-1, 0, 1}
    )
