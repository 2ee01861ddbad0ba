"""An S3 server that stores nothing, in a process of its own: what is measured is the client.

What is sent is thrown away; what is read are zeros from a sparse file, sent by the kernel. It
checks no signatures. An object's size stands in its name: ``size-4096``. The process prints its
URL and ends when its standard input is closed.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import ssl
import sys
import tempfile
import threading
from functools import cache
from urllib.parse import parse_qs, unquote, urlsplit

PIECE = 1024 * 1024
PAGE = 1000
KEYS = 100_000
DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
ETAG = '"sink-1"'
XML = '<?xml version="1.0" encoding="UTF-8"?>'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_SIZE = re.compile(r"size-(\d+)")


class Connection:
    """One connection, served by one thread."""

    def __init__(self, sock: socket.socket, zeros: int, *, tls: bool) -> None:
        self.sock, self.zeros, self.tls = sock, zeros, tls
        self.buffer = bytearray(PIECE)
        self.view = memoryview(self.buffer)
        self.kept = b""

    def serve(self) -> None:
        with self.sock:
            while (head := self.head()) is not None:
                self.answer(head)

    def head(self) -> list[str] | None:
        data = self.kept
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(64 * 1024)
            if not piece:
                return None
            data += piece
        head, _, self.kept = data.partition(b"\r\n\r\n")
        return head.decode("latin-1").split("\r\n")

    def answer(self, head: list[str]) -> None:
        method, target, _ = head[0].split(" ", 2)
        fields = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:])
        }
        if fields.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fields.get("transfer-encoding", "").lower() == "chunked":
            self.drain_chunks()
        else:
            self.drain(int(fields.get("content-length", 0)))
        url = urlsplit(target)
        query = parse_qs(url.query, keep_blank_values=True)
        path = unquote(url.path)
        if method == "PUT":
            self.reply(b"")
        elif method == "POST":
            self.reply(posted(path, query))
        elif "list-type" in query:
            self.reply(page(query.get("continuation-token", ["0"])[0]))
        elif method == "GET" and "/" not in path.strip("/") and "location" not in query:
            marker = query.get("marker", [""])[0]  # the first version of the list, by the last key
            self.reply(page(str(int(marker[-12:-4]) + 1) if marker else "0"))
        elif "location" in query:
            self.reply(f"{XML}<LocationConstraint>us-east-1</LocationConstraint>".encode())
        else:
            self.read(method, path, fields.get("range", ""))

    def drain(self, left: int) -> None:
        used = min(left, len(self.kept))
        self.kept, left = self.kept[used:], left - used
        while left:
            count = self.sock.recv_into(self.view[: min(left, PIECE)])
            if not count:
                return
            left -= count

    def drain_chunks(self) -> None:
        while size := int(self.line().partition(b";")[0] or b"0", 16):
            self.drain(size)
            self.line()
        while self.line():  # trailing fields
            pass

    def line(self) -> bytes:
        while b"\r\n" not in self.kept:
            piece = self.sock.recv(64 * 1024)
            if not piece:
                return b""
            self.kept += piece
        line, _, self.kept = self.kept.partition(b"\r\n")
        return line

    def reply(self, body: bytes) -> None:
        self.sock.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nETag: {ETAG}\r\n"
            f"Content-Type: application/xml\r\nx-amz-request-id: 1\r\n\r\n".encode()
            + body
        )

    def read(self, method: str, path: str, wanted: str) -> None:
        found = _SIZE.search(path)
        size = int(found[1]) if found else 4096
        start, end, status, extra = 0, size, "200 OK", ""
        if asked := _RANGE.fullmatch(wanted):
            start = int(asked[1])
            end = min(int(asked[2]) + 1 if asked[2] else size, size)
            status, extra = (
                "206 Partial Content",
                f"Content-Range: bytes {start}-{end - 1}/{size}\r\n",
            )
        self.sock.sendall(
            f"HTTP/1.1 {status}\r\nContent-Length: {end - start}\r\nETag: {ETAG}\r\n{extra}"
            f"Last-Modified: {DATE}\r\nAccept-Ranges: bytes\r\n"
            f"Content-Type: application/octet-stream\r\n\r\n".encode()
        )
        if method == "GET":
            self.send(start, end)

    def send(self, start: int, end: int) -> None:
        if self.tls:
            for _ in range(start, end, PIECE):
                left = min(PIECE, end - start)
                self.sock.sendall(self.view[:left])
                start += left
            return
        while start < end:
            start += os.sendfile(self.sock.fileno(), self.zeros, start, end - start)


def posted(path: str, query: dict[str, list[str]]) -> bytes:
    bucket, _, key = path.lstrip("/").partition("/")
    names = f"<Bucket>{bucket}</Bucket><Key>{key}</Key>"
    if "uploads" in query:
        return (
            f"{XML}<InitiateMultipartUploadResult {NAMESPACE}>{names}<UploadId>upload</UploadId>"
            "</InitiateMultipartUploadResult>"
        ).encode()
    return (
        f"{XML}<CompleteMultipartUploadResult {NAMESPACE}>{names}<ETag>{ETAG}</ETag>"
        "</CompleteMultipartUploadResult>"
    ).encode()


@cache
def page(token: str) -> bytes:
    start = int(token)
    end = min(start + PAGE, KEYS)
    more = end < KEYS
    items = "".join(
        f"<Contents><Key>folder/key-{number:08}.bin</Key>"
        f"<LastModified>2026-11-22T12:00:00.000Z</LastModified>"
        f"<ETag>&quot;{number:032x}&quot;</ETag><Size>{number}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for number in range(start, end)
    )
    following = f"<NextContinuationToken>{end}</NextContinuationToken>" if more else ""
    return (
        f"{XML}<ListBucketResult {NAMESPACE}>"
        f"<Name>bucket</Name><Prefix></Prefix><KeyCount>{end - start}</KeyCount>"
        f"<MaxKeys>{PAGE}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{following}{items}"
        "</ListBucketResult>"
    ).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", help="folder of server.pem and server.key, for TLS")
    folder = parser.parse_args().certificate
    context = None
    if folder:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    with (
        tempfile.TemporaryFile() as zeros,
        socket.create_server(("127.0.0.1", 0), backlog=256) as listener,
    ):
        zeros.truncate(16 * 1024**3)
        print(
            f"{'https' if context else 'http'}://127.0.0.1:{listener.getsockname()[1]}", flush=True
        )
        threading.Thread(
            target=accept, args=(listener, zeros.fileno(), context), daemon=True
        ).start()
        sys.stdin.read()


def accept(listener: socket.socket, zeros: int, context: ssl.SSLContext | None) -> None:
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock, zeros, context), daemon=True).start()


def serve(sock: socket.socket, zeros: int, context: ssl.SSLContext | None) -> None:
    try:
        made = context.wrap_socket(sock, server_side=True) if context else sock
        Connection(made, zeros, tls=context is not None).serve()
    except OSError:
        sock.close()


if __name__ == "__main__":
    main()
