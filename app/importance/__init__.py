"""Which hyper-parameters of a search matter: functional ANOVA over its configurations, in a process of its own."""
