"""The token and the database going away and coming back."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from ..support.processes import wait_until
from ..support.stand import Stand, document, number_of
from ..support.tokens import Token


def test_token_that_went_away_is_503_and_seals_again_when_it_is_back(
    new_stand: Callable[..., Stand], tmp_path: Path
) -> None:
    token = Token(tmp_path / "own-token")
    stand = new_stand(hsm=token)
    stand.start()
    outlet = stand.outlet()
    stand.sealed(outlet)
    away = tmp_path / "away"
    token.objects.rename(away)
    wait_until(lambda: stand.http.get("/ready").json()["checks"]["hsm"] is False, "the signer notices")
    payload = document(outlet)
    response = stand.post(payload)
    assert (response.status_code, response.json()["code"]) == (503, "hsm_unavailable")
    assert len(stand.entries(outlet)) == 2
    assert stand.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0
    away.rename(token.objects)
    wait_until(lambda: stand.http.get("/ready").status_code == 200, "the token is found again")
    assert stand.sealed_as(payload)["fiscal_number"] == number_of(outlet, 2)
    stand.assert_sound(outlet, 2)


def test_process_that_is_killed_leaves_the_port_and_the_lock_free(new_stand: Callable[..., Stand]) -> None:
    stand = new_stand()
    stand.start()
    stand.restart()
    assert stand.http.get("/ready").status_code == 200


def test_service_does_not_start_without_its_key(new_stand: Callable[..., Stand], tmp_path: Path) -> None:
    stand = new_stand()
    done = subprocess.run(
        [os.sys.executable, "-m", "bonopay_signer", "serve"],
        env={**os.environ, **stand.environment, "BONOPAY_SIGNER_KEY_LABEL": "no-such-key"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1 and "bonopay-signer key create" in done.stderr
    assert signal.SIGSEGV.value != -done.returncode
