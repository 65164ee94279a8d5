# What a run prints. Included first, so that every later message is printed in this form.
import sys
from pathlib import Path

from snakemake.logging import logger

sys.path.insert(0, str(HERE / "scripts"))

from samcarry.pipeline.terminal import DEFAULT_HANDLER, PlainFaults, Terminal


def use_terminal():
    """Print lines for people instead of Snakemake's own output, unless an option asks for that."""
    settings = workflow.output_settings
    own = [handler for handler in logger.handlers if handler.name == DEFAULT_HANDLER]
    if settings.verbose or settings.debug_dag or settings.printshellcmds:
        return
    if settings.dryrun:
        for handler in own:
            handler.addFilter(PlainFaults())
        return
    for handler in own:
        terminal = Terminal(
            lambda rule: Path(workflow.get_rule(rule).snakefile).stem,
            lambda: {job.jobid: job.rule.name for job in workflow.dag.needrun_jobs()},
            lambda rule: relative_length(rule),  # defined later, in setup.smk
        )
        terminal.filters = handler.filters  # they apply --quiet
        logger.removeHandler(handler)
        logger.addHandler(terminal)


if workflow.is_main_process:
    use_terminal()
