"""generate: prompt -> Iterator[TextChunk]; one file per runtime, one LangChain class over all of them."""
