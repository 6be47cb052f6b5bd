"""MLflow's server on a store, for this machine only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from textcls.errors import TrackingError
from textcls.tracking.store import Store


def serve_ui(folder: str | Path, port: int) -> Iterator[str]:
    """Run MLflow's server until it is interrupted.

    Args:
        folder: the folder of the store.
        port: port on 127.0.0.1.

    Yields:
        what to tell the user, before the server is waited for.

    Raises:
        TrackingError: there is no store, or it is a server's, the port is taken, or the server fails.
    """
    store = Store(folder)
    if store.is_server:
        raise TrackingError(f"{store.place}: expected a folder; a tracking server shows its runs itself: {store.uri}{store.page}")
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TrackingError(f"port {port} is taken; choose another with --port") from error
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store.uri, "--default-artifact-root", (store.folder / "artifacts").as_uri()]
    # Without the list a page of another site could send requests here by a forged host name.
    command += ["--allowed-hosts", f"127.0.0.1:{port},localhost:{port}"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command, env=environment)  # noqa: S603
    try:
        yield f"runs of {store.folder}: http://127.0.0.1:{port}{store.page}"
        yield "Ctrl-C ends it"
        code = server.wait()
    except (KeyboardInterrupt, GeneratorExit):
        return
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait()
    raise TrackingError(f"MLflow's server ended with exit code {code}")
