"""Files of embeddings that the programs of RMIS read instead of running a network.

RMIS keeps the results of a model below ``exp/MODEL/rmis/fix/VARIANT``. Its programs look there for embeddings from an
earlier run: ``anomaly_detection/dcase23/min/dcase23/emb.pkl`` and ``fault_diagnosis/pu_vib/emb/pu_vib/all.pt``. Both
hold a dict of file to embedding. ``runner.im.im`` still builds its network and opens the recordings before it reads the
file, so that it needs a configuration of any model. ``runner.cls.eval_cls``, for idmt_engine, reads no file.
"""

import pickle
from pathlib import Path

import numpy as np

from skaudio_ad._atomic import atomic_path


def rmis_file(path, dataset, machine):
    """Return the key of a recording of DCASE Task 2 in RMIS, such as "dev_data/fan/train/section_00_0000.wav".

    Parameters
    ----------
    path : str
        Path of the recording. Its folder is "train", "test", "source_test" or "target_test".
    dataset : {"dev", "eval"}
    machine : str

    Returns
    -------
    str
    """
    path = Path(path)
    return f"{dataset}_data/{machine}/{path.parent.name}/{path.name}"


def write_dcase_embeddings(folder, data, embeddings, year):
    """Write the embeddings of one year of DCASE Task 2.

    Parameters
    ----------
    folder : path-like
        Folder in place of ``exp/MODEL/rmis/fix/VARIANT``.
    data : AudioDataset
        From ``load_dcase_task2``.
    embeddings : ndarray of shape (n_clips, n_features)
    year : int

    Returns
    -------
    Path
        File that was written.
    """
    columns = (data.paths, data.metadata["dataset"], data.metadata["machine"])
    files = [rmis_file(*row) for row in zip(*columns)]
    name = f"dcase{year % 100}"
    path = Path(folder) / "anomaly_detection" / name / "min" / name / "emb.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        pickle.dump(_table(files, embeddings), file)
    return path


def write_fault_embeddings(folder, name, files, embeddings):
    """Write the embeddings of one set of fault diagnosis.

    Parameters
    ----------
    folder : path-like
        Folder in place of ``exp/MODEL/rmis/fix/VARIANT``.
    name : str
        Name of the set, such as "pu_vib".
    files : sequence of str
        Column `file` of RMIS's ``all.csv``. RMIS relies on the order of its rows.
    embeddings : ndarray of shape (n_clips, n_features)

    Returns
    -------
    Path
        File that was written.
    """
    import torch

    path = Path(folder) / "fault_diagnosis" / name / "emb" / name / "all.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        torch.save(_table(files, embeddings), temporary)
    return path


def _table(files, embeddings):
    """Return the embeddings by file, in order."""
    files = [str(file) for file in files]
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise ValueError(f"{twice!r} is there twice: RMIS tells recordings apart by this name.")
    return dict(zip(files, np.asarray(embeddings, dtype=np.float32), strict=True))
