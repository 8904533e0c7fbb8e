"""``serve``: start the service, answer requests until told to stop, let documents on their way arrive."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
import uvloop

from bonopay_signer import logs
from bonopay_signer.api.app import make_app
from bonopay_signer.api.connections import BoundedHttp
from bonopay_signer.api.service import Service
from bonopay_signer.settings import Settings


class _Server(uvicorn.Server):
    """Told to stop, uvicorn raises the signal once more when it has served, which ends the process on the spot: before
    the documents on their way have arrived. Here a signal only asks, and stays handled until everything is let go."""

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
    service = Service(settings)
    try:
        await service.start()
        config = uvicorn.Config(
            make_app(service),
            host=settings.host,
            port=settings.port,
            http=BoundedHttp,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=int(settings.shutdown_grace),
        )
        try:
            await _Server(config).serve()
        except SystemExit as error:
            where = f"{settings.host}:{settings.port}"
            raise OSError(f"cannot listen on {where} (see above); change BONOPAY_SIGNER_HOST or _PORT") from error
    finally:
        await service.stop()
