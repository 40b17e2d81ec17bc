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
page = at.SevereAbsence(inputs)
page.head()

# %% [markdown]
# ## Who is severely absent

# %% tags=["keep_output", "nbval-check-output"]
page.tiles()

# %% tags=["keep_output", "nbval-check-output"]
page.profile_sentences()

# %%
page.missing_notice()

# %%
page.profile_figure()

# %%
page.profile_table()

# %% [markdown]
# ## School types and year groups

# %%
page.profile_table("Primary")

# %%
page.profile_table("Secondary")

# %%
page.profile_table("Special")

# %%
page.profile_table("Primary and secondary")

# %% [markdown]
# ## Terms

# %%
page.term_table()

# %% [markdown]
# ## How severe absentees miss school, and why

# %%
page.kinds_table()

# %%
page.reason_table()

# %% [markdown]
# ## Time on roll

# %%
page.roll_sentences()

# %%
page.roll_table()

# %% [markdown]
# ## Characteristics crossed, pair by pair

# %%
page.crossings_notice()

# %%
page.pair_heat("fsm_eligible", "sen_provision")

# %%
page.pair_heat("sex", "nc_year_band")

# %%
page.pair_heat("fsm_eligible", "nc_year_band")

# %%
page.pair_heat("sen_provision", "nc_year_band")

# %%
page.pair_heat("ethnicity_major", "fsm_eligible")

# %%
page.pair_heat("first_language", "fsm_eligible")

# %%
page.pair_heat("social_worker", "fsm_eligible")

# %% [markdown]
# ## Deeper crossings

# %%
page.upset_figure()

# %%
page.triple_table("sex", "fsm_eligible", "sen_provision")

# %%
page.triple_table("sex", "fsm_eligible", "nc_year_band")

# %%
page.triple_table("sex", "sen_provision", "nc_year_band")

# %%
page.triple_table("fsm_eligible", "sen_provision", "nc_year_band")

# %%
page.triple_table("sex", "ethnicity_major", "fsm_eligible")

# %% [markdown]
# ## At risk, or many

# %%
page.risk_sentences()

# %%
page.risk_and_numbers()

# %% [markdown]
# ## How much lies between groups

# %% tags=["keep_output", "nbval-check-output"]
page.maihda_sentences()

# %%
page.maihda_summary()

# %%
page.stratum_figure()

# %%
page.interaction_table()

# %% [markdown]
# ## All groups

# %%
page.stratum_sentences()

# %%
page.stratum_table()

# %% [markdown]
# ## More than their sum

# %%
page.additive_sentences()

# %%
page.additive_table()

# %% [markdown]
# ## Whether the pattern is the same everywhere

# %%
page.pattern_district_sentences()

# %%
page.pattern_districts()

# %%
page.pattern_phase_sentences()

# %%
page.pattern_phases_years()

# %% [markdown]
# ## Girls and boys by year group

# %%
page.girls_boys_sentences()

# %%
page.girls_boys_figure()

# %%
page.girls_boys_table()

# %% [markdown]
# ## Findings from Greater Manchester, tested here

# %%
page.finding_sentences()

# %%
page.finding_table()

# %%
page.results()
