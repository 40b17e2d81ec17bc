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
page = at.Overview(inputs)
page.head()

# %% [markdown]
# ## Headline figures

# %% tags=["keep_output", "nbval-check-output"]
page.tiles()

# %% tags=["keep_output", "nbval-check-output"]
page.findings("overall")

# %% tags=["keep_output", "nbval-check-output"]
page.findings("persistent")

# %% tags=["keep_output", "nbval-check-output"]
page.findings("severe")

# %%
page.missing_notice()

# %% [markdown]
# ## Trend by school type

# %%
page.trend("overall_absence_rate")

# %%
page.trend("persistent_absence_rate")

# %%
page.trend("severe_absence_rate")

# %% [markdown]
# ## School types compared with England

# %%
page.phase_table()

# %%
page.gap_table()

# %% [markdown]
# ## Terms

# %%
page.term_table()

# %% [markdown]
# ## Pupil groups

# %%
page.group_sentences()

# %%
page.group_table()

# %% [markdown]
# ## Year groups

# %%
page.year_group_figure()

# %%
page.year_group_table()

# %% [markdown]
# ## How much pupils missed, and why

# %%
page.band_table()

# %%
page.reason_table()

# %% [markdown]
# ## Lost learning

# %%
page.lost_learning_table()

# %% [markdown]
# ## What is not known

# %%
page.unknown_table()

# %%
page.results()
