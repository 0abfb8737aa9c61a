"""GGUF files, read without their weights."""
