"""The Celery application. Its tasks only decide *when* due work is done; what is due stands in PostgreSQL."""

import os
import time
from typing import Any

from celery import Celery
from celery.signals import before_task_publish

SENT_AT = "florin_sent_at"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("florin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@before_task_publish.connect
def say_when(headers: dict[str, Any] | None = None, **_signal: Any) -> None:
    """Write on a task when it was sent, so that /metrics can tell how long the queue's first has waited."""
    if headers is not None:
        headers[SENT_AT] = time.time()
