# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`python -m lab.demo`, also known as `make demo`."""

import os
import shlex
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from lab import LabError
from lab.demo import place, shop

RESTART = 'ansible-playbook restart_prod.yml -e ticket={} -e reason="certificates renewed"'


def main() -> int:
    """Tell the whole story; returns the exit code."""
    began = time.monotonic()
    try:
        tell(place.choose())
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nThat took {time.monotonic() - began:.0f} seconds.")
    return 0


def tell(here: place.Place) -> None:
    """Three restarts: one that goes well, one that breaks, and the same again after the repair."""
    first, *others = here.contexts
    last = others[-1] if others else first
    clusters = f"{len(here.contexts)} clusters, {' and '.join(here.contexts)}"
    say(f"{clusters}. Each gets a shop of {len(shop.SERVICES)} services. {here.manners}")
    here.open_shops()

    say(f"A planned restart: {first} goes first, as the canary, and its services by their dependencies.")
    expect(RESTART.format("CHG0042"), good=True)

    say(
        f"Somebody deletes the service account of payment on {first}. Its pods run on, nobody notices, until the next restart: "
        "it stops there, says why, and does not begin what depends on payment, nor the next cluster."
    )
    here.lose_account(first)
    before = here.generations(last)
    expect(RESTART.format("CHG0043"), good=False)
    if last != first and here.generations(last) != before:
        raise LabError(f"{last} was to stay untouched, but was not.")
    if last != first:
        print(f"\nThe exit code tells it too, and no workload of {last} was touched.")

    say("The account is back. The same command again: what is restarted is left alone, the rest is done.")
    here.restore_account(first)
    expect(RESTART.format("CHG0043"), good=True)
    advise(first, here)


def say(text: str) -> None:
    """What comes now, for a person."""
    print(f"\n{'-' * 100}\n{textwrap.fill(text, 100)}", flush=True)


def expect(command: str, good: bool) -> None:
    """Run a command as a person would, with all that it prints, and see that it ends as the story goes."""
    print(f"\n$ {command}", flush=True)
    folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(shlex.split(command), cwd=place.ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
    print(f"(exit code {done.returncode})", flush=True)
    if (done.returncode == 0) != good:
        raise LabError(f"That was to {'go well' if good else 'fail'}, but did not.")


def advise(context: str, here: place.Place) -> None:
    """What to try next."""
    lab = isinstance(here, place.InLab)
    options = "namespace=shop name=cart" if lab else f"context={context} namespace=shop name=cart"
    print(f"\n{'-' * 100}\nThree things to try:")
    print(f"  export PATH={os.path.dirname(os.path.abspath(sys.executable))}:$PATH")
    print(
        "1. Look before a run of the plan, which is in inventory/group_vars/clusters.yml, and then restart one cluster:"
    )
    print("  ansible-playbook restart_prod.yml --check")
    print(f"  ansible-playbook restart_prod.yml -e ticket=CHG0044 --limit {context}")
    print("2. Restart one workload without a plan, and go back:")
    print(*([f"  export KUBECONFIG=.lab/clusters/{context}/restartx.kubeconfig\n"] if lab else []), sep="", end="")
    for module in ("restart", "history", "undo"):
        print(f'  ansible localhost -m restartx.k8s_rollout_{module} -a "{options}"')
    print("3. See everything that runs, and every run so far:")
    print("  ansible-playbook restartx.core.status")
    print("  ansible-playbook restartx.core.runs")
    print("In the end:" if lab else "In the end, on each cluster:")
    if lab:
        print("  make lab-down")
    else:
        print(f"  kubectl --context {context} delete namespace {' '.join(shop.NAMESPACES)}")
        journals = f"--selector {place.JOURNALS_OF_PLAN} --namespace {place.JOURNALS}"
        print(f"  kubectl --context {context} delete configmap {journals}")


if __name__ == "__main__":
    sys.exit(main())
