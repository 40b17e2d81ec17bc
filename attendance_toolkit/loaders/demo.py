"""The demonstration: synthetic authorities, written as census files and loaded as any authority would.

One of them gives the registers of its last year too: its single marks are for weekly casework, and its figures stay those of
the census.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from attendance_toolkit import __version__
from attendance_toolkit.loaders import synthetic
from attendance_toolkit.loaders.load import load_files
from attendance_toolkit.loaders.synthetic import generate, make_synthetic, write_register_files

#: A folder to keep the synthetic store in, instead of the user's cache.
FOLDER_VARIABLE = "ATTENDANCE_DEMO"
#: Raised when a store made of the same files comes to hold more: one in a cache is then made anew.
EDITION = 6
#: Authority and academic year with registers of single marks.
REGISTER_OF = ("Irwell Bank", 202324)


def _cache_folder() -> Path:
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    from platformdirs import user_cache_path

    return user_cache_path("attendance-toolkit", appauthor=False)


@cache
def _digest_of_generator() -> str:
    """Return a digest of the code and parameters that make the synthetic files.

    A number raised by hand was once forgotten: pages then showed meetings that a newly made store does not have.
    """
    digest = hashlib.sha256()
    for source in sorted(Path(synthetic.__file__).parent.glob("*.*")):
        if source.suffix in {".py", ".json"}:
            # Line ends differ between checkouts.
            digest.update(source.name.encode() + source.read_text(encoding="utf-8").encode())
    return digest.hexdigest()[:10]


def synthetic_store(size: str = "sample") -> Path:
    """Return the folder of a store of synthetic pupils, made on first use.

    The files go through the same loader as real ones. "sample" is the demonstration; "small" is made in a
    third of the time, but most of its figures are too small to be shown.
    """
    folder = _cache_folder() / f"synthetic-{size}-{__version__}-{EDITION}-{_digest_of_generator()}"
    if (folder / "store" / "manifest.json").is_file():
        return folder / "store"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="attendance-demo-", dir=folder.parent) as private:
        made = Path(private) / "made"
        files = Path(private) / "files"
        make_synthetic(files, size=size)
        area, year = REGISTER_OF
        cohort = generate(size, areas=[area], first_year=year, last_year=year)
        write_register_files(cohort, files, format="parquet")
        load_files([files], made / "store", key_file=made / "pseudonym.key", is_synthetic=True)
        try:
            made.rename(folder)
        except OSError:
            # Another process made the same store meanwhile (equal bytes), or an unfinished one is in the way.
            if not (folder / "store" / "manifest.json").is_file():
                shutil.rmtree(folder)
                made.rename(folder)
    return folder / "store"
