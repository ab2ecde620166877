"""Train a digit classifier five times and keep the best one."""

from argparse import ArgumentParser
from pathlib import Path

import joblib
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from pylightnix import Build, Dep, match, promise, realize, stage


@stage
def digits(held_out: float = 0.5, table: Path = promise("digits.npz")) -> None:
    """1,797 handwritten digits, split once for everything that follows."""
    images, labels = load_digits(return_X_y=True)
    names = ("train_images", "test_images", "train_labels", "test_labels")
    parts = train_test_split(images, labels, test_size=held_out, random_state=0)
    np.savez(table, **dict(zip(names, parts, strict=True)))


@stage(matcher=match.best("accuracy", of=5))
def model(
    build: Build, data: Dep = digits(), depth: int = 8, weights: Path = promise("model.joblib")
) -> dict[str, float]:
    """A random forest; `build.seed` is another one in each of the five runs."""
    table = np.load(data.table)  # a promise of the input: a Path that exists
    forest = RandomForestClassifier(n_estimators=30, max_depth=depth, random_state=build.seed % 2**32)
    forest.fit(table["train_images"], table["train_labels"])
    joblib.dump(forest, weights)  # our own promise: a Path to fill
    return {"accuracy": float(forest.score(table["test_images"], table["test_labels"]))}


@stage
def report(best: Dep = model(), data: Dep = digits(), plot: Path = promise("confusion.png")) -> None:
    """What the best forest takes for what."""
    table = np.load(data.table)
    guesses = joblib.load(best.weights).predict(table["test_images"])
    figure = Figure(figsize=(6, 6), layout="tight")
    axes = figure.add_subplot()
    axes.set_title(f"accuracy {best.value['accuracy']:.3f}, depth {best.depth}")
    ConfusionMatrixDisplay.from_predictions(table["test_labels"], guesses, ax=axes, colorbar=False)
    figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=int, default=8, help="of the trees (default 8)")
    done = realize(report(best=model(depth=parser.parse_args().depth)))
    print(f"accuracy {done.deps.best.value['accuracy']:.3f}: {done.plot}")
