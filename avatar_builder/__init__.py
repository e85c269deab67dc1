"""Builds the proxy avatar's asset. Run ``python -m avatar_builder``; the same inputs give the same bytes."""
