"""Requests, answers, and what carries them: HTTP transports and the layers round them."""
