"""Requests with retries, and a cache on disk that serves alone when there is no network."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attendance_toolkit.errors import FetchError, ParameterError

DEFAULT_BASE_URL = "https://api.education.gov.uk/statistics"
BASE_URL_VARIABLE = "ATTENDANCE_EES_API"
CACHE_VARIABLE = "ATTENDANCE_EES_CACHE"
CATALOGUE = "https://explore-education-statistics.service.gov.uk/data-catalogue"
_RETRIED = frozenset({429, 500, 502, 503, 504})
_CHUNK = 1 << 20
#: Longest wait a server may ask for; with a longer one the user had better come back later.
_LONGEST_WAIT = 120.0
_BY_HAND = (
    f"Without it: download the data set as CSV at {CATALOGUE} on a computer that has access, and give the file to the"
    " toolkit instead."
)


class _TryAgainError(Exception):
    """An answer that another try may mend; ``wait`` is what the server asked for, in seconds."""

    def __init__(self, says: str, wait: float | None = None) -> None:
        super().__init__(says)
        self.wait = wait


@dataclass(frozen=True)
class Answer:
    """The body of an answer, from the server or the cache."""

    body: bytes
    etag: str
    fetched_at: str
    from_cache: bool


def not_written(error: OSError) -> FetchError:
    """Return the error of a file that could not be written."""
    return FetchError(
        f"What was fetched could not be written ({error.strerror or type(error).__name__}). Check the space on the disk and"
        f" your access to the folder and to the cache (set by {CACHE_VARIABLE})."
    )


def default_cache() -> Path:
    """Return the folder of the cache: that of the environment variable, else the user's own."""
    import platformdirs

    given = os.environ.get(CACHE_VARIABLE)
    return Path(given) if given else Path(platformdirs.user_cache_dir("attendance-toolkit")) / "ees_api"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise not_written(error) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@dataclass
class Transport:
    """Sends requests.

    Attributes
    ----------
    base_url
        Address of the API; the environment variable ATTENDANCE_EES_API, else DfE's own.
    cache
        Folder of the cache; the environment variable ATTENDANCE_EES_CACHE, else the user's own.
    offline
        Whether only the cache is used.
    timeout
        Seconds to wait for an answer.
    attempts
        Tries of one request: again after 429, 500, 502, 503, 504, a time-out or a broken answer, waiting as
        long as the server asks (Retry-After), else 1, 2, 4 ... seconds.
    """

    base_url: str = ""
    cache: Path = field(default_factory=default_cache)
    offline: bool = False
    timeout: float = 60.0
    attempts: int = 5
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.base_url = (self.base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL).rstrip("/")
        if not self.base_url.startswith(("https://", "http://")):
            raise ParameterError(f"'{self.base_url}' is not the address of an API. It begins with https://.")

    @property
    def host(self) -> str:
        """Return the host of the API, for messages."""
        return urllib.parse.urlsplit(self.base_url).netloc

    # -- JSON --

    def get(self, path: str, params: Mapping[str, object] | None = None) -> Any:
        """Return the JSON of a GET request."""
        query = urllib.parse.urlencode({k: v for k, v in sorted((params or {}).items()) if v is not None})
        return self._json(path + (f"?{query}" if query else ""), None)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return the JSON of a POST request with a JSON body."""
        return self._json(path, json.dumps(body, sort_keys=True).encode())

    def _json(self, path: str, body: bytes | None) -> Any:
        answer = self._cached_answer(path, body)
        try:
            return json.loads(answer.body)
        except ValueError:
            self._forget(path, body)
            raise FetchError(f"The answer of {self.host} to {path} is not JSON. Try again later.") from None

    def _entry(self, path: str, body: bytes | None) -> tuple[Path, Path]:
        key = hashlib.sha256(f"{self.base_url}{path}\0".encode() + (body or b"")).hexdigest()[:40]
        return self.cache / f"{key}.body", self.cache / f"{key}.json"

    def _forget(self, path: str, body: bytes | None) -> None:
        for file in self._entry(path, body):
            file.unlink(missing_ok=True)

    def _from_cache(self, path: str, body: bytes | None) -> tuple[bytes, dict] | None:
        """Return a cached body and what is known of it; None if there is none or it is not as it was written."""
        file, about_file = self._entry(path, body)
        try:
            data = file.read_bytes()
            about = json.loads(about_file.read_text(encoding="utf-8"))
            return (data, about) if about["sha256"] == hashlib.sha256(data).hexdigest() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _cached_answer(self, path: str, body: bytes | None) -> Answer:
        known = self._from_cache(path, body)
        if self.offline:
            if known is None:
                raise FetchError(
                    f"{path} is not in the cache, and only the cache may be used (offline). Run it once without"
                    f" offline on a computer that reaches {self.host}. {_BY_HAND}"
                )
            return Answer(known[0], known[1].get("etag", ""), known[1].get("fetched_at", ""), True)
        headers = {"Accept": "application/json"}
        if known is not None and body is None:
            headers |= _conditions(known[1])

        def read(response: http.client.HTTPResponse) -> tuple[bytes | None, dict]:
            if response.status == 304:
                return None, {}
            data = _unpacked(response.read(), response.headers.get("Content-Encoding", ""))
            return data, _about(response, self.base_url + path)

        data, about = self._send(path, body, headers, read)
        if data is None:
            assert known is not None  # a server answers 304 only to a condition
            return Answer(known[0], known[1].get("etag", ""), known[1].get("fetched_at", ""), True)
        file, about_file = self._entry(path, body)
        about["sha256"] = hashlib.sha256(data).hexdigest()
        write_atomically(file, data)
        write_atomically(about_file, json.dumps(about, indent=1).encode())
        return Answer(data, about["etag"], about["fetched_at"], False)

    # -- files --

    def download(self, path: str, target: Path) -> dict:
        """Fetch a file into ``target``, unpacked if it comes packed by gzip, whole or not at all.

        Returns
        -------
        url, etag, last_modified, fetched_at, sha256 (of the file as written) and bytes.
        """

        def read(response: http.client.HTTPResponse) -> dict:
            about = _about(response, self.base_url + path)
            packed = target.with_name(f".{target.name}.{os.getpid()}.fetched")
            try:
                _receive(response, packed)
                about |= _unpack_file(packed, target)
            finally:
                with suppress(OSError):
                    packed.unlink(missing_ok=True)
            return about

        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_written(error) from None
        return self._send(path, None, {"Accept": "text/csv", "Accept-Encoding": "gzip"}, read)

    # -- one request --

    def _send(self, path: str, body: bytes | None, headers: dict[str, str], read: Callable[[Any], Any]) -> Any:
        """Return what ``read`` makes of the answer, trying again where that may help."""
        url = self.base_url + path
        all_headers = {"User-Agent": "attendance-toolkit", "Accept-Encoding": "gzip", **headers}
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        for attempt in range(1, self.attempts + 1):
            request = urllib.request.Request(url, data=body, headers=all_headers)  # noqa: S310 - http(s), see above
            try:
                with self._open(request) as response:
                    return read(response)
            except _TryAgainError as error:
                wait = error.wait if error.wait is not None else 2.0 ** (attempt - 1)
                if attempt == self.attempts or wait > _LONGEST_WAIT:
                    asked = f" It asks to wait {wait:.0f} seconds." if error.wait else ""
                    raise FetchError(
                        f"{self.host} did not give {path} after {attempt} {'try' if attempt == 1 else 'tries'}: {error}."
                        f"{asked} Try again later."
                    ) from None
                self.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")

    @contextmanager
    def _open(self, request: urllib.request.Request) -> Iterator[Any]:
        """Open a request; errors another try may mend become ``_TryAgainError``, all others ``FetchError``."""
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310 - http(s), as above
                yield response
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304:
                    yield error
                    return
                if error.code in _RETRIED:
                    wait = _retry_after(error.headers.get("Retry-After", ""))
                    raise _TryAgainError(f"error {error.code}", wait) from None
                raise FetchError(self._refused(error)) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _TryAgainError(f"no answer within {self.timeout:g} seconds") from None
            raise FetchError(
                f"There is no connection to {self.host} ({error.reason}). Check the network; what was fetched before can"
                f" be used offline (--offline). {_BY_HAND}"
            ) from None
        except TimeoutError:
            raise _TryAgainError(f"no answer within {self.timeout:g} seconds") from None
        except (http.client.HTTPException, ConnectionError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _TryAgainError(f"the answer was cut off ({type(error).__name__})") from None
        except OSError as error:
            raise not_written(error) from None

    def _refused(self, error: urllib.error.HTTPError) -> str:
        path = error.url.removeprefix(self.base_url)
        said = _error_messages(error)
        if error.code == 404:
            return (
                f"{self.host} has no {path} (error 404). Ids change with releases: look it up again with: attendance fetch"
                ' list "pupil absence"'
            )
        if error.code == 400:
            return f"{self.host} refused {path} (error 400): {said or 'it did not say why'}."
        return f"{self.host} answered {path} with error {error.code}{f': {said}' if said else ''}."


def _conditions(about: dict) -> dict[str, str]:
    pairs = (("If-None-Match", about.get("etag")), ("If-Modified-Since", about.get("last_modified")))
    return {name: value for name, value in pairs if value}


def _about(response: http.client.HTTPResponse, url: str) -> dict:
    return {
        "url": url,
        "etag": response.headers.get("ETag", ""),
        "last_modified": response.headers.get("Last-Modified", ""),
        "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _unpacked(data: bytes, encoding: str) -> bytes:
    return gzip.decompress(data) if encoding == "gzip" or data.startswith(b"\x1f\x8b") else data


def _receive(response: http.client.HTTPResponse, target: Path) -> None:
    """Write the bytes of an answer as they come, and notice when they end too early."""
    expected, received = response.headers.get("Content-Length"), 0
    with target.open("wb") as out:
        while chunk := response.read(_CHUNK):
            out.write(chunk)
            received += len(chunk)
    if expected and expected.isdigit() and received != int(expected):
        raise http.client.IncompleteRead(b"", int(expected) - received)


def _unpack_file(packed: Path, target: Path) -> dict:
    """Put a fetched file in its place, unpacked; return its SHA-256 and size."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    digest, size = hashlib.sha256(), 0
    try:
        with packed.open("rb") as start:
            is_gzip = start.read(2) == b"\x1f\x8b"
        with gzip.open(packed) if is_gzip else packed.open("rb") as source, part.open("wb") as out:
            while chunk := source.read(_CHUNK):
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        if not size:
            raise EOFError
        part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return {"sha256": digest.hexdigest(), "bytes": size}


def _retry_after(text: str) -> float | None:
    """Return the seconds of a Retry-After header, which is a number or a date.

    >>> _retry_after("3"), _retry_after(""), _retry_after("soon"), _retry_after("Wed, 21 Oct 2015 07:28:00 GMT")
    (3.0, None, None, 0.0)
    """
    if text.strip().isdigit():
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _error_messages(error: urllib.error.HTTPError) -> str:
    """Return what an error answer says: ``errors[{message, code, path, detail}]``, or its title."""
    try:
        said = json.loads(_unpacked(error.read(), error.headers.get("Content-Encoding", "")))
        found = [
            " ".join(part for part in (str(e.get("message", "")), f"({e['path']})" if e.get("path") else "") if part)
            for e in said.get("errors") or []
        ]
        return "; ".join(found) or str(said.get("title", ""))
    except (OSError, ValueError, AttributeError, TypeError, EOFError, http.client.HTTPException):
        return ""
