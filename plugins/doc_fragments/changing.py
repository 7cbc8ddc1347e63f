# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of modules that change workloads."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  field_manager:
    description:
      - Name under which the API server records the change. Flux reverts fields whose manager begins with C(kubectl).
    type: str
    default: restartx
  allow_owned:
    description:
      - Whether to also change workloads that another controller owns, such as an operator's StatefulSet. By default they are refused.
        The operator may revert the change, or the change may cause data loss.
    type: bool
    default: false
"""
