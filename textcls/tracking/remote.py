"""Reach a tracking server: which places are servers, and what it means when one does not answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from textcls.errors import TrackingError
from textcls.wording import shortened

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SETTINGS = {
    # Left to itself, MLflow tries for minutes to reach a server that is gone, and a training would wait for it.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""What MLflow reads at every call to a server, from the environment alone."""
_calls = 0
"""Calls that are under way, in all threads."""
_ours: list[str] = []
"""Those of the settings that the user has not, and that are set while there are any."""
_lock = Lock()
_LONGEST_REASON = 200


def server_uri(place: str | Path) -> str | None:
    """The address of a server, `http://…`, without a slash at its end; None if the place is a folder."""
    found = re.fullmatch(r"(https?):/+(.+)", str(place))  # a Path has made one slash of two
    return f"{found[1]}://{found[2].rstrip('/')}" if found else None


def server_client(uri: str) -> MlflowClient:
    """MLflow's client of a server, whose calls are `brief`."""
    from mlflow import MlflowClient

    class _Client(MlflowClient):
        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            return found if name.startswith("_") or not callable(found) else brief()(found)

    return _Client(tracking_uri=uri, registry_uri=uri)


@contextmanager
def brief() -> Iterator[None]:
    """Have MLflow give up early on a server, and print nothing, for a while; what the user has set stays, and then all is as it was."""
    global _calls
    with _lock:
        _calls += 1
        if _calls == 1:
            _ours[:] = _SETTINGS.keys() - os.environ.keys()
            os.environ |= {name: _SETTINGS[name] for name in _ours}
    try:
        yield
    finally:
        with _lock:
            _calls -= 1
            for name in _ours if not _calls else ():
                os.environ.pop(name, None)


def reach(uri: str, client: MlflowClient) -> None:
    """Ask a server for something small.

    Raises:
        TrackingError: nothing answers, what answers is no MLflow server, or it refuses.
    """
    from mlflow.exceptions import MlflowException, RestException

    try:
        client.search_experiments(max_results=1)
    except RestException as error:
        raise TrackingError(f"{uri}: the tracking server refuses: {reason(error)}{_remedy(error)}") from error
    except MlflowException as error:
        message = str(error)
        if found := re.search(r"error code (\d+)", message):
            if found[1] in ("401", "403"):
                raise TrackingError(f"{uri}: the tracking server refuses (HTTP {found[1]}){_CREDENTIALS}") from error
            raise TrackingError(
                f"{uri}: no MLflow tracking server: it answers with HTTP {found[1]}; check the address"
            ) from error
        if re.search(_FAILING, message):
            raise TrackingError(
                f"{uri}: the tracking server fails: {reason(error)}; look at its log, or track in a folder (tracking.uri: null)"
            ) from error
        if reason(error) == "it does not answer":
            raise TrackingError(
                f"{uri}: no tracking server answers; start it, correct the address, or track in a folder (tracking.uri: null)"
            ) from error
        raise TrackingError(f"{uri}: no MLflow tracking server: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """The first line of an error, short enough for one of ours."""
    if found := re.search(_FAILING, str(error)):
        return f"it answers with HTTP {found[1]}"
    if "failed with exception" in str(error) or "failed with timeout" in str(error):
        return "it does not answer"
    lines = str(error).splitlines() or [type(error).__name__]
    return shortened(lines[0], _LONGEST_REASON)


_FAILING = r"too many (\d{3}) error responses"
"""What MLflow says of a server, or of a proxy before it, that has answered with a fault every time."""
_CREDENTIALS = "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


def _remedy(error: Exception) -> str:
    return _CREDENTIALS if getattr(error, "error_code", "") in ("PERMISSION_DENIED", "UNAUTHENTICATED") else ""
