# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How Sphinx builds the site."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

GALAXY = yaml.safe_load((Path(__file__).parents[2] / "galaxy.yml").read_text())

project = "restartx"
author = copyright = GALAXY["authors"][0]
version = release = GALAXY["version"]

extensions = ["myst_parser", "sphinx_antsibull_ext"]
exclude_patterns = ["README.md"]  # index.md and first-restart.md include it
nitpicky = True
myst_heading_anchors = 3  # the anchors of headings are those of a Git host
highlight_language = "text"
smartquotes = False

antsibull_ext_color_scheme = "none"  # static/site.css has one

html_theme = "furo"
html_title = f"restartx {version}"
html_copy_source = html_show_sourcelink = False
html_use_index = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {"source_repository": GALAXY["repository"]}

# What the reference names of Ansible's own documentation. Its index is not downloaded.
ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"
BUILTIN = "ansible_collections.ansible.builtin."
LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def lead_to_ansible(
    _app: Sphinx, _env: BuildEnvironment, node: nodes.Element, content: nodes.Element
) -> nodes.Element | None:
    """The link for a reference that the site does not define, if it is one of Ansible's."""
    target = node["reftarget"]
    page = LABELS.get(target)
    if target.startswith(BUILTIN):
        page = f"collections/ansible/builtin/{target.removeprefix(BUILTIN)}.html"
    if node["reftype"] == "envvar" and target.startswith("ANSIBLE_"):
        page = f"{LABELS['ansible_configuration_settings']}#envvar-{target}"
    return nodes.reference("", "", content, refuri=f"{ANSIBLE}/{page}") if page else None


def drop_contents(_app: Sphinx, _page: str, source: list[str]) -> None:
    """The theme shows the contents of each page beside it."""
    source[0] = re.sub(r"^\.\. contents::\n(   .+\n)*", "", source[0], flags=re.MULTILINE)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", lead_to_ansible)
    app.connect("source-read", drop_contents)
