# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The third-party packages of this room, imported in one place.

`IMPORT_ERROR` is the traceback when one is missing; whoever starts a module looks at it before calling `connect`.
"""

from __future__ import annotations

import traceback

__all__ = ["IMPORT_ERROR", "OAuth2Error", "kubernetes", "urllib3", "yaml"]

IMPORT_ERROR: str | None = None
try:
    import kubernetes
    import urllib3
    import yaml
except ImportError:
    kubernetes = urllib3 = yaml = None
    IMPORT_ERROR = traceback.format_exc()

try:  # Comes with the kubernetes package, which lets its exceptions through.
    from oauthlib.oauth2 import OAuth2Error
except ImportError:

    class OAuth2Error(Exception):
        """Stands in where the kubernetes package works without oauthlib."""
