"""Get a model and change its form: fetch, merge a LoRA, convert to GGUF, quantize.

`fetch` and what it stands on are the only code of this package that opens a connection to another machine.
"""
