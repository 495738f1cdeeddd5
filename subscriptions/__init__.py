"""Plans, features, subscriptions and billing periods: what an account may use. Imports credits, never billing."""
