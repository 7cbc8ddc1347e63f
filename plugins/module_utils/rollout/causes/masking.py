# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Masks secrets in texts of others, such as log lines and events. Everything that looks like a secret is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "********"

# Names of secrets, also as parts of longer names: DB_PASSWORD, spring.datasource.password, authToken.
_PASSWORD = (
    r"(?:passw(?:or)?d|passphrase|passwort|secret(?!s\b)|credentials?|[a-z]_pwd|\bpwd|[_-]pin|\bpin|"
    r"[_.-]pass(?![a-z_])|\bpass(?=(?:\\*[\"'`])?\s*=))[\w.-]{0,40}"
)
_KEY = (
    r"(?:(?:api|access|account|private|secret|signing|encryption|shared)[ _-]?(?:access[ _-]?)?key(?:[ _-]?id)?|"
    r"session[_-]?id|[_-]sig(?:nature)?|\bsig|credential)[\w.-]{0,40}"
)
_TOKEN = r"token[\w.-]{0,40}"
_NAME = rf"(?:{_KEY}|{_PASSWORD}|{_TOKEN})"
_MARK = r"""\\*["'`]"""
# Everything in quotes, even if the closing quote was cut off.
_QUOTED = r"""(?:"(?:\\.|[^"\\])+"?|'(?:\\.|[^'\\])+'?|`[^`]+`?|(?P<q>\\+["'])(?:(?!(?P=q)).)+(?:(?P=q))?)"""
_UNTIL_BLANK = r"""[^\s"'`\\][^\s"'`]*"""
_VALUE = rf"(?:{_QUOTED}|{_UNTIL_BLANK})"
# A registry "may require authorization: server message: ...", which is no header.
_HEADERS = r"(?:proxy-)?(?<!may require )authorization|x-[a-z-]{0,40}(?:token|key|secret)[a-z-]{0,40}|(?:set-)?cookie"
# Words of a sentence that continues after a colon: "failed to fetch oauth token: unexpected status", "password: must not ...".
_PROSE = r"(?-i:(?:(?<=password: )|(?<=secret: )|(?<=key: ))(?:must|may|cannot|could|failed|error|invalid|missing|is|was|not|no)\b)"
_LOWER_CASE_WORD = r"(?-i:[a-z]+(?:[\s,;:.]|$))"
_STATUS = r"[1-5]\d\d (?-i:[A-Z][a-z]+)"  # of HTTP, after an address that ends with "token"
# The kubelet's words for a key in a Secret, which is only its name.
_KEY_OF_SECRET = r"(?<!non-existent )"

_RULES = (
    # The whole value of a header, up to a closing quote or the end of the line.
    (rf"""(\b(?:{_HEADERS})\b(?:{_MARK})?\s*[:=]\s*(?:{_MARK})?)[^\r\n"'`]*[^\s"'`\\]""", rf"\1{HIDDEN}"),
    # scheme://user:password@host and scheme://token@host; a port before a path with an @ is not a password.
    (r"""(?<=://)(?![^\s/@:]*:\d+/)[^\s/?#"'<>@:]*:[^\s"'<>]*@""", f"{HIDDEN}@"),
    (r"""(?<=://)[^\s/?#"'<>@]+@""", f"{HIDDEN}@"),
    # user:password@host without a scheme, but not the digest of an image; user/password@host as Oracle's driver has it.
    (r"""(?<![\w/.:*-])[\w.+-]+:[^\s"'<>@/]{3,}@(?!sha(?:256|512):)(?=[\w\[(])""", f"{HIDDEN}@"),
    (r"""(?<=:thin:)[^\s"'<>@]+@""", f"{HIDDEN}@"),
    # JSON web tokens, and values after the name of an authentication scheme.
    (r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*", HIDDEN),
    (r"(\bbearer\s+)(?!tokens?\b|auth|scheme|error|realm|challenge|header|was\b|is\b)[^\s\"'`,]+", rf"\1{HIDDEN}"),
    (r"(\bbasic\s+)(?=[a-z+/]*[0-9=])[a-z0-9+/]{6,}={0,2}", rf"\1{HIDDEN}"),
    # The flags of commands: --db-password hunter2.
    (rf"""((?:^|(?<=\s))-{{1,2}}[\w.-]{{0,40}}?{_NAME}\s+)(?!-){_VALUE}""", rf"\1{HIDDEN}"),
    # password=hunter2, "apiKey": "...", token: ..., secret => '...'
    (rf"""({_NAME}(?:{_MARK}|\s*)(?:=>|:=|=)\s*){_VALUE}""", rf"\1{HIDDEN}"),
    (rf"""({_NAME}(?:{_MARK})?\s*(?:=>|:=|=|:)\s*){_QUOTED}""", rf"\1{HIDDEN}"),
    (rf"""({_KEY_OF_SECRET}(?:{_KEY}|{_PASSWORD})(?:{_MARK})?:\s*)(?!{_PROSE}){_VALUE}""", rf"\1{HIDDEN}"),
    (rf"""({_TOKEN}(?:{_MARK})?:\s*)(?!{_LOWER_CASE_WORD}|{_STATUS}){_VALUE}""", rf"\1{HIDDEN}"),
    # password "hunter2"; but secret "tls" is an object of the cluster.
    (rf"""(\b(?:password|passwd|passphrase)\s+(?:is\s+)?){_QUOTED}""", rf"\1{HIDDEN}"),
)
# Tokens with known prefixes, and access keys of AWS. A secret key of AWS has no prefix: it has 40 characters of many
# kinds, and a hash has only some of them.
_TOKENS = (
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b",
    r"\b(?:gh[pousr]_|github_pat_|glpat-|glrt-|xox[abeoprs]-|xapp-|sk[-_](?:live|test|ant|proj)[-_]|rk_live_|hv[sbr]\.|"
    r"AIza|ya29\.|npm_|pypi-|dop_v1_|SG\.|shpat_|whsec_|AGE-SECRET-KEY-)[\w.-]{12,}",
    r"(?<![\w/+=])(?=[\w/+]*[A-Z])(?=[\w/+]*[g-z])(?=[\w/+]*\d)[A-Za-z0-9/+]{40}(?![\w/+=])",
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), shown) for pattern, shown in _RULES) + tuple(
    (re.compile(pattern), HIDDEN) for pattern in _TOKENS
)
_PEM = re.compile(r"-----BEGIN [^-\n]*PRIVATE KEY-----.*?(?:-----END [^-\n]*-----|\Z)", re.DOTALL)
_BODY = re.compile(r"(?=\S*[A-Z])(?=\S*[a-z])(?=\S*[0-9+/=])[A-Za-z0-9+/]{32,}={0,2}")  # a line of a key


def mask(text: str) -> str:
    """The text with ******** in place of passwords, credentials in URLs, tokens and keys.

    It hides too much rather than too little: everything after `password=` up to the next space.
    """
    text = _PEM.sub(HIDDEN, text)
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text


def mask_lines(lines: Iterable[str]) -> list[str]:
    """The lines of a log, masked; a key that spans several lines is hidden line by line."""
    masked: list[str] = []
    inside = False
    for line in lines:
        begins, ends = "-----BEGIN" in line and "PRIVATE KEY-----" in line, "-----END" in line
        hidden = inside or begins or ends or _BODY.fullmatch(line.strip())
        masked.append(HIDDEN if hidden and line.strip() else mask(line))
        inside = (inside or begins) and not ends
    return masked
