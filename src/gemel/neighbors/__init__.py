"""Who is near: search over arrays of embeddings. Knows no items.

exact.py       the nearest rows, from scratch: the measure of every other search
flat.py        exact search over rows that are kept; scores.py, candidates.py, cityblock.py, workers.py: how
hnsw.py        approximate search through a graph; stored.py: its file; recall.py: how much it finds
staged.py      a quick distance proposes, a better one decides
close.py       all pairs within a distance
"""
