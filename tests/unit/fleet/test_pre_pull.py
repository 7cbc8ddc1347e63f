# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads about the images that were pulled on many clusters."""

from __future__ import annotations

from collections import Counter

from ansible_collections.restartx.core.plugins.module_utils.fleet.pre_pull import SHOWN, summary


def image(node, outcome, seconds=None, message=None, name="shop/api:1"):
    return {
        "node": node,
        "image": name,
        "namespace": "shop",
        "outcome": outcome,
        "seconds": seconds,
        "message": message,
    }


def result(*images, notes=(), **more):
    return {"images": list(images), "summary": Counter(one["outcome"] for one in images), "notes": list(notes), **more}


def test_failures_come_first_and_then_what_took_longest_and_what_was_there_is_only_counted():
    images = [image("n1", "pulled", 1.5), image("n2", "present"), image("n3", "failed", None, "ErrImagePull: refused")]
    images += [image("n4", "pulled", 12.25), image("n5", "failed", None, "ErrImagePull: refused")]
    found = summary({"eu-west": result(*images, notes=["nothing is pulled on n6"], msg="2 of 5 images could not")})
    assert found["failed"] == {"eu-west": "2 of 5 images could not"}
    assert found["lines"] == [
        "eu-west: 2 failed, 2 pulled, 1 there already",
        "  NODE  IMAGE       OUTCOME  SECONDS",
        "  n3    shop/api:1  failed   -",
        "  n5    shop/api:1  failed   -",
        "  n4    shop/api:1  pulled   12.25",
        "  n1    shop/api:1  pulled   1.5",
        "  shop/api:1: ErrImagePull: refused",
        "  nothing is pulled on n6",
    ]


def test_a_dry_run_and_a_cluster_on_which_nothing_is_needed():
    found = summary({"eu-west": result(image("n1", "planned")), "us-east": result()})
    assert found["lines"] == [
        "eu-west: 1 to be pulled",
        "  NODE  IMAGE       OUTCOME  SECONDS",
        "  n1    shop/api:1  planned  -",
        "us-east: no image is needed",
    ]
    assert found["failed"] == {}


def test_a_large_cluster_is_told_in_a_few_lines():
    found = summary({"eu-west": result(*(image(f"n{place:03}", "pulled", float(place)) for place in range(500)))})
    assert len(found["lines"]) == SHOWN + 3 and found["lines"][-1] == f"  and {500 - SHOWN} more"


def test_a_cluster_that_could_not_be_asked_has_failed_with_the_reason():
    found = summary({"eu-west": {"unreachable": True, "msg": "no route"}, "us-east": {}})
    assert found["failed"] == {"eu-west": "no route", "us-east": "it could not be reached"}
    assert found["lines"] == ["eu-west: no route", "us-east: it could not be reached"]
