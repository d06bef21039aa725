"""Incremental decoder of server-sent events (WHATWG HTML, "Server-sent events", parsing an event stream)."""

from openfm.core.errors import EngineFailed

MAX_LINE_BYTES = 4 * 1024 * 1024


class SseDecoder:
    """Bytes in, however they are split; the `data` of complete events out.

    Comments (`: ping`) and the fields `event`, `id`, `retry` are ignored. An event that the stream's end cut off is
    dropped, as the specification has it.
    """

    __slots__ = ("_data", "_max_line_bytes", "_rest", "_skip_newline")

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._max_line_bytes = max_line_bytes
        self._skip_newline = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads that `chunk` completes. Raises `EngineFailed` for a line longer than the limit."""
        *lines, self._rest = (self._rest + self._with_newlines(chunk)).split(b"\n")
        if len(self._rest) > self._max_line_bytes:
            raise EngineFailed(
                f"The engine sent an event line longer than {self._max_line_bytes} bytes. Check what runs at its URL."
            )
        payloads: list[bytes] = []
        for line in lines:
            self._line(line, payloads)
        return payloads

    def _with_newlines(self, chunk: bytes) -> bytes:
        """`chunk` with every end of line as a newline."""
        if self._skip_newline and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_newline = False
        if b"\r" not in chunk:
            return chunk
        self._skip_newline = chunk.endswith(b"\r")  # the \n of a \r\n may come in the next chunk
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _line(self, line: bytes, payloads: list[bytes]) -> None:
        if not line:
            if self._data:
                payloads.append(b"\n".join(self._data))
                self._data.clear()
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
