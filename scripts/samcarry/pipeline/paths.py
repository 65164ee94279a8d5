"""Where results are: the paths that rules write and input functions and the report name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from samcarry.methods import method_of

FULL = "full"
"""The folder of full supervision, beside the folders n<n> of the subsets X^n."""


SIZES = r"\d+(?:-draw\d+)?"
"""Sizes of X^n as a regular expression, with the draw if it is not the given order: '45', '45-draw2'."""


SUBSETS = rf"n{SIZES}(?:-without\d+of\d+)?|{FULL}"
"""Names of subsets as a regular expression."""


@dataclass(frozen=True)
class Subset:
    """The labelled cases that a network learns from, by the name of their folder.

    Attributes:
        n: size of X^n; 0 = all labels.
        fold: the fold that is left out, 1..folds; 0 = none.
        folds: number of folds.
        draw: which cases X^n consists of: 1 = the first n in the given order, else n random ones.
    """

    n: int
    fold: int = 0
    folds: int = 0
    draw: int = 1

    @property
    def size(self) -> str:
        """'45' or '45-draw2': the name without 'n' and without a fold. It matches `SIZES`."""
        return f"{self.n}-draw{self.draw}" if self.draw > 1 else str(self.n)

    @property
    def name(self) -> str:
        """'n45', 'n45-draw2', 'n45-without1of3' or 'full'."""
        if not self.n:
            return FULL
        return f"n{self.size}-without{self.fold}of{self.folds}" if self.fold else f"n{self.size}"


def subset_named(name: str) -> Subset:
    """The subset whose folder has a name that matches `SUBSETS`."""
    if name == FULL:
        return Subset(0)
    found = re.fullmatch(r"n(\d+)(?:-draw(\d+))?(?:-without(\d+)of(\d+))?", name)
    if not found:
        raise ValueError(f"{name!r} is not the name of a subset")
    n, draw, fold, folds = (int(group or 0) for group in found.groups())
    return Subset(n, fold, folds, draw or 1)


@dataclass(frozen=True)
class Results:
    """The results of one data set, relative to the working directory."""

    dataset: str

    @property
    def root(self) -> str:
        """The folder that holds everything."""
        return f"results/{self.dataset}"

    @property
    def manifest(self) -> str:
        """All cases with split and shard."""
        return f"{self.root}/manifest.csv"

    def prepared(self, kind: str, shards: Iterable[str]) -> list[str]:
        """Stacks of the prepared 'images' or 'masks', one a shard."""
        return [f"{self.root}/prepared/{shard}/{kind}.nii.gz" for shard in shards]

    def embeddings(self, sam: str, shards: Iterable[str]) -> list[str]:
        """Embeddings by a SAM, one file a shard."""
        return [f"{self.root}/embeddings/{sam}/{shard}.safetensors" for shard in shards]

    def run(self, subset: str, seed: int) -> str:
        """The folder of one subset ('n8', or 'full') and seed."""
        return f"{self.root}/{subset}/seed{seed}"

    def per_shard(
        self, subset: str, seed: int, folder: str, shards: Iterable[str], suffix: str = ".nii.gz"
    ) -> list[str]:
        """One file a shard in a folder of a run."""
        return [f"{self.run(subset, seed)}/{folder}/{shard}{suffix}" for shard in shards]

    def predictions(self, method: str, n: int | str, seed: int, shards: Iterable[str]) -> list[str]:
        """A method's masks or probabilities, one stack a shard."""
        return self.per_shard(subset_of(method, n), seed, method_of(method).predictions, shards)

    def dice(self, method: str, n: int | str, seed: int) -> str:
        """Scores of one method, subset and seed."""
        return f"{self.run(subset_of(method, n), seed)}/dice/{method}.csv"

    def record_of_evaluation(self, kind: str, suffix: str, method: str, n: int | str, seed: int) -> str:
        """The log ('logs', '.log') or the time and memory ('benchmarks', '.tsv') of an evaluation."""
        return f"{self.root}/{kind}/{subset_of(method, n)}/seed{seed}/evaluate/{method}{suffix}"

    def tuned(self, n: int | str, refiner: str) -> str:
        """The settings that a tuning study chose."""
        return f"{self.root}/n{n}/tuned/{refiner}.yaml"

    def how_to_trace(self, n: int, seed: int, method: str) -> list[tuple[str, str]]:
        """The steps from a number in Table 1 back to what made it, as (step, path or command)."""
        scores = self.dice(method, n, seed)
        return [
            ("A row of Table 1 is the mean over the cases in", f"{self.root}/dice.csv"),
            (f"The rows of that file with method {method} and seed {seed} come from", scores),
            (
                "The rule 'evaluate' wrote that file; its log is",
                self.record_of_evaluation("logs", ".log", method, n, seed),
            ),
            (
                "Time and memory of that job are in",
                self.record_of_evaluation("benchmarks", ".tsv", method, n, seed),
            ),
            (
                "The scored predictions are here; 'made_by' in their NIfTI header says what made them",
                f"{self.run(subset_of(method, n), seed)}/{method_of(method).predictions}/",
            ),
            ("The cases with their splits and shards are in", self.manifest),
            (
                "To compute the scores again, run",
                f"snakemake {scores} --force --cores 8 (add the --configfile of this run)",
            ),
        ]


def subset_of(method: str, n: int | str) -> str:
    """The subset that a method learns from, as a folder: 'n<n>', or 'full' if it needs all labels.

    Args:
        method: its id.
        n: size of X^n, or a text that matches `SIZES`.
    """
    return FULL if method_of(method).needs_hidden_labels else f"n{n}"
