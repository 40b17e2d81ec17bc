"""A local server with the documented answers of DfE's public API, and the errors it can give."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

DATA_SET = "e2eb493a-dc95-41f4-96ef-b886c5cd2019"
PUBLICATION = "cbbd299f-8297-44bc-92ac-558bcf51f8ad"

META = {
    "filters": [
        {
            "id": "fPhas",
            "column": "education_phase",
            "label": "Education phase",
            "options": [
                {"id": "oTot1", "label": "Total"},
                {"id": "oPri1", "label": "State-funded primary"},
                {"id": "oSec1", "label": "State-funded secondary"},
            ],
        }
    ],
    "indicators": [
        {"id": "iEnro", "column": "enrolments", "label": "Number of pupil enrolments", "unit": "", "decimalPlaces": 0},
        {"id": "iPoss", "column": "sess_possible", "label": "Number of sessions possible"},
        {"id": "iOver", "column": "sess_overall", "label": "Number of overall absence sessions"},
        {"id": "iAuth", "column": "sess_authorised", "label": "Number of authorised absence sessions"},
        {"id": "iUnau", "column": "sess_unauthorised", "label": "Number of unauthorised absence sessions"},
        {"id": "iPers", "column": "enrolments_pa_10_exact", "label": "Number of persistent absentees"},
        {"id": "iRate", "column": "sess_overall_percent", "label": "Overall absence rate", "unit": "%"},
    ],
    "geographicLevels": [{"code": "NAT", "label": "National"}, {"code": "LA", "label": "Local authority"}],
    "locations": [
        {
            "level": {"code": "NAT", "label": "National"},
            "options": [{"id": "lEng", "label": "England", "code": "E92000001"}],
        },
        {
            "level": {"code": "LA", "label": "Local authority"},
            "options": [
                {"id": "lTra", "label": "Trafford", "code": "E08000009", "oldCode": "358"},
                {"id": "lSal", "label": "Salford", "code": "E08000006", "oldCode": "355"},
            ],
        },
    ],
    "timePeriods": [{"code": "AY", "period": "2022/2023", "label": "2022/23"}],
}
#: Place, phase, enrolments, sessions possible, overall, authorised, unauthorised, persistent absentees, rate.
ROWS = [
    ("lTra", "oTot1", "36000", "13000000", "780000", "560000", "220000", "5400", "6"),
    ("lTra", "oPri1", "20000", "7000000", "350000", "280000", "70000", "2000", "5"),
    ("lTra", "oSec1", "c", "c", "c", "c", "c", "c", "c"),
    ("lSal", "oTot1", "35000", "12600000", "1008000", "630000", "378000", "8400", "8"),
    ("lEng", "oTot1", "7300000", "2600000000", "189800000", "130000000", "59800000", "1500000", "7.3"),
]


def query_row(row: tuple[str, ...]) -> dict:
    place, phase, *values = row
    level = "NAT" if place == "lEng" else "LA"
    return {
        "timePeriod": {"code": "AY", "period": "2022/2023"},
        "geographicLevel": level,
        "locations": {"NAT": "lEng"} | ({} if level == "NAT" else {"LA": place}),
        "filters": {"fPhas": phase},
        "values": dict(zip((i["id"] for i in META["indicators"]), values, strict=True)),
    }


def csv_text() -> bytes:
    """Return the whole data set as the csv endpoint gives it: human labels over filters and indicators."""
    labels = ["Education phase", *(i["label"] for i in META["indicators"])]
    places = {
        "lTra": ("Local authority", "E12000002", "North West", "358", "E08000009", "Trafford"),
        "lSal": ("Local authority", "E12000002", "North West", "355", "E08000006", "Salford"),
        "lEng": ("National", "", "", "", "", ""),
    }
    options = {o["id"]: o["label"] for o in META["filters"][0]["options"]}
    header = ["time_period", "time_identifier", "geographic_level", "country_code", "country_name", "region_code",
              "region_name", "old_la_code", "new_la_code", "la_name", *labels]  # fmt: skip
    lines = [",".join(header)]
    for place, phase, *values in ROWS:
        level, *area = places[place]
        lines.append(",".join(
            ["202223", "Academic year", level, "E92000001", "England", *area, options[phase], *values]
        ))  # fmt: skip
    return ("\n".join(lines) + "\n").encode()


class Stub:
    """What the server knows and does.

    ``trouble`` is a list of faults, one of which is used up by each request that reaches a path it is for.
    """

    def __init__(self) -> None:
        self.publications = [
            {
                "id": PUBLICATION,
                "slug": "pupil-absence",
                "title": "Pupil absence in schools in England",
                "summary": "s",
            },
            *({"id": f"p{n}", "slug": f"p{n}", "title": f"Pupil absence notes {n}", "summary": ""} for n in range(99)),
        ]
        self.version = "1.0"
        self.rows = [query_row(row) for row in ROWS]
        self.csv = csv_text()
        self.trouble: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.bodies: list[dict] = []
        self.statuses: Counter[int] = Counter()
        self.url = ""

    def data_set(self) -> dict:
        return {
            "id": DATA_SET,
            "title": "Absence by geography: full year",
            "summary": "",
            "status": "Published",
            "latestVersion": {
                "version": self.version,
                "published": "2024-03-21T09:30:00Z",
                "totalResults": len(ROWS),
                "timePeriods": {"start": "2022/23", "end": "2022/23"},
            },
        }


@contextmanager
def running(stub: Stub):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}/statistics"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _page(found: list, page: int, size: int) -> dict:
    return {
        "paging": {"page": page, "pageSize": size, "totalResults": len(found), "totalPages": -(-len(found) // size)},
        "results": found[(page - 1) * size : page * size],
    }


def _handler(stub: Stub):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args) -> None:
            pass

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.bodies.append(body)
            self._answer(body)

        def _answer(self, body: dict) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/statistics")
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            stub.asked.append(path)
            for place, (where, what) in enumerate(stub.trouble):
                if where in path:
                    del stub.trouble[place]
                    if self._trouble(what):
                        return
                    break
            answer = self._found(path, query, body)
            if answer is None:
                self._json({"title": "Not Found", "status": 404}, 404)
            elif isinstance(answer, bytes):
                self._send(200, answer, {"Content-Encoding": "gzip", "Content-Type": "text/csv"})
            else:
                self._json(answer)

        def _found(self, path: str, query: dict, body: dict) -> dict | bytes | None:
            if path == "/v1/publications":
                found = [p for p in stub.publications if query.get("search", "").lower() in p["title"].lower()]
                return _page(found, int(query["page"]), int(query["pageSize"]))
            if path.endswith("/data-sets") and path.startswith("/v1/publications/"):
                found = [stub.data_set()] if PUBLICATION in path else []
                return _page(found, int(query["page"]), int(query["pageSize"]))
            if path == f"/v1/data-sets/{DATA_SET}":
                return stub.data_set()
            if path == f"/v1/data-sets/{DATA_SET}/meta":
                return META
            if path == f"/v1/data-sets/{DATA_SET}/csv":
                return gzip.compress(stub.csv)
            if path == f"/v1/data-sets/{DATA_SET}/query":
                return _page(stub.rows, body["page"], body["pageSize"])
            return None

        def _trouble(self, what: str) -> bool:
            """Do what the fault says; return whether that was the answer."""
            kind, _, more = what.partition(" ")
            if kind == "slow":
                time.sleep(float(more))
                return False
            if kind == "error":
                code, _, wait = more.partition(" ")
                self._json({"title": "Trouble"}, int(code), {"Retry-After": wait} if wait else {})
            elif kind == "refuse":
                errors = [
                    {"message": "Must be a valid indicator.", "code": "InvalidIndicator", "path": "indicators[0]"}
                ]
                self._json({"title": "One or more validation errors occurred.", "errors": errors}, 400)
            elif kind == "cut_gzip":
                data = gzip.compress(stub.csv)
                self._send(200, data[: len(data) // 2], {"Content-Encoding": "gzip"})
            elif kind == "cut_body":
                data = gzip.compress(stub.csv)
                self._send(200, data[: len(data) // 2], {"Content-Encoding": "gzip"}, length=len(data))
            elif kind == "body":
                self._send(200, more.encode(), {"Content-Type": "application/json"})
            return True

        def _json(self, answer: dict, code: int = 200, headers: dict | None = None) -> None:
            data = json.dumps(answer).encode()
            tag = f'"{hash(data) & 0xFFFFFFFF:x}"'
            if code == 200 and self.headers.get("If-None-Match") == tag:
                code, data = 304, b""
            self._send(code, data, {"Content-Type": "application/json", "ETag": tag, **(headers or {})})

        def _send(self, code: int, data: bytes, headers: dict, length: int | None = None) -> None:
            stub.statuses[code] += 1
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) if length is None else length))
            self.end_headers()
            with suppress(ConnectionError):  # a client that lost patience
                self.wfile.write(data)
            self.close_connection = True

    return Handler
