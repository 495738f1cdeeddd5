"""The WSGI application that granian serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from config.bodies import with_length

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = with_length(get_wsgi_application())

# What is loaded now lives as long as the process: load the rest of it too, and let the garbage collector look only at
# what requests leave behind. A batch made it walk the whole program many times over, a quarter of the batch's time.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
