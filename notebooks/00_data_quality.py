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
area: str = "Irwell Bank"  # name or code of a local authority, combined authority, region or England
academic_year: str = "2023/24"  # both years, for example 2023/24
audience: str = "partner"  # partner (small numbers hidden) or internal
store: str = ""  # folder made by "attendance load"; empty with no published files: synthetic data
published: list = []  # files or folders of published statistics
release: str = ""  # cleared figures, given by "attendance report"; empty: the page clears its own
report_date: str = ""  # date printed in the footer
contact: str = ""  # whom to ask, printed in the footer

# %%
import attendance_toolkit as at

inputs = at.open_inputs(
    area=area,
    academic_year=academic_year,
    audience=audience,
    store=store,
    published=published,
    release=release,
    report_date=report_date,
    contact=contact,
)
page = at.DataQuality(inputs)
page.head()

# %% [markdown]
# ## What can be reported and what cannot

# %%
page.tiles()

# %% tags=["keep_output", "nbval-check-output"]
page.verdict()

# %%
page.verdict_by_term()

# %%
page.verdict_by_phase()

# %%
page.verdict_by_year()

# %% [markdown]
# ## Schools and pupils received

# %%
page.coverage_table()

# %%
page.unmatched_table()

# %% [markdown]
# ## Do the figures look right?

# %%
page.comparison_table()

# %%
page.unknown_figure()

# %% [markdown]
# ## What screening found

# %%
page.findings_table()

# %%
page.findings_in_full()

# %% [markdown]
# ## What was read and what was set aside

# %%
page.set_aside_table()

# %%
page.files_table()

# %%
page.results()
