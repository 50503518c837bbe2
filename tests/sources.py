"""Source of clips that lists the requested clips."""

import time

import numpy as np


class Source:
    """Sequence of the items 0, 1, 2, ... that lists the requested indices."""

    def __init__(self, n_items, delays=(0.0,)):
        self.n_items, self.delays = n_items, delays
        self.asked = []

    def __len__(self):
        return self.n_items

    def __getitem__(self, index):
        self.asked.append(index)
        time.sleep(self.delays[index % len(self.delays)])
        return np.full(3, index, dtype=np.float32)


def double(item):
    return 2 * item
