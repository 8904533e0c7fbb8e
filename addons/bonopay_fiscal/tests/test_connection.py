import socket
import threading
from contextlib import contextmanager

from odoo.tests import tagged
from odoo.tests.common import BaseCase

from ..core.connection import SignerConnection, SignerUnreachable
from .common import _real_send

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"


@contextmanager
def _server(behave):
    """A server that lets ``behave`` deal with the one connection it takes.

    :param behave: called with the socket, which is closed after
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve():
            connection, _address = listener.accept()
            with connection:
                behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@tagged("standard", "at_install")
class TestConnection(BaseCase):
    """Whether a document may have reached the signer decides how it is sent again."""

    @classmethod
    def _request_handler(cls, session, request, /, **kwargs):
        return _real_send(session, request, **kwargs)  # to names that do not exist, and with short timeouts

    def _code(self, url, timeouts=(2.0, 0.3)):
        with SignerConnection(url, "key", timeouts) as connection, self.assertRaises(SignerUnreachable) as raised:
            connection.seal(b"{}", "id", "hash")
        return raised.exception.code

    def test_nobody_listens_nothing_was_sent(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.assertEqual(self._code(f"http://127.0.0.1:{probe.getsockname()[1]}"), "signer_unreachable")

    def test_a_name_that_does_not_exist_nothing_was_sent(self):
        self.assertEqual(self._code("http://127.0.0.1.invalid"), "signer_unreachable")

    def test_a_server_that_speaks_no_tls_nothing_was_sent(self):
        with _server(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address:
            self.assertEqual(self._code(f"https://{address}"), "signer_unreachable")

    def test_a_connection_that_ends_without_an_answer_may_have_carried_the_document(self):
        with _server(lambda connection: connection.recv(65536)) as address:
            self.assertEqual(self._code(f"http://{address}"), "signer_timeout")

    def test_an_answer_that_breaks_off_tells_nothing_of_the_document(self):
        def answer_in_part(connection):
            connection.recv(65536)
            connection.sendall(ANSWER)

        with _server(answer_in_part) as address:
            self.assertEqual(self._code(f"http://{address}"), "signer_timeout")

    def test_silence_tells_nothing_of_the_document(self):
        done = threading.Event()

        def be_silent(connection):
            connection.recv(65536)
            done.wait(10)

        with _server(be_silent) as address:
            self.assertEqual(self._code(f"http://{address}"), "signer_timeout")
            done.set()

    def test_what_is_no_address_is_said_so(self):
        for url in ("ftp://127.0.0.1", "http://", "127.0.0.1:1"):
            with self.subTest(url):
                self.assertEqual(self._code(url), "signer_address")
