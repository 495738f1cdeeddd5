"""The Celery application. Its tasks only decide *when* due work is done; what is due stands in PostgreSQL."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("florin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
