# What the folder of a paper is made from.


def paper_files(wildcards):
    """Every file that the paper reads, by what it is."""
    shown, root = report_files(wildcards), RESULTS.root
    curves = table_curves(wildcards)
    return {
        "manifest": RESULTS.manifest,
        "dice": f"{root}/dice.csv",
        "classes": f"{root}/classes.txt",
        "models": shown["models"],
        "tuned": shown["tuned"],
        "readers": readers_file(config),
        "left_out": [f"{root}/left_out.csv", *left_out_file(config)],
        "sizes": dice_compared(wildcards),
        **{f"curves_{method}": paths for method, paths in curves.items()},
        "presences": [file for _, file in table_presences(wildcards)],
        **_paper_figures(wildcards),
    }


def paper_figures_shown(wildcards):
    return list(_paper_figures(wildcards))


def _paper_figures(wildcards):
    """{key: [file]} of the report's figures."""
    shown = report_files(wildcards)
    places = zip(("best", "median", "worst"), shown["qualitative"])
    figures = {f"qualitative_{place}": [file] for place, file in places}
    for key in ("ranks", "ablation", "reliability", "training"):
        if shown.get(key):
            figures[key] = shown[key]
    return figures


def paper_sizes(wildcards):
    return [[subset.n, subset.draw] for subset in subsets_compared(wildcards)]


def paper_evaluation(wildcards):
    """What the tables of the run were made with."""
    return {
        "methods": config["table"]["methods"],
        "notes": method_notes(config, judged_split(manifest())),
        "paper": config["table"]["paper"],
        "primary": primary_of(config, config["table"]["methods"]),
        "margin": config["evaluation"]["margin"],
        "ablation_methods": config["ablation"]["methods"],
        "drawn_methods": list(
            dict.fromkeys([*config["methods"], *config["ablation"]["methods"]])
        ),
        "images_are_drawn": STUDY["images_are_drawn"],
    }
