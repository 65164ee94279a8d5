"""The items of CLAIM 2024 and TRIPOD+AI, in short and in our own words; those of the publications count.

Numbers, order and subjects were compared with copies of both published lists.
"""

CLAIM_SOURCE = "Tejani et al., Radiol Artif Intell 6(4):e240300, 2024"
TRIPOD_SOURCE = "Collins et al., BMJ 385:e078378, 2024"

Items = tuple[tuple[str, str, str | None], ...]
"""(number, item in short, key of the answer in `_answers`; None where only the authors can answer)."""

CLAIM: tuple[tuple[str, Items], ...] = (
    (
        "Title and abstract",
        (
            ("1", "identification as a study of AI, with the kind of technology", "kind"),
            ("2", "summary of design, methods, results, conclusions", None),
        ),
    ),
    (
        "Introduction",
        (
            ("3", "background, with the intended use and role of the AI", None),
            ("4", "aims and hypotheses", None),
        ),
    ),
    (
        "Methods: study design",
        (("5", "prospective or retrospective", None), ("6", "goal of the study", None)),
    ),
    (
        "Methods: data",
        (
            ("7", "sources of the data", "source"),
            ("8", "inclusion and exclusion criteria", None),
            ("9", "preprocessing", "preprocessing"),
            ("10", "selection of subsets of the data", "subset"),
            ("11", "de-identification", "names"),
            ("12", "handling of missing data", "missing"),
            ("13", "image acquisition protocol", None),
        ),
    ),
    (
        "Methods: reference standard",
        (
            ("14", "how the reference standard was obtained", "reference"),
            ("15", "why this reference standard", None),
            ("16", "source of the annotations: who made them", None),
            ("17", "annotation of the test set", None),
            ("18", "variability between and within annotators", "readers"),
        ),
    ),
    (
        "Methods: partitions",
        (
            ("19", "how cases were assigned to partitions", "partitions"),
            ("20", "level at which partitions are disjoint", "disjoint"),
        ),
    ),
    ("Methods: testing data", (("21", "intended sample size of the testing data", "size"),)),
    (
        "Methods: model",
        (
            ("22", "the model in detail", "model"),
            ("23", "software and versions", "software"),
            ("24", "initial parameters", "start"),
        ),
    ),
    (
        "Methods: training",
        (
            ("25", "training in detail", "training"),
            ("26", "selection of the final model", "selection"),
            ("27", "ensembling", "ensembles"),
        ),
    ),
    (
        "Methods: evaluation",
        (
            ("28", "measures of performance", "metrics"),
            ("29", "significance and uncertainty", "uncertainty"),
            ("30", "robustness or sensitivity", "robustness"),
            ("31", "explainability", None),
            ("32", "evaluation on internal data", "internal"),
            ("33", "testing on external data", None),
            ("34", "registration of a clinical trial", None),
        ),
    ),
    (
        "Results: data",
        (
            ("35", "patients or examinations included and excluded", "flow"),
            ("36", "characteristics of the cases in each partition", None),
        ),
    ),
    (
        "Results: performance",
        (
            ("37", "performance with uncertainty", "performance"),
            ("38", "estimates of diagnostic performance, with precision", "diagnostic"),
            ("39", "analysis of incorrect results", "failures"),
        ),
    ),
    (
        "Discussion",
        (
            ("40", "limits of the study", "limits"),
            ("41", "implications for practice, with intended use or clinical role", None),
        ),
    ),
    (
        "Other information",
        (
            ("42", "study protocol or further technical details", "details"),
            ("43", "availability of software, model and data", "availability"),
            ("44", "funding and other support, and role of the funders", None),
        ),
    ),
)

TRIPOD: tuple[tuple[str, Items], ...] = (
    (
        "Title and abstract",
        (
            ("1", "development or evaluation, population and outcome named", None),
            ("2", "abstract as in TRIPOD+AI for Abstracts", None),
        ),
    ),
    (
        "Introduction",
        (
            ("3a", "healthcare context and rationale", None),
            ("3b", "target population, purpose in the care pathway, and users", None),
            ("3c", "known health inequalities between sociodemographic groups", None),
            ("4", "objectives: development, evaluation or both", "objectives"),
        ),
    ),
    (
        "Methods",
        (
            ("5a", "sources of data for development and evaluation", "source"),
            ("5b", "dates of the data, and end of follow-up", None),
            ("6a", "setting, number and place of centres", None),
            ("6b", "eligibility", None),
            ("6c", "treatments, if relevant", None),
            ("7", "preparation and quality checks of the data, also across groups", "quality"),
            ("8a", "outcome: definition, time horizon and assessment", "outcome"),
            ("8b", "assessors' qualifications, if assessment is subjective", None),
            ("8c", "blinding of the assessment", None),
            ("9a", "choice of initial predictors", "predictors"),
            ("9b", "definition and measurement of predictors", "predictors"),
            ("9c", "assessors of predictors, if assessment is subjective", "not_subjective"),
            ("10", "sample size, for development and evaluation", "sizes"),
            ("11", "missing data, and reasons for omitting data", "missing"),
            ("12a", "use and partition of the data", "partitions"),
            ("12b", "handling of predictors: scaling, transformation", "predictor_scale"),
            ("12c", "type of model, building, tuning, internal validation", "building"),
            ("12d", "heterogeneity between clusters: how it was measured", "clusters"),
            ("12e", "measures and plots of performance", "metrics"),
            ("12f", "updating of the model", "updating"),
            ("12g", "how predictions were calculated for evaluation", "predictions"),
            ("13", "handling of class imbalance", "imbalance"),
            ("14", "approaches to fairness", None),
            ("15", "output of the model, and its threshold", "output"),
            ("16", "differences between development and evaluation data", "internal"),
            ("17", "ethical approval and consent", None),
        ),
    ),
    (
        "Open science",
        (
            ("18a", "funding", None),
            ("18b", "conflicts of interest", None),
            ("18c", "protocol", None),
            ("18d", "registration", None),
            ("18e", "availability of the data", None),
            ("18f", "availability of the analytical code", "code"),
        ),
    ),
    ("Patient and public involvement", (("19", "involvement, or none", None),)),
    (
        "Results",
        (
            ("20a", "flow of participants, with and without the outcome", "flow_outcome"),
            ("20b", "characteristics, by data source", None),
            ("20c", "comparison of development and evaluation data", None),
            ("21", "participants and outcomes in each analysis", "analyses"),
            ("22", "the full model, how to get it, and restrictions", "specification"),
            ("23a", "performance with intervals, also of subgroups", "performance"),
            ("23b", "heterogeneity of performance between clusters", "clusters"),
            ("24", "results of updating", "updating"),
        ),
    ),
    (
        "Discussion",
        (
            ("25", "interpretation, fairness included", None),
            ("26", "limitations", "limits"),
            ("27a", "poor or missing input in use", None),
            ("27b", "interaction and expertise that use needs", None),
            ("27c", "next steps", None),
        ),
    ),
)
