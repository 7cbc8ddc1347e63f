# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restart of many workloads costs, beside other ways to do the same: `make bench`, or `python -m benchmarks`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The module `house` of the system tests: namespaces with workloads in them, and the environment of a user.
sys.path.insert(0, str(ROOT / "tests" / "system"))
