# Fit null and main-effects models of the strata in a CSV file with lme4 and print seconds, variances and more as JSON.
#     Rscript maihda_lme4.R strata.csv nAGQ
suppressPackageStartupMessages(library(lme4))
arguments <- commandArgs(trailingOnly = TRUE)
strata <- read.csv(arguments[1], stringsAsFactors = TRUE)
points <- as.integer(arguments[2])
strata$stratum <- factor(seq_len(nrow(strata)))
names <- setdiff(colnames(strata), c("events", "trials", "stratum"))
fit <- function(terms) {
  formula <- as.formula(paste("cbind(events, trials - events) ~", terms, "+ (1 | stratum)"))
  model <- glmer(formula, data = strata, family = binomial, nAGQ = points)
  list(variance = as.numeric(VarCorr(model)$stratum), intercept_se = sqrt(diag(as.matrix(vcov(model))))[[1]])
}
seconds <- c(
  system.time(null <- fit("1"))[["elapsed"]],
  system.time(main <- fit(paste(names, collapse = " + ")))[["elapsed"]]
)
cat(sprintf(
  '{"seconds": [%.4f, %.4f], "variances": [%.10f, %.10f], "intercept_se": [%.8f, %.8f], "version": "%s"}\n',
  seconds[1], seconds[2], null$variance, main$variance, null$intercept_se, main$intercept_se, packageVersion("lme4")
))
