# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of findings in docs/choosing.md follows CODES. To renew it:

PYTHONPATH=.collections .venv/bin/python tests/unit/preflight/test_page.py
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ansible_collections.restartx.core.plugins.module_utils.preflight.finding import BLOCKER, CODES, NOTE, RISK

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "choosing.md"
RULES = ROOT / "plugins" / "module_utils" / "preflight"
BEGIN, END = "<!-- findings: begin -->\n", "<!-- findings: end -->\n"
# The severities of each code.
OF_CODE = {
    **dict.fromkeys(CODES, (BLOCKER,)),
    **dict.fromkeys(("quota", "no_room", "unready_pod"), (BLOCKER, RISK)),
    **dict.fromkeys(("partitioned", "owned"), (BLOCKER, NOTE)),
    **dict.fromkeys(
        ("rollout_under_way", "little_room", "autoscaler_at_maximum", "all_pods_at_once", "recreate"), (RISK,)
    ),
    **dict.fromkeys(("no_readiness_probe", "below_budget", "short_progress_deadline"), (RISK,)),
    **dict.fromkeys(("no_history", "last_deployment_dropped"), (RISK,)),
    **dict.fromkeys(
        ("one_replica", "no_pre_stop", "one_node", "one_zone", "image_pull", "latest_tag", "not_checked"), (NOTE,)
    ),
    "budget_allows_nothing": (NOTE, BLOCKER),
    "gitops": (NOTE, RISK),
}


def with_table(page):
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    rows = [f"| `{code}` | {' or '.join(OF_CODE[code])} | {about} |\n" for code, about in CODES.items()]
    heading = "| finding | severity | what it means |\n| --- | --- | --- |\n"
    return f"{before}{BEGIN}\n{heading}{''.join(rows)}\n{END}{after}"


def test_the_table_on_the_page_is_fresh():
    assert PAGE.read_text() == with_table(PAGE.read_text())


def test_every_code_of_a_rule_is_in_the_table_and_every_code_of_the_table_has_a_rule():
    text = "".join(path.read_text() for path in [*RULES.glob("*.py"), RULES.parent / "verbs" / "preflight.py"])
    names = {
        node.value for node in ast.walk(ast.parse((RULES / "refused.py").read_text())) if isinstance(node, ast.Constant)
    }
    made = set(re.findall(r'Finding\(\s*"([a-z_]+)"', text)) | (set(CODES) & names)
    assert made == set(CODES)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
