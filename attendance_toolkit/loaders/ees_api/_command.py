"""What ``attendance fetch`` does."""

from __future__ import annotations

from pathlib import Path

from attendance_toolkit.errors import NoDataError, ParameterError
from attendance_toolkit.loaders.ees_api._client import EesApi
from attendance_toolkit.loaders.ees_api._transport import CATALOGUE, Transport

#: Word of the command -> words to search for, and how the publication's title begins.
PUBLICATIONS = {
    "absence": ("pupil absence", "pupil absence in schools"),
    "attendance": ("pupil attendance", "pupil attendance in schools"),
}
_ACTIONS = ("list", *PUBLICATIONS)


def fetch_command(
    what: str,
    search: str = "",
    *,
    out: Path | str | None = None,
    title: str = "",
    offline: bool = False,
    base_url: str = "",
    cache: Path | str | None = None,
) -> str:
    """List or fetch published data sets; return what is told to the user.

    Parameters
    ----------
    what
        "list", "absence" or "attendance".
    search
        For "list": words of the publications to list.
    out
        Folder the files are written to.
    title
        Fetch only data sets whose title has these words.
    offline
        Use only what was fetched before.
    base_url, cache
        Address of the API and folder of the cache, where they are not the usual ones.

    Raises
    ------
    ParameterError
        ``what`` is not one of the three, or there is no folder to write to.
    NoDataError
        Nothing was found.
    FetchError
        Nothing could be fetched.
    """
    if what not in _ACTIONS:
        raise ParameterError(f"'{what}' cannot be fetched. Use one of: {', '.join(_ACTIONS)}.")
    transport = Transport(base_url, offline=offline) if cache is None else Transport(base_url, Path(cache), offline)
    api = EesApi(transport)
    if what == "list":
        return _listed(api, search)
    if out is None:
        raise ParameterError(f"Say where the files go: attendance fetch {what} --out FOLDER")
    return _fetched(api, what, title, Path(out))


def _listed(api: EesApi, search: str) -> str:
    lines = []
    for publication in api.publications(search):
        lines.append(publication["title"])
        for data_set in api.data_sets(publication["id"]):
            lines.append(f"  {data_set['title']}{_span(data_set)}  {data_set['id']}")
    if not lines:
        raise NoDataError(f"The API has no publication for '{search}'. Not all are in it: see {CATALOGUE}")
    return "\n".join(lines)


def _span(data_set: dict) -> str:
    periods = (data_set.get("latestVersion") or {}).get("timePeriods") or {}
    start, end = periods.get("start"), periods.get("end")
    return f" ({start})" if start and start == end else f" ({start} to {end})" if start and end else ""


def _fetched(api: EesApi, what: str, title: str, out: Path) -> str:
    search, beginning = PUBLICATIONS[what]
    found = [p for p in api.publications(search) if p["title"].lower().startswith(beginning)]
    wanted = [
        data_set
        for publication in found
        for data_set in api.data_sets(publication["id"])
        if title.lower() in data_set["title"].lower()
    ]
    if not wanted:
        which = f" with '{title}' in its title" if title else ""
        raise NoDataError(
            f'The API has no data set of {beginning}{which}. See: attendance fetch list "{search}". Data sets that are'
            f" not in it can be downloaded at {CATALOGUE}"
        )
    lines = []
    for data_set in wanted:
        file = api.download_csv(data_set["id"], out)
        lines.append(
            f"{file.path.name}: {file.title}, version {file.version}{'' if file.is_new else ' (had it already)'}"
        )
    return "\n".join(lines)
