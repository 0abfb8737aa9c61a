"""Hugging Face folders and transformers."""
