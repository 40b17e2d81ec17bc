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
page = at.Transition(inputs)
page.head()

# %% [markdown]
# ## Headline figures

# %% tags=["keep_output", "nbval-check-output"]
page.tiles()

# %%
page.published_notice()

# %%
page.pupils_notice()

# %% [markdown]
# ## From year group to year group, published

# %% tags=["keep_output", "nbval-check-output"]
page.published_sentences()

# %%
page.published_figure("persistent_absence_rate")

# %%
page.published_figure("severe_absence_rate")

# %%
page.published_table()

# %% [markdown]
# ## How well the next year group can be told from published figures

# %% tags=["keep_output", "nbval-check-output"]
page.published_test_sentences()

# %%
page.published_test_table()

# %%
page.published_test_groups()

# %%
page.published_error_table()

# %% [markdown]
# ## What published figures lead to expect next

# %% tags=["keep_output", "nbval-check-output"]
page.published_outlook_sentences()

# %%
page.published_outlook_table()

# %% [markdown]
# ## Who can be followed

# %%
page.link_notice()

# %% tags=["keep_output", "nbval-check-output"]
page.link_sentences()

# %%
page.link_table()

# %%
page.district_sentences()

# %%
page.district_table()

# %%
page.largest_flows_table()

# %%
page.joined_sentences()

# %%
page.joined_table()

# %% [markdown]
# ## What happened to the same pupils

# %% tags=["keep_output", "nbval-check-output"]
page.change_sentences()

# %%
page.change_table()

# %%
page.period_figure()

# %% tags=["keep_output", "nbval-check-output"]
page.group_sentences()

# %%
page.group_figure()

# %%
page.group_table()

# %%
page.district_change_figure()

# %%
page.district_change_table()

# %% [markdown]
# ## Schools: what happened

# %%
page.school_notice()

# %%
page.school_figure()

# %%
page.school_table()

# %% [markdown]
# ## Why a table by year group tells something else

# %% tags=["keep_output", "nbval-check-output"]
page.cross_sentences()

# %%
page.cross_table()

# %%
page.mover_table()

# %% [markdown]
# ## What to expect in September

# %%
page.forecast_notice()

# %%
page.destination_known_sentences()

# %%
page.destination_table()

# %%
page.destination_sentences()

# %% tags=["keep_output", "nbval-check-output"]
page.forecast_sentences()

# %%
page.forecast_figure()

# %%
page.forecast_table()

# %%
page.dip_figure()

# %%
page.dip_table()

# %%
page.tracked_sentences()

# %% [markdown]
# ## How well the forecast did when it was tested

# %% tags=["keep_output", "nbval-check-output"]
page.verdict_sentences()

# %%
page.error_table()

# %%
page.score_table()

# %%
page.calibration_figure()

# %%
page.coverage_sentences()

# %%
page.fairness_sentences()

# %%
page.fairness_table()

# %%
page.cost_sentences()

# %% [markdown]
# ## What the model is and is not

# %%
page.model_card()

# %%
page.effect_table()

# %% [markdown]
# ## Pupils given support

# %%
page.list_sentences()

# %% tags=["keep_output", "nbval-check-output"]
page.support_sentences()

# %%
page.support_figure()

# %%
page.support_table()

# %% [markdown]
# ## School days

# %% tags=["keep_output", "nbval-check-output"]
page.days_sentences()

# %%
page.days_table()

# %%
page.days_figure()

# %%
page.school_days_table()

# %%
page.definition_table()

# %%
page.claim_sentences()

# %% [markdown]
# ## The second transition: through the first year of secondary school

# %% tags=["keep_output", "nbval-check-output"]
page.change_sentences("7")

# %%
page.change_table("7")

# %%
page.group_figure(from_year="7")

# %%
page.group_table(from_year="7")

# %%
page.forecast_sentences("7")

# %%
page.verdict_sentences("7")

# %%
page.results()
