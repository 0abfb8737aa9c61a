"""Who asks: requests of one client wait behind each other, those of several take turns."""

from fastapi import Request


def client_of(request: Request, user: str | None = None) -> str:
    """The client of a request: the user that it names, else where it comes from and with what program."""
    address = request.client.host if request.client is not None else ""
    return f"{address} user {user}" if user else f"{address} {request.headers.get('user-agent', '')[:200]}"
