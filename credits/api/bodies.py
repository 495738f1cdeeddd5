"""How large a body may be, in bytes."""

MAX_BODY = 1024 * 1024
# A batch of ten thousand items.
MOST_BODY = 16 * MAX_BODY
