"""Mixers side by side: entries that anyone sends, their ranking, and its page."""
