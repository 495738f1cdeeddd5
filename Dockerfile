# One image for web, worker and beat: they differ in the command alone.
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/
RUN /opt/venv/bin/pip install --quiet --requirement /tmp/requirements.txt

FROM python:${PYTHON}
# Web workers count requests together in files, which compose keeps in memory.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PROMETHEUS_MULTIPROC_DIR=/tmp/metrics
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin florin
WORKDIR /srv/florin
COPY --from=packages /opt/venv /opt/venv
COPY . .
# The settings refuse to load without addresses; collectstatic never uses these.
RUN SECRET_KEY=only-while-building DATABASE_URL=postgresql://build@localhost/build REDIS_URL=redis://localhost/0 \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q billing config credits subscriptions
USER 10001
EXPOSE 8000

# Asked the way the proxy in front asks, so that neither the host check nor the redirect to https answers instead.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os\n\
host = os.environ.get('ALLOWED_HOSTS', '').split(',')[0].strip().lstrip('.*') or 'localhost'\n\
connection = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4)\n\
connection.request('GET', '/health', headers={'Host': host, 'X-Forwarded-Proto': 'https'})\n\
raise SystemExit(connection.getresponse().status != 200)"]

CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "4", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "8", \
     "config.wsgi:application"]
