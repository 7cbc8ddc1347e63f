# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin and the identity of clusters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_inventory_knows_the_identity_of_each_cluster(cluster, operator, tmp_path):
    source = tmp_path / "kubeconfig.yml"
    source.write_text(f"plugin: restartx.core.kubeconfig\nkubeconfig: {operator.kubeconfig}\ncluster_uid: true\n")
    command = [Path(sys.executable).with_name("ansible-inventory"), "-i", source, "--host", cluster.name]
    # A token in the environment belongs to some other cluster, and must not matter.
    environment = os.environ | {"K8S_AUTH_HOST": "https://127.0.0.1:1", "K8S_AUTH_API_KEY": "other"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    uid = cluster.kubectl("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}").stdout
    assert json.loads(done.stdout)["restartx_cluster_uid_seen"] in (uid, {"__ansible_unsafe": uid})
