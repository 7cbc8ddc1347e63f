# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`python -m lab`: the lab for people."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from lab.apps import image
from lab.binary import build
from lab.cluster import Cluster
from lab.errors import LabError
from lab.failures import FAILURES
from lab.lab import NAMES, Lab

DIRECTORY = ".lab"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # Whatever follows `kubectl` is for kubectl, options too.
    end = arguments.index("kubectl") + 1 if "kubectl" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:end])
    options.kubectl = arguments[end:]
    try:
        options.run(Lab(options.dir), options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="Real Kubernetes control planes on this machine."
    )
    parser.add_argument("--dir", default=DIRECTORY, help="folder of the lab (default: %(default)s)")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(
        run: Callable[[Lab, argparse.Namespace], None], text: str, *positional: str, nargs: str | None = None
    ) -> argparse.ArgumentParser:
        # --dir is understood on both sides of the verb.
        sub = verbs.add_parser(run.__name__.strip("_"), help=text, description=text)
        sub.add_argument("--dir", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        for name in positional:
            sub.add_argument(name, nargs=nargs)
        sub.set_defaults(run=run)
        return sub

    up = verb(_up, "start clusters; those that run are kept", "names", nargs="*")
    up.add_argument("--nodes", type=int, default=3, metavar="N", help="KWOK nodes (default: 3)")
    _add_zones(up)
    up.add_argument("--no-controllers", action="store_true", help="API server only: a status stays as set")
    verb(_down, "end clusters and remove their data", "names", nargs="*")
    verb(_status, "what runs")
    nodes = verb(_nodes, "add KWOK nodes", "cluster")
    nodes.add_argument("--count", type=int, default=1, metavar="N")
    _add_zones(nodes)
    node = verb(_node, "start the machine's one real node, which runs containers (root)", "cluster")
    node.add_argument("--name", default="real", help="its name in the cluster (default: %(default)s)")
    node.add_argument("--stop", action="store_true", help="end it, with all that runs on it")
    fail = verb(_fail, "let new pods of a selector fail", "cluster")
    fail.add_argument("--selector", required=True, type=_selector, metavar="KEY=VALUE,...")
    fail.add_argument("--with", required=True, dest="failure", choices=FAILURES)
    fail.add_argument("--namespace")
    heal = verb(_heal, "let new pods be healthy again", "cluster")
    heal.add_argument("--selector", type=_selector, metavar="KEY=VALUE,...", help="default: all")
    verb(_stop, "stop one component of a cluster", "cluster", "component")
    verb(_start, "start one component again", "cluster", "component")
    verb(_kubectl, "the lab's kubectl, with the lab's kubeconfig; give --dir before this verb")
    verb(_build, "build the Kubernetes binary, if the cache has none")
    return parser


def _add_zones(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--zones",
        type=lambda text: text.split(","),
        default=["a", "b", "c"],
        metavar="A,B,...",
        help="zones of the nodes, in turn (default: a,b,c)",
    )


def _selector(text: str) -> dict[str, str]:
    pairs = [part.split("=", 1) for part in text.split(",")]
    if not all(len(pair) == 2 and all(pair) for pair in pairs):
        raise argparse.ArgumentTypeError(f'"{text}" is not of the form KEY=VALUE,KEY=VALUE')
    return dict(pairs)


def _up(lab: Lab, options: argparse.Namespace) -> None:
    names = options.names or NAMES
    started = time.monotonic()
    build()
    clusters = lab.up(names, options.nodes, options.zones, not options.no_controllers)
    for cluster in clusters:
        print(f"{cluster.name:12} {cluster.server}  {_node_words(cluster)}")
    here = lab.kubeconfig.is_relative_to(os.getcwd())
    kubeconfig = f"$PWD/{os.path.relpath(lab.kubeconfig)}" if here else lab.kubeconfig
    print(f"ready after {time.monotonic() - started:.0f} s")
    where = "" if options.dir == DIRECTORY else f" --dir {options.dir}"
    print(f"next: export KUBECONFIG={kubeconfig}    (take it down: python -m lab{where} down)")


def _down(lab: Lab, options: argparse.Namespace) -> None:
    unknown = set(options.names) - set(lab.names)
    if unknown:
        raise LabError(f"No cluster {', '.join(sorted(unknown))} here; {_what_runs(lab)}.")
    names = lab.down(options.names or None)
    print(f"taken down: {', '.join(names) or 'nothing, for nothing ran'}")


def _status(lab: Lab, _options: argparse.Namespace) -> None:
    if not lab.names:
        print("no clusters; start some with: python -m lab up")
    for name in lab.names:
        cluster = lab.cluster(name)
        print(f"{name}  {cluster.server}  {_node_words(cluster)}")
        for component, process in cluster.processes().items():
            pid, uptime = process.pid, process.uptime
            print(f"  {component:24}", f"pid {pid}, up {uptime:.0f} s" if pid else "stopped")


def _nodes(lab: Lab, options: argparse.Namespace) -> None:
    print(*lab.cluster(options.cluster).add_nodes(options.count, options.zones))


def _node(lab: Lab, options: argparse.Namespace) -> None:
    cluster = lab.cluster(options.cluster)
    if options.stop:
        cluster.stop_node()
        return
    print(f"{cluster.start_node(options.name)} is ready; images there: {image.SHOP}")


def _fail(lab: Lab, options: argparse.Namespace) -> None:
    lab.cluster(options.cluster).fail(options.selector, options.failure, options.namespace)
    print(f"new pods of {_words(options.selector)} fail with {options.failure}")


def _heal(lab: Lab, options: argparse.Namespace) -> None:
    lab.cluster(options.cluster).heal(options.selector)
    what = _words(options.selector) if options.selector else "any labels"
    print(f"new pods of {what} are healthy; those that fail already must be replaced")


def _stop(lab: Lab, options: argparse.Namespace) -> None:
    lab.cluster(options.cluster).stop(options.component)


def _start(lab: Lab, options: argparse.Namespace) -> None:
    lab.cluster(options.cluster).start(options.component)


def _kubectl(lab: Lab, options: argparse.Namespace) -> None:
    os.environ["KUBECONFIG"] = str(lab.kubeconfig)
    os.execv(lab.binary, [str(lab.binary), "kubectl", *options.kubectl])


def _build(lab: Lab, _options: argparse.Namespace) -> None:
    print(lab.binary)


def _words(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in selector.items())


def _node_words(cluster: Cluster) -> str:
    if not cluster.controllers:
        return "no controllers"
    try:
        return f"{len(cluster.node_names())} nodes"
    except LabError:
        return "API server does not answer"


def _what_runs(lab: Lab) -> str:
    return f"there is {', '.join(lab.names)}" if lab.names else "nothing runs"
