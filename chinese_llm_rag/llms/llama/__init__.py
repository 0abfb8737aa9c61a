"""llama.cpp's C interface, as llama-cpp-python gives it."""
