"""Servers with the OpenAI interface."""
