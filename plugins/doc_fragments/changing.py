# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of modules that change workloads."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  field_manager:
    description:
      - Name under which the API server records the change. Flux takes fields away whose manager starts with C(kubectl).
    type: str
    default: restartx
  allow_owned:
    description:
      - Whether workloads that another controller owns, such as an operator's StatefulSet, are changed as well. They are refused by
        default, for a change behind an operator's back is undone at best and loses data at worst.
    type: bool
    default: false
"""
