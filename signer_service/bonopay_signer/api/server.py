"""``serve``: start the service, answer requests until told to stop, let documents on their way arrive."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
import uvloop

from bonopay_signer import logs
from bonopay_signer.api.app import make_app
from bonopay_signer.api.connections import BoundedHttp
from bonopay_signer.api.operator import by_port, make_operator_app
from bonopay_signer.api.service import Service
from bonopay_signer.api.stopping import Stopping
from bonopay_signer.settings import Settings

_GARBAGE = 10_000
"""Objects between two collections; a request leaves some hundred, and no cycles."""
_SWITCH_SECONDS = 0.0005
"""The thread that has synchronised the head store waits no longer than this for its turn."""
_logger = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Told to stop, uvicorn raises the signal once more when it has served, which ends the process on the spot: before
    the documents on their way have arrived. Here a signal only asks, and stays handled until everything is let go."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping.asked()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises what Service.start raises, and OSError when the port is taken."""
    logs.configure(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    service, stopping = Service(settings), Stopping(settings.shutdown_grace)
    try:
        await service.start()
        tune()
        app, listeners = make_app(service), [_bound(settings.host, settings.port, "")]
        if settings.metrics_port is not None:
            listeners.append(_bound(settings.metrics_host, settings.metrics_port, "METRICS_"))
            app = by_port(app, settings.metrics_port, make_operator_app(service))
        config = uvicorn.Config(
            app,
            http=BoundedHttp,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing asks for the client's address
            lifespan="off",
            timeout_graceful_shutdown=settings.shutdown_grace,
        )
        await _Server(config, stopping).serve(listeners)
    finally:
        stopping.asked()
        await service.stop(stopping)


def tune() -> None:
    """For one busy loop and a thread that waits for the disk: measured by ``./bonopay bench seal``."""
    gc.collect()
    gc.freeze()  # what was made until now stays, so it need not be looked through again and again
    gc.set_threshold(_GARBAGE, 20, 50)
    sys.setswitchinterval(_SWITCH_SECONDS)


def _bound(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket. Raises OSError that names the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        names = f"BONOPAY_SIGNER_{setting}HOST or BONOPAY_SIGNER_{setting}PORT"
        why = os.strerror(error.errno) if error.errno else error
        raise OSError(f"cannot listen on {host}:{port} ({why}); change {names}") from error
    _logger.info("listening on %s:%d", *listener.getsockname()[:2])
    return listener
