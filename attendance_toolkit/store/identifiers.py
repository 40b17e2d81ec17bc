"""Keyed digests of the pupils a store was made from, so that a page can be searched for them before it leaves.

A load digests UPNs, former UPNs, names, dates of birth and postcodes of the rows it reads and keeps the digests; no plain
identifier is written. The key is made from the pseudonym key, which lies outside the store: digests whose key lay
beside them could be enumerated by whoever has the store, since a UPN has about a thousand serial numbers a school and year.
The price is that reports need the key file, too; it is looked for where a load makes it.

Digests are only ever added. A pupil who is no longer in the store is looked for all the same: that refuses too much, never
too little.
"""

# Kinds in the SQL are the toolkit's own; values from files are never put into it.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from attendance_toolkit.errors import StoreError
from attendance_toolkit.schema.digests import (
    KINDS,
    NAME_WORDS,
    name_spellings,
    prefix_of,
    search_key,
    words_of,
)
from attendance_toolkit.store._files import parquet
from attendance_toolkit.store.keys import key_id, read_key
from attendance_toolkit.store.store import IDENTIFIERS as FILE

_NAMES = "identifier_names"
_OTHERS = "identifier_texts"
#: Most memory for digesting, beside that of the load; more is spilt to the load's own folder.
_MEMORY = "512MB"
_PLAIN_NAME = r"[A-Za-z0-9''\- ]*"


def make_identifier_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make the working tables of a connection into which readers put what identifies a pupil, if they are not there."""
    con.execute(f"CREATE TEMP TABLE IF NOT EXISTS {_NAMES} (forename VARCHAR, middle VARCHAR, surname VARCHAR)")
    con.execute(f"CREATE TEMP TABLE IF NOT EXISTS {_OTHERS} (kind VARCHAR, value VARCHAR)")


def note_identifiers(
    con: duckdb.DuckDBPyConnection,
    *,
    names: Iterable[Sequence[str]] = (),
    dates_of_birth: Iterable[str] = (),
    upns: Iterable[str] = (),
    postcodes: Iterable[str] = (),
) -> None:
    """Note identifiers a reader holds in Python; one that holds them in a table inserts them there itself.

    Parameters
    ----------
    con
        The connection of the load.
    names
        Forename, middle names and surname.
    dates_of_birth
        ISO 8601.
    upns, postcodes
        As they were read.
    """
    make_identifier_tables(con)
    rows = [tuple(name) for name in names]
    if rows:
        columns = dict(zip(("a", "b", "c"), (pa.array(c, pa.string()) for c in zip(*rows, strict=True)), strict=True))
        _insert(con, _NAMES, pa.table(columns))
    texts = [(kind, value) for kind, values in (("date_of_birth", dates_of_birth), ("upn", upns), ("postcode", postcodes))
             for value in values if value]  # fmt: skip
    if texts:
        kinds, values = zip(*texts, strict=True)
        _insert(con, _OTHERS, pa.table({"kind": pa.array(kinds, pa.string()), "value": pa.array(values, pa.string())}))


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    con.register("incoming", rows)
    con.execute(f"INSERT INTO {table} SELECT * FROM incoming")
    con.unregister("incoming")


@contextmanager
def digesting(
    con: duckdb.DuckDBPyConnection, root: Path, prepared: Path, key: bytes
) -> Iterator[Future[dict[str, int]]]:
    """Write the digests of a load and of the store so far, beside whatever else the load writes meanwhile.

    Hashing takes a tenth of a load, and runs in a database of its own on another core.

    Parameters
    ----------
    con
        The connection of the load, with ``map_upn`` (all readers) and the tables of ``make_identifier_tables``.
    root, prepared
        The store, and the folder in which its next contents are made.
    key
        The pseudonym key.

    Yields
    ------
    The number of digests by kind, for the manifest, once they are written.
    """
    noted = _take_noted(con)
    spill = con.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(_write_digests, noted, root, prepared, key, str(spill))


def _take_noted(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Return what the readers noted, and forget it."""
    make_identifier_tables(con)
    tables = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    # States 0 and 4: good, or with a wrong check letter. What a spreadsheet left of a UPN finds nobody.
    known = "SELECT code FROM map_upn WHERE state IN (0, 4) UNION ALL " if "map_upn" in tables else ""
    queries = {
        "upns": f"SELECT code FROM ({known}SELECT value FROM {_OTHERS} WHERE kind = 'upn') t(code)",
        "names": f"SELECT * FROM {_NAMES} WHERE forename IS NOT NULL AND surname IS NOT NULL",
        "others": f"SELECT * FROM {_OTHERS} WHERE kind <> 'upn'",
    }
    noted = {name: con.sql(sql).to_arrow_table() for name, sql in queries.items()}
    con.execute(f"DROP TABLE {_NAMES}; DROP TABLE {_OTHERS}")
    return noted


def _write_digests(noted: dict[str, pa.Table], root: Path, prepared: Path, key: bytes, spill: str) -> dict[str, int]:
    secret = search_key(key)
    con = duckdb.connect(
        config={"memory_limit": _MEMORY, **({"temp_directory": f"{spill}-identifiers"} if spill else {})}
    )
    try:
        con.execute("CREATE TEMP TABLE identifier_parts (kind UTINYINT, digest UBIGINT)")
        for name, table in noted.items():
            con.register(name, table)
        _digest_upns(con, secret)
        _digest_names(con, secret)
        for kind, spelling in (
            ("date_of_birth", "value"),
            ("postcode", r"upper(regexp_replace(value, '\s', '', 'g'))"),
        ):
            _add(con, kind, f"SELECT DISTINCT {spelling} AS v FROM others WHERE kind = '{kind}'", secret)
        # Of one load no digest is there twice.
        sql = "SELECT kind, digest FROM identifier_parts"
        if (root / FILE).is_file():
            sql += f" UNION SELECT kind, digest FROM {parquet([root / FILE])}"
        # In order, so that the same load gives the same bytes. Digests cannot be compressed; trying to is a fifth of the time.
        target = str(prepared / FILE).replace("'", "''")
        con.execute(
            f"COPY (FROM ({sql}) ORDER BY kind, digest) TO '{target}' (FORMAT parquet, COMPRESSION uncompressed)"
        )
        counted = dict(con.execute(f"SELECT kind, count(*) FROM {parquet([prepared / FILE])} GROUP BY kind").fetchall())
    finally:
        con.close()
    return {kind: counted.get(place, 0) for place, kind in enumerate(KINDS)}


def _digest(kind: str, value: str, secret: str) -> str:
    """Return SQL for the digest that ``schema.digests.digests`` gives: the first 64 bits of SHA-256."""
    return f"('0x' || left(sha256('{prefix_of(kind, secret)}' || {value}), 16))::UBIGINT"


def _add(con: duckdb.DuckDBPyConnection, kind: str, sql: str, secret: str) -> None:
    """Digest the values (column ``v``) of a query."""
    con.execute(
        f"INSERT INTO identifier_parts SELECT {KINDS.index(kind)}, {_digest(kind, 'v', secret)} FROM ({sql}) WHERE v <> ''"
    )


def _digest_upns(con: duckdb.DuckDBPyConnection, secret: str) -> None:
    con.execute(
        "CREATE TEMP TABLE identifier_upns AS SELECT DISTINCT upper(trim(code)) AS v FROM upns WHERE length(trim(code)) = 13"
    )
    _add(con, "upn", "FROM identifier_upns", secret)
    for hashed in ("md5", "sha1", "sha256"):
        _add(con, "upn_hash", f"SELECT left({hashed}(v), 16) AS v FROM identifier_upns", secret)


def _digest_names(con: duckdb.DuckDBPyConnection, secret: str) -> None:
    """Digest names: those in plain letters inside DuckDB, the few others in Python, to the same spelling."""
    con.execute(
        f"CREATE TEMP TABLE plain_names AS SELECT DISTINCT forename, middle, surname, regexp_full_match(forename"
        f" || coalesce(middle, '') || surname, '{_PLAIN_NAME}') AS is_plain FROM names"
    )
    # Words as ``words_of`` gives them where there are no accents.
    words = "list_filter(string_split(replace(replace(lower({}), '''', ''), '-', ' '), ' '), lambda w: w <> '')"
    con.execute(
        f"CREATE TEMP TABLE name_words AS SELECT {words.format('forename')} AS first,"
        f" {words.format('''coalesce(middle, '')''')} AS middle, {words.format('surname')} AS last FROM plain_names WHERE is_plain"
    )
    some = "FROM name_words WHERE len(first) > 0 AND len(last) > 0"
    spelt = " UNION ALL ".join(
        f"SELECT array_to_string(list_sort({parts}), ' ') AS v {some}{when} AND len({parts}) <= {NAME_WORDS}"
        for parts, when in (
            ("first || last", ""),
            ("first[1:1] || last", " AND len(first) > 1"),
            ("first || middle || last", " AND len(middle) > 0"),
        )
    )
    others = con.execute("SELECT forename, middle, surname FROM plain_names WHERE NOT is_plain").fetchall()
    found = {s for first, middle, last in others for s in name_spellings(first, last, middle or "")}
    parts_of = {w for row in others for part in row for w in words_of(part or "")}
    for kind, query, values in (
        ("name", spelt, found),
        ("name_word", "SELECT unnest(first || middle || last) AS v FROM name_words", parts_of),
    ):
        con.register("incoming", pa.table({"v": pa.array(sorted(values), pa.string())}))
        _add(con, kind, f"SELECT DISTINCT v FROM ({query} UNION ALL FROM incoming)", secret)
        con.unregister("incoming")


# ---- reading --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredIdentifiers:
    """What a store knows of its pupils' identifiers.

    Attributes
    ----------
    key
        Key of the digests, as ``schema.digests.search_key`` gives it.
    known
        Kind -> digests, sorted, unsigned 64-bit integers.
    unknown
        Why they are not known, with what to do; empty if they are.
    """

    key: str = ""
    known: dict[str, np.ndarray] = field(default_factory=dict)
    unknown: str = ""


def read_identifiers(root: Path, manifest: dict, key_files: Iterable[Path]) -> StoredIdentifiers:
    """Return the identifiers of a store, or why they cannot be looked up.

    Parameters
    ----------
    root, manifest
        Folder and manifest of the store.
    key_files
        Where its key may lie; the first that is the store's own is used.

    Examples
    --------
    >>> read_identifiers(Path("no-store"), {"key_id": "?"}, []).unknown
    'The store does not know the identifiers of its pupils: it was made before they were kept. Load its files again.'
    """
    if not (root / FILE).is_file():
        return StoredIdentifiers(
            unknown="The store does not know the identifiers of its pupils: it was made before they were kept. Load its"
            " files again."
        )
    if not manifest.get("identifiers", {}).get("is_complete"):
        return StoredIdentifiers(
            unknown="The store does not know the identifiers of all its pupils: some were loaded before they were kept. Load"
            " its files again into a new folder."
        )
    key = next((k for k in map(_key_in, key_files) if k and key_id(k) == manifest.get("key_id")), None)
    if key is None:
        return StoredIdentifiers(
            unknown="The key file the store was made with is not here, so its pupils' identifiers cannot be searched for."
            " Name it with --key."
        )
    con = duckdb.connect()
    try:
        rows = con.execute(f"SELECT kind, digest FROM {parquet([root / FILE])} ORDER BY kind, digest").fetchnumpy()
    except duckdb.Error:
        return StoredIdentifiers(unknown=f"{FILE} of the store is damaged. Load its files again.")
    finally:
        con.close()
    kinds, numbers = np.asarray(rows["kind"]), np.asarray(rows["digest"], dtype=np.uint64)
    return StoredIdentifiers(search_key(key), {kind: numbers[kinds == place] for place, kind in enumerate(KINDS)})


def key_files_of(root: Path, given: Path | None = None) -> list[Path]:
    """Return where the key of a store may lie: the file given, beside the store, or where a load makes it."""
    if given is not None:
        return [given]
    return [root.resolve().parent / "pseudonym.key", Path.home() / ".attendance-toolkit" / "pseudonym.key"]


def _key_in(path: Path) -> bytes | None:
    try:
        return read_key(path)
    except StoreError:
        return None
