"""The calls of the public API, version 1: publications, data sets, what they hold, queries and whole files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attendance_toolkit.errors import FetchError, ParameterError, did_you_mean
from attendance_toolkit.loaders.ees_api import _download
from attendance_toolkit.loaders.ees_api._query import Labels, rows_to_frame
from attendance_toolkit.loaders.ees_api._transport import Transport

if TYPE_CHECKING:
    import pandas as pd

#: Most rows of a page the API gives of each kind.
PUBLICATIONS_PAGE, DATA_SETS_PAGE, QUERY_PAGE = 40, 20, 10_000
_SHORTEST_SEARCH = 3


class EesApi:
    """DfE's public API of published statistics (no account is needed).

    Parameters
    ----------
    transport
        How requests are sent: address, cache, offline; None means DfE's own address and the user's cache.
    """

    def __init__(self, transport: Transport | None = None) -> None:
        self.transport = transport or Transport()

    def publications(self, search: str = "") -> list[dict]:
        """Return the publications whose title or summary has the words, each with id, slug, title and summary.

        Raises
        ------
        ParameterError
            The search is shorter than three characters.
        FetchError
            Nothing could be fetched.
        """
        text = search.strip()
        if text and len(text) < _SHORTEST_SEARCH:
            raise ParameterError(f"'{text}' is too short to search for. Give {_SHORTEST_SEARCH} characters or more.")
        return list(self._pages("/v1/publications", {"search": text or None}, PUBLICATIONS_PAGE))

    def data_sets(self, publication_id: str) -> list[dict]:
        """Return the data sets of a publication: id, title, summary, status and latestVersion."""
        return list(self._pages(f"/v1/publications/{_id(publication_id)}/data-sets", {}, DATA_SETS_PAGE))

    def data_set(self, data_set_id: str) -> dict:
        """Return one data set: id, title, summary, status and latestVersion."""
        return _object(self.transport.get(f"/v1/data-sets/{_id(data_set_id)}"), "id")

    def data_set_meta(self, data_set_id: str, version: str | None = None) -> dict:
        """Return what a data set holds: filters, indicators, geographicLevels, locations and timePeriods."""
        found = self.transport.get(f"/v1/data-sets/{_id(data_set_id)}/meta", {"dataSetVersion": version})
        return _object(found, "indicators")

    def query(
        self,
        data_set_id: str,
        indicators: Sequence[str],
        *,
        filters: Mapping[str, Sequence[str]] | None = None,
        geographic_levels: Sequence[str] | None = None,
        locations: Sequence[str] | None = None,
        time_periods: Sequence[tuple[str, str]] | None = None,
        page_size: int = QUERY_PAGE,
    ) -> pd.DataFrame:
        """Return the rows of a data set that meet criteria.

        Parameters
        ----------
        indicators
            Column names, labels or ids.
        filters
            Column name, label or id of a filter -> labels or ids of its options.
        geographic_levels
            Codes, such as NAT, REG, LA.
        locations
            Codes, such as E08000009 or 358, or names.
        time_periods
            Pairs of period and code, such as ("2022/2023", "AY").

        Returns
        -------
        time_period, time_identifier, geographic_level, location_code, location_name, a column for each filter
        with its labels, and for each indicator a column of numbers and ``<name>_symbol``, which is "" or DfE's
        symbol beside a missing number.

        Raises
        ------
        ParameterError
            A name is in none of the data set's own; the message says the nearest.
        FetchError
            Nothing could be fetched, or the pages do not add up to what the API says there is.
        """
        labels = Labels(self.data_set_meta(data_set_id))
        wanted = {labels.indicator(name): None for name in indicators}
        if not wanted:
            raise ParameterError("Name at least one indicator." + did_you_mean("", labels.indicators.values()))
        criteria = labels.criteria(filters or {}, geographic_levels, locations, time_periods)
        body: dict[str, object] = {"indicators": list(wanted)}
        if criteria:
            body["criteria"] = {"and": criteria} if len(criteria) > 1 else criteria[0]
        path = f"/v1/data-sets/{_id(data_set_id)}/query"
        size = min(page_size, QUERY_PAGE)
        rows = list(self._collect(path, lambda n: self.transport.post(path, {**body, "page": n, "pageSize": size})))
        return rows_to_frame(rows, labels, list(wanted))

    def download_csv(self, data_set_id: str, folder: Path | str) -> _download.Fetched:
        """Fetch the whole of a data set as CSV into a folder, with its provenance beside it.

        A version already in the folder or the cache is not fetched again.

        Raises
        ------
        FetchError
            Nothing could be fetched, or the file is not whole.
        """
        path = f"/v1/data-sets/{_id(data_set_id)}/csv"
        about, meta = self.data_set(data_set_id), self.data_set_meta(data_set_id)
        return _download.download(self.transport, path, about, meta, Path(folder))

    # -- paging --

    def _pages(self, path: str, params: dict[str, Any], size: int) -> Iterator[dict]:
        return self._collect(path, lambda n: self.transport.get(path, {**params, "page": n, "pageSize": size}))

    def _collect(self, path: str, get: Any) -> Iterator[dict]:
        """Give the results of all pages, and make sure that they are as many as the API says."""
        page, given = 1, 0
        while True:
            answer = _object(get(page), "results")
            paging = _object(answer.get("paging"), "totalPages")
            results = answer["results"]
            given += len(results)
            yield from results
            if page >= int(paging["totalPages"]):
                break
            if not results:
                raise FetchError(f"Page {page} of {int(paging['totalPages'])} of {path} is empty. Try again later.")
            page += 1
        expected = paging.get("totalResults", given)
        if given != expected:
            raise FetchError(
                f"{path} gave {given:,} rows on its pages, but says that there are {expected:,}: the data set may have"
                " been published anew meanwhile. Try again."
            )


def _id(text: str) -> str:
    """Return an id fit for an address.

    >>> _id("63629501-d3ca-c471-9780-ec4cb6fdf172")[:8]
    '63629501'
    """
    given = text.strip()
    if not given or not all(c.isalnum() or c in "-_" for c in given):
        raise ParameterError(
            f"'{text}' is not the id of a publication or data set. Find it with: attendance fetch list"
        )
    return given


def _object(answer: Any, needs: str) -> dict:
    if not isinstance(answer, dict) or needs not in answer:
        raise FetchError(f"The answer of the API has no '{needs}': its layout has changed, or something else answered.")
    return answer
