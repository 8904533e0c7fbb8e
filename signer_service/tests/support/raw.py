"""Bytes to the signer and back, without a client library that would tidy them."""

import socket

from .stand import Stand


def exchange(stand: Stand, *parts: bytes, timeout: float = 10.0) -> bytes:
    """Everything that the signer answers until it closes the connection, or until ``timeout`` without a byte."""
    with socket.create_connection(("127.0.0.1", stand.port), timeout) as connection:
        received = b""
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:
            pass  # it has answered and closed before it had read everything
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return received


def request(line: str, *headers: str, close: bool = True) -> bytes:
    ending = ("Connection: close",) if close else ()
    return "\r\n".join((line, "Host: signer", *headers, *ending, "", "")).encode("latin-1")


def statuses(answers: bytes) -> list[int]:
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]
