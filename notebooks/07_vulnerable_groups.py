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
page = at.VulnerableGroups(inputs)
page.head()

# %% [markdown]
# ## Children who are looked after

# %% tags=["keep_output", "nbval-check-output"]
page.tiles()

# %%
page.published_notice()

# %%
page.published_sentences()

# %%
page.published_figure_of_years()

# %%
page.published_table_of_groups()

# %%
page.looked_after_table()

# %% tags=["keep_output", "nbval-check-output"]
page.looked_after_sentences()

# %%
page.year_group_table()

# %% [markdown]
# ## Vulnerable groups beside all pupils

# %%
page.groups_table()

# %%
page.missing_groups()

# %%
page.groups_figure()

# %% tags=["keep_output", "nbval-check-output"]
page.groups_sentences()

# %%
page.change_table()

# %%
page.change_sentences()

# %%
page.phase_groups_table()

# %% [markdown]
# ## Beside England

# %% tags=["keep_output", "nbval-check-output"]
page.england_sentences()

# %%
page.england_table()

# %%
page.england_missing()

# %% [markdown]
# ## Needs that come together

# %%
page.together_table()

# %%
page.together_sentences()

# %% [markdown]
# ## Waves of support

# %%
page.waves_table()

# %% tags=["keep_output", "nbval-check-output"]
page.waves_sentences()

# %%
page.wave_terms_table()

# %%
page.wave_changes_table()

# %%
page.wave_actions_table()

# %% [markdown]
# ## Where looked-after children go to school

# %%
page.placements_table()

# %% tags=["keep_output", "nbval-check-output"]
page.placements_sentences()

# %% [markdown]
# ## Pupils with no attendance

# %% tags=["keep_output", "nbval-check-output"]
page.zero_sentences()

# %%
page.zero_table()

# %%
page.zero_phase_table()

# %%
page.zero_kinds_table()

# %% [markdown]
# ## Support: before and after

# %% tags=["keep_output", "nbval-check-output"]
page.support_sentences()

# %%
page.support_figure()

# %%
page.support_table()

# %%
page.results()
