"""Log lines: one JSON object each in production, a readable line in development, and never a secret."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from celery.signals import task_postrun, task_prerun
from structlog.typing import EventDict, WrappedLogger

from credits.secrets import without_secrets


def hide_secrets(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Leave out of every text what looks like a secret."""
    return {key: without_secrets(value) if isinstance(value, str) else value for key, value in event.items()}


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    hide_secrets,
]


def formatter(form: str) -> structlog.stdlib.ProcessorFormatter:
    """Return what prints every record, ours and those of libraries, as ``json`` or as a ``line``."""
    printer: Any = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False)
    if form == "json":
        printer = structlog.processors.JSONRenderer(serializer=_as_json)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, printer]
    )


def _as_json(event: EventDict, **_options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure() -> None:
    """Let structlog's loggers print through the same handlers as all others, and tasks be named in their lines."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    task_prerun.connect(_name_task)
    task_postrun.connect(_forget_task)


def _name_task(task_id: str = "", task: Any = None, **_signal: Any) -> None:
    structlog.contextvars.bind_contextvars(task=getattr(task, "name", ""), task_id=task_id)


def _forget_task(**_signal: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "task_id")
