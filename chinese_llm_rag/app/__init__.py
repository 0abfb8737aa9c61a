"""app: the OpenAI-compatible server and the desktop page, over one controller. HTTP and page know no other part."""
