"""How many of a row of things fit, found with few measurements: measuring a prompt means to tokenize it."""

from collections.abc import Callable


def most_that_fit(n: int, fits: Callable[[int], bool]) -> int:
    """The largest count up to n that was tried and fits; 0 where none did.

    All are tried first, since mostly they fit; then the border is halved in, more needing more room.
    """
    fitting, too_many = 0, n + 1
    tried = n
    while fitting + 1 < too_many:
        if fits(tried):
            fitting = tried
        else:
            too_many = tried
        tried = (fitting + too_many) // 2
    return fitting
