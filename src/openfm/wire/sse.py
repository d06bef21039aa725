"""Incremental decoder of server-sent events (WHATWG HTML, "Server-sent events", parsing an event stream)."""

from openfm.core.errors import EngineFailed

MAX_LINE_BYTES = 4 * 1024 * 1024


class SseDecoder:
    """Bytes in, however they are split; the `data` of complete events out.

    Comments (`: ping`) and the fields `event`, `id`, `retry` are ignored. An event that the stream's end cut off is
    dropped, as the specification has it.
    """

    __slots__ = ("_buffer", "_data", "_max_line_bytes", "_skip_newline")

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._buffer = bytearray()
        self._data: list[bytes] = []
        self._max_line_bytes = max_line_bytes
        self._skip_newline = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads that `chunk` completes. Raises `EngineFailed` for a line longer than the limit."""
        if self._skip_newline and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_newline = False
        self._buffer += chunk
        payloads: list[bytes] = []
        start = 0
        while (end := self._line_end(start)) >= 0:
            self._line(bytes(self._buffer[start:end]), payloads)
            start = self._after(end)
        del self._buffer[:start]
        if len(self._buffer) > self._max_line_bytes:
            raise EngineFailed(
                f"The engine sent an event line longer than {self._max_line_bytes} bytes. Check what runs at its URL."
            )
        return payloads

    def _line_end(self, start: int) -> int:
        newline, carriage = self._buffer.find(b"\n", start), self._buffer.find(b"\r", start)
        if newline < 0 or carriage < 0:
            return max(newline, carriage)
        return min(newline, carriage)

    def _after(self, end: int) -> int:
        if self._buffer[end] == ord("\n"):
            return end + 1
        if end + 1 == len(self._buffer):
            self._skip_newline = True  # the \n of a \r\n may come in the next chunk
            return end + 1
        return end + 2 if self._buffer[end + 1] == ord("\n") else end + 1

    def _line(self, line: bytes, payloads: list[bytes]) -> None:
        if not line:
            if self._data:
                payloads.append(b"\n".join(self._data))
                self._data.clear()
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
