"""Every kind of event once on the real stack, under load from eight tills: nothing lost, nothing doubled, no gap."""

import os
import re
import subprocess
import sys

from launcher.config import CHECKOUT
from launcher.instance import Instance
from tests.chaos.events import EVENTS

LAST_LINE = re.compile(r"chaos seals=(\d+) lost=0 doubled=0 gaps=0 broken=0 events=(\d+)")


def test_what_is_killed_stopped_cut_off_and_lied_to_loses_nothing(instance: Instance) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--short"],
        env={**os.environ, "BONOPAY_HOME": str(instance.home.root)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    last = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert last, told
    assert int(last[1]) >= 200, "too little load to mean anything"
    assert int(last[2]) >= len(EVENTS)
    assert all(name in done.stdout for name in EVENTS), told
