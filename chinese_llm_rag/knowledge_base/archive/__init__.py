"""A knowledge base as one file that can be carried to another machine."""
