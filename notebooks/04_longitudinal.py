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
page = at.Longitudinal(inputs)
page.head()

# %% [markdown]
# ## Headline figures

# %% tags=["keep_output", "nbval-check-output"]
page.tiles()

# %%
page.missing_notice()

# %%
page.definitions_notice()

# %% [markdown]
# ## Years

# %% tags=["keep_output", "nbval-check-output"]
page.year_sentences()

# %%
page.year_figure("severe_absence_rate")

# %%
page.year_figure("persistent_absence_rate")

# %%
page.year_figure("overall_absence_rate")

# %%
page.year_change_table()

# %% [markdown]
# ## Districts

# %%
page.district_sentences()

# %%
page.district_table()

# %%
page.district_mix_sentences()

# %%
page.district_mix_table()

# %% [markdown]
# ## Terms and season

# %% tags=["keep_output", "nbval-check-output"]
page.same_term_sentences()

# %%
page.term_figure("persistent_absence_rate")

# %%
page.term_figure("severe_absence_rate")

# %%
page.same_term_table()

# %% tags=["keep_output", "nbval-check-output"]
page.trend_sentences()

# %%
page.trend_table()

# %%
page.group_trend_sentences()

# %%
page.group_trend_table()

# %% [markdown]
# ## Beyond ordinary variation

# %% tags=["keep_output", "nbval-check-output"]
page.control_sentences()

# %%
page.control_figure("All schools")

# %%
page.control_figure("Primary")

# %%
page.control_figure("Secondary")

# %% [markdown]
# ## Why the rate changed

# %% tags=["keep_output", "nbval-check-output"]
page.turnover_sentences()

# %%
page.turnover_table()

# %% tags=["keep_output", "nbval-check-output"]
page.mix_change_sentences()

# %%
page.mix_change_figure("persistent_absence_rate")

# %%
page.mix_change_figure("severe_absence_rate")

# %%
page.mix_change_table()

# %%
page.mix_change_areas_table()

# %% tags=["keep_output", "nbval-check-output"]
page.paradox_sentences()

# %% [markdown]
# ## What each part adds

# %% tags=["keep_output", "nbval-check-output"]
page.contribution_sentences()

# %%
page.contribution_table("phase")

# %%
page.contribution_table("nc_year")

# %%
page.contribution_table()

# %%
page.contribution_table("district")

# %% [markdown]
# ## The same pupils a year later

# %%
page.flow_notice()

# %% tags=["keep_output", "nbval-check-output"]
page.persistence_sentences()

# %%
page.flow_figure()

# %%
page.flow_table()

# %%
page.roll_table()

# %%
page.persistence_table()

# %%
page.group_persistence_table()

# %% [markdown]
# ## The same pupils from term to term

# %%
page.term_flow_figure()

# %%
page.term_persistence_table()

# %% tags=["keep_output", "nbval-check-output"]
page.recovery_sentences()

# %%
page.recovery_table()

# %%
page.moves_sentences()

# %%
page.moves_table()

# %% [markdown]
# ## Trajectories over three years

# %% tags=["keep_output", "nbval-check-output"]
page.path_sentences()

# %%
page.path_figure()

# %%
page.path_table()

# %%
page.path_by_group_table()

# %% tags=["keep_output", "nbval-check-output"]
page.growth_sentences()

# %%
page.growth_table()

# %% [markdown]
# ## Schools

# %%
page.school_notice()

# %% tags=["keep_output", "nbval-check-output"]
page.school_sentences()

# %%
page.funnel_figure("Primary")

# %%
page.change_funnel_figure("Primary")

# %%
page.school_table("Primary")

# %%
page.funnel_figure("Secondary")

# %%
page.change_funnel_figure("Secondary")

# %%
page.school_table("Secondary")

# %%
page.school_contribution_sentences()

# %%
page.school_contribution_table()

# %%
page.school_path_sentences()

# %%
page.school_path_table("Primary")

# %%
page.school_path_table("Secondary")

# %% [markdown]
# ## From one year group to the next

# %% tags=["keep_output", "nbval-check-output"]
page.cohort_sentences()

# %%
page.cohort_figure("persistent_absence_rate")

# %%
page.cohort_figure("severe_absence_rate")

# %%
page.cohort_table()

# %%
page.results()
