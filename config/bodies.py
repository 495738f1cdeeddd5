"""Bodies that come in chunks, without their length said first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from credits.api.bodies import MOST_BODY

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_length(application: Application) -> Application:
    """Read a body of unsaid length whole and say its length, because Django takes unsaid for none.

    An amount that was not read is an amount that was not meant: a capture of a part would have been one of the whole.
    Only where the server says that its input ends with the body; one byte over the largest body is enough to refuse it.
    """

    def application_with_length(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
            body = b"" if environ["REQUEST_METHOD"] in {"GET", "HEAD"} else environ["wsgi.input"].read(MOST_BODY + 1)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["wsgi.input"] = BytesIO(body)
        return application(environ, start_response)

    return application_with_length
