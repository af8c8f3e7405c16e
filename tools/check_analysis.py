#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Maintainers' check: what `genair analyze` wrote, against scikit-learn and NumPy.

usage: check_analysis.py WORKSPACE [RUN...]    (needs numpy, scipy, scikit-learn, safetensors)

t-SNE: the divergence of our map by scikit-learn's affinities, and that of scikit-learn's own map of the same vectors,
both over all pairs. Plane and entropy of each run: recomputed from its item vectors.
"""
import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, _t_sne
from sklearn.neighbors import NearestNeighbors

failures = 0


def check(what, found, limit):
    global failures
    failures += not found <= limit
    print(f"{'ok' if found <= limit else 'FAILED'}: {what}: {found:.3g}, at most {limit:g}")


def affinities(x, perplexity):
    k = min(len(x) - 1, int(3 * perplexity + 1))
    graph = NearestNeighbors(n_neighbors=k).fit(x).kneighbors_graph(mode="distance")
    graph.data **= 2
    return _t_sne._joint_probabilities_nn(graph, perplexity, 0).tocoo()


def divergence(p, y):
    z = 2 * np.sum(1 / (1 + pdist(y, "sqeuclidean")))
    q = 1 / (1 + np.sum((y[p.row] - y[p.col]) ** 2, axis=1)) / z
    return float(np.sum(p.data * np.log(np.maximum(p.data, 1e-300) / q)))


def check_tsne(ws):
    numbers = json.loads((ws / "analysis/tsne.json").read_text())
    ids = [json.loads(line)["item_id"] for line in (ws / "items.jsonl").read_text().splitlines()]
    place = {item: row for row, item in enumerate(ids)}
    rows = [place[item] for item in numbers["shown"]]
    for m in numbers["maps"]:
        x = np.concatenate([np.load(ws / f"{part}.npy")[rows].astype("f8") for part in m["coordinates"]])
        y = np.concatenate([np.array(places) for places in m["coordinates"].values()])
        p = affinities(x, m["perplexity"])
        ours = divergence(p, y)
        theirs = TSNE(init="pca", perplexity=m["perplexity"], random_state=0, n_jobs=2).fit(x)
        print(f"{len(x)} points: stated {m['kl_divergence']:.4f}, by scikit-learn's affinities {ours:.4f}, "
              f"scikit-learn's map {divergence(p, theirs.embedding_.astype('f8')):.4f}")
        # of equal vectors each program picks other neighbours, so there the affinities are not the same
        distinct = len(np.unique(x, axis=0))
        check(f"stated divergence, relative error ({distinct} distinct vectors)", abs(m["kl_divergence"] / ours - 1),
              0.01 if distinct > 0.95 * len(x) else np.inf)
        check("divergence over scikit-learn's", ours / divergence(p, theirs.embedding_.astype("f8")), 1.1)


def item_vectors(ws, run):
    tensors = load_file(ws / "runs" / run / "model.safetensors")
    if "item_vectors" in tensors:
        return tensors["item_vectors"].astype("f8")
    table = next(t for name, t in tensors.items() if "item" in name)
    return table[1:].astype("f8")


def check_run(ws, run):
    numbers = json.loads((ws / f"analysis/run-{run}.json").read_text())
    ids = [json.loads(line)["item_id"] for line in (ws / "items.jsonl").read_text().splitlines()]
    place = {item: row for row, item in enumerate(ids)}
    z = item_vectors(ws, run)[:len(ids)]
    pca = PCA(2, svd_solver="full").fit(z)
    check(f"{run}: shares of the variance", np.max(np.abs(pca.explained_variance_ratio_ - numbers["explained_variance"])), 1e-6)
    plane = pca.transform(z)
    for group, label in (("head", "most popular fifth"), ("tail", "least popular fifth")):
        rows = [place[item] for item in numbers["coordinates"][group]["items"]]
        found = np.array(numbers["coordinates"][group]["plane"])
        sign = np.sign(np.sum(plane[rows] * found, axis=0))
        check(f"{run}: plane of the {group}", np.max(np.abs(plane[rows] * sign - found)), 1e-5)
        values = np.linalg.svd(z[rows], compute_uv=False) ** 2
        p = values[values > 0] / values.sum()
        check(f"{run}: entropy of the {group}", abs(-np.sum(p * np.log(p)) - numbers["entropy"][label]["entropy"]), 1e-6)


workspace = Path(sys.argv[1])
for name in sys.argv[2:]:
    check_run(workspace, name)
check_tsne(workspace)
sys.exit(failures > 0)
