"""embed: list[str] -> float32 [n, dimension], unit length; one file per runtime."""
