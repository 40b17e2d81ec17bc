"""No byte of what goes to partners points at a child; what does lies in the restricted folder alone."""

from __future__ import annotations

import base64
import json
import re
import zlib

import pytest

from attendance_toolkit.store.keys import pseudonyms
from tests.release.canaries import found_in


@pytest.fixture(scope="module")
def needles(made):
    """Text in small letters -> what to call it in a message, which must not repeat it."""
    found = {}
    for canary in made.canaries:
        found |= {needle: f"{canary.role}, needle {number}" for number, needle in enumerate(canary.needles)}
    key = bytes.fromhex(made.key.read_text().strip())
    for canary, number in zip(made.canaries, pseudonyms([c.upn for c in made.canaries], key), strict=True):
        for text in (str(number), f"{int(number):x}", str(int(number) - 2**64)):
            found[text] = f"{canary.role}, pseudonym"
    for place in (made.store, made.folder, made.files):
        found[str(place).casefold()] = "path"
    found[made.key.read_text().strip().casefold()] = "key"
    return found


def test_the_canaries_were_read(made):
    """Without this the next tests could not fail: each planted pupil is in the store under its pseudonym."""
    import duckdb

    key = bytes.fromhex(made.key.read_text().strip())
    numbers = pseudonyms([canary.upn for canary in made.canaries], key)
    files = f"{made.store}/**/*.parquet"
    con = duckdb.connect()
    held = {
        row[0]
        for row in con.execute("SELECT DISTINCT upn FROM read_parquet(?, union_by_name=true)", [files]).fetchall()
    }
    assert {int(number) for number in numbers} <= held
    assert [canary.role for canary in made.canaries] == [
        "severely absent", "in a special school", "alone in a group", "in a primary school",
    ]  # fmt: skip


def test_nothing_partners_get_has_a_canary(made, needles):
    assert len([path for path in made.out.rglob("*") if path.is_file()]) > 50
    assert found_in(made.out, needles) == set()


def test_nor_have_the_pages_and_audits_for_staff(made, needles):
    """Internal pages have exact figures but no pupil: those are in lists alone."""
    assert found_in(made.restricted, needles) == set()


@pytest.mark.parametrize(
    "hide",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-16-le"),
        lambda text: b"<p>" + " ".join(text).encode() + b"</p>",
        lambda text: "".join(f"&#{ord(c)};" for c in text).encode(),
        lambda text: b'<img src="data:image/png;base64,' + base64.b64encode(b"pad" + text.encode()) + b'">',
        lambda text: b"data:," + base64.b64encode(zlib.compress(text.encode() * 3)),
        lambda text: zlib.compress(text.encode()),
        lambda text: text.encode().hex().encode(),
        lambda text: text[::-1].upper().encode(),
    ],
)
def test_the_search_of_these_tests_sees(made, needles, tmp_path, hide):
    """What says that nothing is there has to see what is: each needle, hidden in each way."""
    for number, needle in enumerate(needles):
        (tmp_path / f"{number}.html").write_bytes(hide(needle))
    seen = {called for _, called in found_in(tmp_path, needles)}
    assert seen == set(needles.values())


def test_internal_pages_lie_in_the_restricted_folder_and_say_what_they_are(made):
    pages = sorted(made.restricted.glob("pages/*/*/*/index.html"))
    assert len(pages) == 6
    assert len(list(made.out.glob("*/*/*/index.html"))) == 6
    for page in pages:
        text = page.read_text(encoding="utf-8")
        visible = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
        assert visible.count("OFFICIAL-SENSITIVE") >= 2, "in header and footer"
        styles = "".join(re.findall(r"<style.*?</style>", text, flags=re.DOTALL))
        assert "OFFICIAL-SENSITIVE" in styles or "position: fixed" in styles or "@page" in styles, (
            "on each printed sheet"
        )
    for path in made.out.rglob("*"):
        if path.is_file():
            assert b"OFFICIAL-SENSITIVE" not in path.read_bytes(), path.name


def test_no_notebook_and_nothing_restricted_lies_with_the_pages(made):
    for place in (made.out, made.restricted):
        names = [path.name for path in place.rglob("*")]
        assert not [name for name in names if name.endswith(".ipynb") or name.startswith(".new-") or ".part" in name]
    for path in made.out.rglob("*"):
        assert path.suffix in ("", ".html", ".csv", ".json", ".txt"), path.name
        assert path.name not in ("restricted.json", "release.json", "cells.parquet", "audit.html", "release.key")
        if path.suffix == ".json":
            text = path.read_text(encoding="utf-8")
            assert '"nbformat"' not in text
            json.loads(text)


def test_the_restricted_folder_is_for_its_user_alone(made):
    import os
    import stat

    if os.name == "posix":
        assert stat.S_IMODE(made.restricted.stat().st_mode) == 0o700
    secret = (made.restricted / "release.key").read_bytes()
    for path in made.out.rglob("*"):
        if path.is_file():
            assert secret.strip() not in path.read_bytes()
