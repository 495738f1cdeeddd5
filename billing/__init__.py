"""Money and the outside world: payments, webhooks, reconciliation. Imports subscriptions and credits."""
