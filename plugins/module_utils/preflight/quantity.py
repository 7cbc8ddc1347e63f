# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Quantities of the API, such as 100m and 2Gi."""

from __future__ import annotations

import typing as t
from decimal import Decimal, InvalidOperation

_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    **{f"{letter}i": Decimal(1024 ** (power + 1)) for power, letter in enumerate("KMGTPE")},
}

Amounts = dict[str, Decimal]  # name of a resource to its amount


def parse(text: object) -> Decimal:
    """The amount that a quantity stands for; 0 for one that cannot be read, which the API server never stores."""
    written = str(text).strip()
    suffix = next((one for one in sorted(_FACTORS, key=len, reverse=True) if written.endswith(one)), "")
    try:
        return Decimal(written.removesuffix(suffix)) * _FACTORS.get(suffix, 1)
    except InvalidOperation:
        return Decimal(0)


def amounts(given: t.Mapping[str, object] | None) -> Amounts:
    """The amounts in a mapping of resources, such as `requests` of a container or `allocatable` of a node."""
    return {name: parse(value) for name, value in (given or {}).items()}


def total(several: t.Iterable[t.Mapping[str, Decimal]]) -> Amounts:
    """The sum for each resource."""
    found: Amounts = {}
    for one in several:
        for name, amount in one.items():
            found[name] = found.get(name, Decimal(0)) + amount
    return found


def largest(several: t.Iterable[t.Mapping[str, Decimal]]) -> Amounts:
    """The maximum for each resource."""
    found: Amounts = {}
    for one in several:
        for name, amount in one.items():
            found[name] = max(found.get(name, Decimal(0)), amount)
    return found


def text(name: str, amount: Decimal) -> str:
    """An amount for people: `250m` of cpu, `512Mi` of memory, `3`."""
    if name.endswith("cpu"):
        return f"{int(amount * 1000)}m" if amount % 1 else str(int(amount))
    if name.endswith(("memory", "storage")):
        for suffix in ("Gi", "Mi", "Ki"):
            if amount >= _FACTORS[suffix] and (amount % _FACTORS[suffix] == 0 or suffix == "Mi"):
                return f"{int(amount / _FACTORS[suffix])}{suffix}"
    return str(int(amount))
