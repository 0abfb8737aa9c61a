"""The desktop page: what the controller can do, in a window, without a terminal."""
