"""Every setting, from the environment. The table in README.md names the variables."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config import env, unfold

BASE_DIR = Path(__file__).resolve().parent.parent

# development relaxes what only a browser on this machine needs; nothing of the ledger depends on it.
ENVIRONMENT = env.text("ENVIRONMENT", "production", choices=("production", "development"))
DEVELOPMENT = ENVIRONMENT == "development"
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if DEVELOPMENT else "")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "pgtrigger",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "credits",
    "subscriptions",
    "billing",
    "config",
]

MIDDLEWARE = [
    "config.metrics.requests.RequestsMiddleware",
    "credits.api.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.middleware.AuthenticationMiddleware",
    "config.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.second_factor.SecondFactorMiddleware",
    "config.csp.ContentSecurityPolicyMiddleware",
    "config.middleware.BackMiddleware",
    "config.nuls.NulMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- PostgreSQL -------------------------------------------------------------------------------------------------------
# The limits keep a stuck session from holding an account's lock: DESIGN of the lock order in docs/decisions/0003.
SESSION_LIMITS = "-c lock_timeout=2s -c statement_timeout=5s -c idle_in_transaction_session_timeout=10s"
_database = env.database("DATABASE_URL")
DATABASES = {
    "default": {
        "ENGINE": "config.postgresql",
        **_database,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "application_name": "florin",
            "connect_timeout": "5",
            "options": SESSION_LIMITS,
            "server_side_binding": True,
            "prepare_threshold": 3,
            **_database["OPTIONS"],  # type: ignore[dict-item]
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Valkey or Redis: rate limits, Celery's broker. No credit depends on it. ------------------------------------------
REDIS_URL = env.url("REDIS_URL", schemes=("redis", "rediss"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
}

# --- The clock --------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
# The schedule is rows (config/clock.py). CELERY_BEAT_SCHEDULE would overwrite them at every start of beat.
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# Nothing keeps results, so there is nothing to clean up every night.
CELERY_RESULT_EXPIRES = None
# However long the broker is away, who waits for it goes on waiting.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None

# --- The API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["credits.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["credits.api.authentication.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["credits.api.limits.KeyRateThrottle"],
    "DEFAULT_PARSER_CLASSES": ["credits.api.json.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["credits.api.json.JsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "credits.api.json.OneFormat",
    "DEFAULT_PAGINATION_CLASS": "credits.api.pages.Pages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "credits.api.schema.Schema",
    "EXCEPTION_HANDLER": "credits.api.problems.answer",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_VERSIONING_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
    "DATETIME_FORMAT": "iso-8601",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Florin",
    "DESCRIPTION": "Prepaid credits: accounts, movements, lots and holds.",
    "VERSION": (BASE_DIR / "CHANGELOG.md").read_text().split("## ", 1)[1].split(" ", 1)[0].strip(),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "AccountStatusEnum": "credits.models.accounts.AccountStatus",
        "HoldStatusEnum": "credits.models.holds.HoldStatus",
        "WebhookEndpointStatusEnum": "billing.models.endpoints.EndpointStatus",
        "WebhookDeliveryStatusEnum": "billing.models.endpoints.DeliveryStatus",
        "WebhookSwitchEnum": "billing.api.endpoint_requests.SWITCH",
        "TransactionKindEnum": "credits.models.transactions.TransactionKind",
        "PluginStatusEnum": "credits.api.dialects.merchant.STATUSES",
        "SubscriptionStatusEnum": "subscriptions.models.subscriptions.Status",
        "SubscriptionVerbEnum": "subscriptions.models.subscriptions.Verb",
        "PreviewedVerbEnum": "subscriptions.api.requests.PREVIEWED",
        "UserStatusEnum": "subscriptions.api.dialects.nextapp.STATUSES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "credits.api.schema.add_common_answers",
        "billing.api.schema.add_gateway_answers",
    ],
}

# Whether the books' clock may be put forward (manage.py move_clock), to show and test what time brings.
TEST_CLOCK = env.flag("TEST_CLOCK", default=False)
if TEST_CLOCK and not DEVELOPMENT:
    raise ImproperlyConfigured("TEST_CLOCK must be off in production: whoever moves the clock moves what is owed.")

# --- E-mail: statements, and what owners of accounts are told --------------------------------------------------------
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
# On a developer's machine letters are printed, unless it has a mail server.
PRINTED = DEVELOPMENT and not env.text("EMAIL_HOST", "")
EMAIL_BACKEND = f"django.core.mail.backends.{'console' if PRINTED else 'smtp'}.EmailBackend"
EMAIL_PORT = env.whole("EMAIL_PORT", 587 if not DEVELOPMENT else 25, least=1, most=65535)
EMAIL_HOST_USER = env.secret("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=not DEVELOPMENT)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "florin@localhost")

# --- The admin --------------------------------------------------------------------------------------------------------
UNFOLD = unfold.UNFOLD

# --- Florin -----------------------------------------------------------------------------------------------------------
# How long a request for approval waits for a second person.
APPROVAL_HOURS = env.whole("APPROVAL_HOURS", 72, least=1, most=24 * 90)
# The unit meant where a caller of the native API names none.
DEFAULT_UNIT = env.text("DEFAULT_UNIT", "credits")
# Requests a minute for a key that has no limit of its own; 0 is no limit.
RATE_LIMIT_PER_MINUTE = env.whole("RATE_LIMIT_PER_MINUTE", 0)
# What becomes of use that has no price: refused, or charged provisionally until there is one.
UNPRICED_USAGE = env.text("UNPRICED_USAGE", "refuse", choices=("refuse", "quarantine"))
UNPRICED_CHARGE = Decimal(env.whole("UNPRICED_CHARGE", 1, least=1))
# What is charged of a priced hold that nobody comes back for, in percent of its worst case.
ABANDONED_USAGE_PERCENT = env.whole("ABANDONED_USAGE_PERCENT", 100, most=100)
# At which part of what it last rose to a balance is low, where an account has no threshold of its own; 0 is never.
LOW_BALANCE_THRESHOLD_PERCENT = env.whole("LOW_BALANCE_THRESHOLD_PERCENT", 20, most=99)
# How long events are kept.
EVENT_DAYS = env.whole("EVENT_DAYS", 30, least=7, most=3650)
# How long the answers to requests with an Idempotency-Key are kept; 0 is for ever.
IDEMPOTENCY_DAYS = env.whole("IDEMPOTENCY_DAYS", 90, most=36_500)
# How long a hold lasts when its caller does not say, and at the most.
HOLD_SECONDS = env.whole("HOLD_SECONDS", 900, least=1)
HOLD_SECONDS_MAX = env.whole("HOLD_SECONDS_MAX", 30 * 24 * 3600, least=1)

# --- Events: what the world hears, and what it tells ------------------------------------------------------------------
# NATS with JetStream. Without it events stay where they are written, for webhooks and for who asks the API.
NATS_URL = env.optional_url("NATS_URL", schemes=("nats", "tls"))
# What a new merchant is given, and what each of its orders brings.
TRIAL_CREDITS = env.whole("TRIAL_CREDITS", 100, most=10**9)
ORDER_CREDIT_FIXED_AMOUNT = env.whole("ORDER_CREDIT_FIXED_AMOUNT", 10, least=1, most=10**9)
# For how many seconds Valkey may answer whether a plugin is enabled; 0 asks the books every time.
PLUGIN_STATUS_CACHE_TTL = env.whole("PLUGIN_STATUS_CACHE_TTL", 15, most=3600)

# --- The AI gateway: what a trace really cost -------------------------------------------------------------------------
# The whole address of Portkey's log API; without one, traces cannot be charged.
PORTKEY_URL = env.optional_url("PORTKEY_URL", schemes=("https", "http"))
PORTKEY_API_KEY = env.secret("PORTKEY_API_KEY")
PORTKEY_WORKSPACE_SLUG = env.text("PORTKEY_WORKSPACE_SLUG", "")
# How long asking may take in all, with every page and every new try.
PORTKEY_TIMEOUT_SECONDS = env.whole("PORTKEY_TIMEOUT_SECONDS", 10, least=1, most=60)

# --- Stripe: what is paid ---------------------------------------------------------------------------------------------
# The key decides the mode: test and live never mix.
STRIPE_SECRET_KEY = env.secret("STRIPE_SECRET_KEY")
# By comma: while a secret is rotated, webhooks signed with either are taken.
STRIPE_WEBHOOK_SECRET = env.secrets("STRIPE_WEBHOOK_SECRET")
# Where customers come back to from a page to pay on that no caller named another address for.
CHECKOUT_RETURN_URL = env.url(
    "CHECKOUT_RETURN_URL",
    schemes=("https", "http"),
    default="http://127.0.0.1:8000/" if DEVELOPMENT else "https://localhost/",
)
# Another base address than Stripe's own, for a stand-in.
STRIPE_API_BASE = env.optional_url("STRIPE_API_BASE", schemes=("https", "http"))
# How often an account may buy by itself when it does not say; after how many declines in a row it is switched off.
AUTO_TOPUPS_PER_HOUR = env.whole("AUTO_TOPUPS_PER_HOUR", 2, least=1, most=100)
AUTO_TOPUPS_PER_DAY = env.whole("AUTO_TOPUPS_PER_DAY", 5, least=1, most=1000)
AUTO_TOPUP_FAILURES = env.whole("AUTO_TOPUP_FAILURES", 3, least=1, most=100)
# How long one try may take; there are up to three.
STRIPE_TIMEOUT_SECONDS = env.whole("STRIPE_TIMEOUT_SECONDS", 20, least=1, most=80)

# --- Webhooks and letters: what others are told -----------------------------------------------------------------------
# How one try may take in all, until the answer's status is there and its beginning read.
WEBHOOK_TIMEOUT_SECONDS = env.whole("WEBHOOK_TIMEOUT_SECONDS", 15, least=1, most=60)
# How long an event is tried to be delivered; how long an endpoint may fail until it is disabled.
WEBHOOK_TRIED_HOURS = env.whole("WEBHOOK_TRIED_HOURS", 72, least=1, most=24 * 30)
WEBHOOK_DISABLED_AFTER_HOURS = env.whole("WEBHOOK_DISABLED_AFTER_HOURS", 120, least=1, most=24 * 90)
# How long an old signing secret goes on to sign beside its successor; how long deliveries are kept.
WEBHOOK_OVERLAP_HOURS = env.whole("WEBHOOK_OVERLAP_HOURS", 24, most=24 * 30)
WEBHOOK_LOG_DAYS = env.whole("WEBHOOK_LOG_DAYS", 30, least=4, most=3650)
# What signing secrets are sealed with in the database, by comma, the first one for new ones. By default SECRET_KEY.
WEBHOOK_SECRETS_KEY = env.secrets("WEBHOOK_SECRETS_KEY")
# Whether receivers may be on this machine, over http. Whoever may name an endpoint could ask our own servers.
WEBHOOK_LOOPBACK = env.flag("WEBHOOK_LOOPBACK", default=DEVELOPMENT)
# Where this service is reached from outside: links in letters lead there.
PUBLIC_URL = env.url(
    "PUBLIC_URL",
    schemes=("https", "http"),
    default="http://127.0.0.1:8000" if DEVELOPMENT else f"https://{next(iter(ALLOWED_HOSTS), 'localhost').lstrip('.')}",
).rstrip("/")
# An owner gets one letter of a kind within so many hours.
NOTICE_HOURS = env.whole("NOTICE_HOURS", 24, least=1, most=24 * 90)

# --- People, security, static files -----------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "config.backends.OneQueryBackend"]
# After so many failures in a row a name is locked for a while, wherever the next one comes from: behind a proxy or a
# botnet an address says little.
AXES_FAILURE_LIMIT = env.whole("LOGIN_FAILURES", 5, least=1, most=100)
AXES_COOLOFF_TIME = timedelta(minutes=env.whole("LOGIN_LOCK_MINUTES", 15, least=1))
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_USERNAME_CALLABLE = "config.sign_ins.name_of"
# It asks for addresses, because agents and cookies can be changed: neither is looked at.
SILENCED_SYSTEM_CHECKS = ["axes.W006"]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "admin/locked.html"
# Nobody signs in but to the admin, and whoever asked for no page there gets its front page.
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
OTP_TOTP_ISSUER = "Florin"
# Whether changing anything in the admin takes a code from an authenticator.
SECOND_FACTOR = env.flag("SECOND_FACTOR", default=not DEVELOPMENT)
# The log of what staff did keeps who signed in and who failed to.
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
USE_THOUSAND_SEPARATOR = True

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY", default=False) else None
SECURE_SSL_REDIRECT = env.flag("HTTPS_REDIRECT", default=not DEVELOPMENT)
SECURE_HSTS_SECONDS = env.whole("HSTS_SECONDS", 0 if DEVELOPMENT else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEVELOPMENT
SECURE_HSTS_PRELOAD = not DEVELOPMENT
SESSION_COOKIE_SECURE = not DEVELOPMENT
CSRF_COOKIE_SECURE = not DEVELOPMENT
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The API refuses larger bodies itself with a 413; this bounds forms of the admin.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

STATIC_URL = "/static/"
# In development files are served from where they lie.
STATIC_ROOT = None if DEVELOPMENT else BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEVELOPMENT
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEVELOPMENT
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- What operators see -----------------------------------------------------------------------------------------------
# json is for machines that collect lines, line for people who read them.
LOG_FORMAT = env.text("LOG_FORMAT", "line" if DEVELOPMENT else "json", choices=("json", "line"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"told": {"()": "config.logs.formatter", "form": LOG_FORMAT}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "told"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "florin.requests": {"level": env.text("REQUEST_LOG_LEVEL", "ERROR" if DEVELOPMENT else "INFO")},
        # They tell every address asked.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
        # The log of what staff did tells who signed in.
        "axes": {"level": "WARNING"},
    },
}

# What /metrics asks for as a Bearer token. In production there is no page without one.
METRICS_TOKEN = env.secret("METRICS_TOKEN")
# How many accounts tell their balance there, the largest first. 0: a series for each account is what most often fills
# up a Prometheus, and balances of customers belong to those who may see customers.
METRICS_ACCOUNTS = env.whole("METRICS_ACCOUNTS", 0, most=10_000)
# Errors go to Sentry, traces to an OpenTelemetry collector (OTLP over HTTP), where these say which.
SENTRY_DSN = env.secret("SENTRY_DSN")
OTEL_ENDPOINT = env.optional_url("OTEL_EXPORTER_OTLP_ENDPOINT", schemes=("https", "http"))
