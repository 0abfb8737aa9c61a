"""llama.cpp's own server inside this process."""
