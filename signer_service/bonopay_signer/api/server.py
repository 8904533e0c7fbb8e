"""``serve``: start the service, answer requests until told to stop, let documents on their way arrive."""

import asyncio

import uvicorn
import uvloop

from bonopay_signer import logs
from bonopay_signer.api.app import make_app
from bonopay_signer.api.service import Service
from bonopay_signer.settings import Settings


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises what Service.start raises, and SystemExit when the port is taken."""
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
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=int(settings.shutdown_grace),
        )
        await uvicorn.Server(config).serve()
    finally:
        await service.stop()
