"""Entry point of `chinese-llm-rag`, `clrag` and `python -m chinese_llm_rag`."""

from chinese_llm_rag.cli import main

if __name__ == "__main__":
    main()
