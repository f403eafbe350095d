"""Trains on a Ray cluster: shards of a sweep go to workers, and what ends there comes back to the store."""
