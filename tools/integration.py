# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the integration targets on a lab of their own: `python -m tools.integration [TARGET ...]`.

Each target finds a namespace of its own name (with `-` for `_`) on both clusters, in which restartx has the permissions
of rbac/, and these variables:

contexts     the contexts of the two clusters, eu-west and us-east
kubeconfig   both clusters, as the service account of rbac/
kubectl      a command line to which `--context NAME ...` is added: kubectl as admin, to make what a target works on
"""

from __future__ import annotations

import os
import sys

import yaml

from lab import Lab, LabError
from tools.ansible_test import BUILD, copy_collection, run
from tools.shipped_role import shipped_role


def main(arguments: list[str]) -> int:
    """Start the lab, run the targets in `arguments` (or all), take the lab down; returns the exit code."""
    collection = copy_collection("integration")
    tests = collection / "tests" / "integration"
    namespaces = [path.name.replace("_", "-") for path in sorted((tests / "targets").iterdir())]
    with Lab(BUILD / "integration-lab", owned=True) as lab:
        files = [shipped_role(cluster, namespaces, lab.directory / f"{cluster.name}.yml") for cluster in lab.up()]
        config = {
            "contexts": lab.names,
            "kubeconfig": os.pathsep.join(map(str, files)),
            "kubectl": f"{lab.binary} kubectl --kubeconfig={lab.kubeconfig}",
        }
        # ansible-test drops KUBECONFIG from the environment; this file gives its content to all targets as variables.
        (tests / "integration_config.yml").write_text(yaml.safe_dump(config))
        return run(["integration", *arguments], collection)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"integration: {error}")
