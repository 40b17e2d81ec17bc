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
rules: list = []  # files of the authority's own rule schemes
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
    rules=rules,
    release=release,
    report_date=report_date,
    contact=contact,
)
page = at.Schools(inputs)
page.head()

# %% [markdown]
# ## How schools are rated

# %% tags=["keep_output", "nbval-check-output"]
page.tiles()

# %%
page.rating_notice()

# %%
page.pupils_notice()

# %% tags=["keep_output", "nbval-check-output"]
page.rating_sentences()

# %%
page.colour_table()

# %% [markdown]
# ## Primary schools

# %%
page.rating_figure("Primary")

# %%
page.rating_table("Primary")

# %% [markdown]
# ## Secondary schools

# %%
page.rating_figure("Secondary")

# %%
page.rating_table("Secondary")

# %% [markdown]
# ## Special schools

# %%
page.rating_figure("Special")

# %%
page.rating_table("Special")

# %% [markdown]
# ## What follows from a colour

# %%
page.action_table()

# %% [markdown]
# ## What has changed since last year

# %% tags=["keep_output", "nbval-check-output"]
page.trend_sentences()

# %%
page.trend_table("Primary")

# %%
page.trend_table("Secondary")

# %%
page.trend_table("Special")

# %% [markdown]
# ## Beside schools that teach similar pupils

# %%
page.similar_notice()

# %% tags=["keep_output", "nbval-check-output"]
page.similar_sentences()

# %%
page.similar_table("Primary")

# %%
page.similar_table("Secondary")

# %%
page.similar_table("Special")

# %% [markdown]
# ## Year groups within schools

# %%
page.year_group_sentences()

# %%
page.year_group_table()

# %%
page.school_year_groups_table("Primary")

# %%
page.school_year_groups_table("Secondary")

# %%
page.school_year_groups_table("Special")

# %% [markdown]
# ## Reasons for absence

# %% tags=["keep_output", "nbval-check-output"]
page.reason_sentences()

# %%
page.reason_table("Primary")

# %%
page.reason_table("Secondary")

# %%
page.reason_table("Special")

# %% [markdown]
# ## Days of the week and spells of absence

# %%
page.days_notice()

# %% tags=["keep_output", "nbval-check-output"]
page.days_sentences()

# %%
page.weekday_figure()

# %%
page.weekday_table()

# %%
page.spell_table()

# %%
page.week_table()

# %% [markdown]
# ## Meetings: what changed after them

# %% tags=["keep_output", "nbval-check-output"]
page.meetings_sentences()

# %%
page.meetings_figure()

# %%
page.meetings_table()

# %%
page.results()
