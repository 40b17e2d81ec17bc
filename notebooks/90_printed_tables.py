# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
area: str = "Trafford"  # name or code of the area the report is about
academic_year: str = "2023/24"  # both years, for example 2023/24
audience: str = "partner"  # partner or internal; a printed report is public, so both see the same
store: str = ""  # not used: printed figures are held against published ones
published: list = []  # files or folders of published statistics; empty: the toolkit's own reference values
report_date: str = ""  # date printed in the footer
contact: str = ""  # whom to ask about the page; printed in the footer
printed: list = []  # CSV files of the tables and cards as they are printed
period: str = ""  # period of summaries from DfE's portal: year to date if empty, or the term chosen there
headers: str = ""  # file with your own map of the headers of portal downloads

# %%
import attendance_toolkit as at

inputs = at.open_printed(
    area=area,
    academic_year=academic_year,
    audience=audience,
    published=published,
    printed=printed,
    report_date=report_date,
    contact=contact,
    period=period,
    headers=headers,
)
page = at.PrintedTables(inputs)
page.head()

# %% [markdown]
# ## What was checked

# %%
page.tiles()

# %% tags=["keep_output", "nbval-check-output"]
page.notice()

# %% [markdown]
# ## The tables as printed

# %%
page.tables()

# %% [markdown]
# ## Findings

# %% tags=["keep_output", "nbval-check-output"]
page.findings()

# %% [markdown]
# ## The cards as printed and recomputed

# %%
page.cards_table()

# %% [markdown]
# ## Which published figures the columns hold

# %%
page.series_table()

# %%
page.results()
