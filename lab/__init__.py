# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real Kubernetes control planes on a bare machine: for the demo, the tests and the benchmarks.

Use `python -m lab` from a shell and `Lab` from Python.
"""

from lab.cluster import Cluster
from lab.errors import LabError
from lab.lab import Lab

__all__ = ["Cluster", "Lab", "LabError"]
