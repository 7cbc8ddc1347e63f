# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The entry point of `python -m lab`."""

import sys

from lab.command import main

sys.exit(main())
