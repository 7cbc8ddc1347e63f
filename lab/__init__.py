"""Real Kubernetes control planes on a bare machine: for the demo, the tests and the benchmarks.

Use `python -m lab` from a shell and `Lab` from Python.
"""

from lab.cluster import Cluster
from lab.errors import LabError
from lab.lab import Lab

__all__ = ["Cluster", "Lab", "LabError"]
