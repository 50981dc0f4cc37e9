"""Calls that a student answers: the demo's certified one, behind the gateway."""

import json
import subprocess
import sys
from dataclasses import replace

import ours
from probe import Probe
from server import CannotRun
from target import Place, Target
from upstream import Upstream

from feilun.apps.daily.sample import lines
from feilun.apps.daily.tasks import category

LINES = 200  # different inputs, asked in turn


def start(place: Place, upstream: Upstream, mode: str = "durable") -> Target:
    """Start the gateway on the demo's store, with calls that its student is sure of."""
    store = place.work / f"student-{mode}"
    report = place.work / "demo.html"
    demo = [sys.executable, "-c", "from feilun.cli import main; main()", "demo", "--json"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*demo, "--store", str(store), "--report", str(report)], capture_output=True, text=True
    )
    if done.returncode:
        raise CannotRun(f"feilun demo failed: {done.stderr.strip()[-300:]}")
    served = ours.start(place, mode, store)
    target = replace(
        served,
        name=f"Feilun {mode}, a student answers",
        path=f"/v1/tasks/{category.task}/calls",
        bodies=(b"{}",),
    )
    return replace(target, bodies=_answered(target, upstream))


def _answered(target: Target, upstream: Upstream) -> tuple[bytes, ...]:
    """Bodies whose calls never reach the upstream: the student answers them by itself."""
    found = []
    probe = Probe(target.port)
    for line in lines():
        body = json.dumps({"input": line.text}).encode()
        before = upstream.counts().requests
        answer = probe.call(target.wire(body))
        if answer.status == 200 and upstream.counts().requests == before:
            found.append(body)
        if len(found) == LINES:
            break
    probe.close()
    if not found:
        raise CannotRun(f"No call of {category.task} is answered by the demo's student.")
    return tuple(found)
