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
area: str = "Irwell Bank"  # name or code of a local authority, combined authority or region
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
page = at.Districts(inputs)
page.head()

# %% [markdown]
# ## Headline figures

# %% tags=["keep_output", "nbval-check-output"]
page.tiles()

# %%
page.missing_notice()

# %% [markdown]
# ## Districts compared

# %%
page.comparison_notice()

# %%
page.district_figure("severe_absence_rate")

# %%
page.district_figure("persistent_absence_rate")

# %%
page.district_figure("overall_absence_rate")

# %%
page.district_table()

# %% [markdown]
# ## Gaps

# %% tags=["keep_output", "nbval-check-output"]
page.gap_sentences()

# %%
page.gap_table()

# %% [markdown]
# ## Ranks and their uncertainty

# %% tags=["keep_output", "nbval-check-output"]
page.rank_sentences()

# %%
page.rank_table()

# %% [markdown]
# ## Mix and rate

# %% tags=["keep_output", "nbval-check-output"]
page.mix_sentences()

# %%
page.mix_figure("severe_absence_rate")

# %%
page.mix_table("severe_absence_rate")

# %%
page.mix_table("persistent_absence_rate")

# %% [markdown]
# ## Terms

# %%
page.term_sentences()

# %%
page.term_figure("severe_absence_rate")

# %%
page.term_figure("overall_absence_rate")

# %%
page.term_table()

# %% [markdown]
# ## Years

# %%
page.year_sentences()

# %%
page.year_figure("severe_absence_rate")

# %%
page.year_figure("persistent_absence_rate")

# %% [markdown]
# ## Pupils not classified

# %% tags=["keep_output", "nbval-check-output"]
page.unclassified_sentences()

# %%
page.unclassified_table()

# %%
page.results()
