"""retrieve: query -> list[Document], best first."""
