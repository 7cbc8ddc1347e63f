# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The third-party packages that this package imports.

`IMPORT_ERROR` is a traceback if one of them is missing. Callers check it before they call `connect`.
The import of the kubernetes package takes half a second of CPU, and only the auth-provider section of a kubeconfig
needs it. So provider.py imports it, and this file only checks that it is installed.
"""

from __future__ import annotations

import importlib.util
import traceback

__all__ = ["IMPORT_ERROR", "IS_URLLIB3_1", "urllib3", "yaml"]

IMPORT_ERROR: str | None = None
IS_URLLIB3_1 = False
try:
    import urllib3
    import yaml

    IS_URLLIB3_1 = urllib3.__version__.startswith("1.")  # type: ignore[attr-defined]  # not in its __all__
    if importlib.util.find_spec("kubernetes") is None:
        raise ImportError("No module named 'kubernetes'")
except ImportError:
    urllib3 = yaml = None  # type: ignore[assignment]
    IMPORT_ERROR = traceback.format_exc()
