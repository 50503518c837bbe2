"""Write the weights of ``mini`` that are part of the package, and their sha256 into the registry.

Run: ``python -m benchmarks.pretraining.export CHECKPOINT``. CHECKPOINT is a file of ``torch.save``: the state dict of
``MobileNet(0.4).features``, that of a whole :class:`MobileNet`, or a checkpoint of the training that holds one of them
under the key "student".
"""

import argparse
import hashlib
import re
from pathlib import Path

import torch
from safetensors.torch import save

from skaudio_ad._atomic import atomic_path
from skaudio_ad.embeddings.families import _mobilenet
from skaudio_ad.networks import MobileNet

WEIGHTS = Path(_mobilenet._PACKAGED) / "mini.safetensors"
REGISTRY = Path(_mobilenet.__file__)


def write_packaged_weights(features_state_dict, path):
    """Write the layers of a network as float16, in a fixed order: equal weights give equal bytes.

    Parameters
    ----------
    features_state_dict : dict of str to torch.Tensor
        State dict of ``MobileNet(0.4).features``, or of a MobileNet. A classifier is left out.
    path : pathlib.Path

    Returns
    -------
    str
        SHA-256 of the file.
    """
    tensors = {f"features.{name.removeprefix('features.')}": v for name, v in features_state_dict.items()}
    tensors = {name: v for name, v in sorted(tensors.items()) if not name.startswith("features.classifier.")}
    for name, values in tensors.items():
        tensors[name] = (values.half() if values.is_floating_point() else values).detach().cpu().contiguous()
        if not torch.isfinite(tensors[name]).all():
            raise ValueError(f"{name} must hold numbers below 65504, and holds NaN or infinity as float16.")
    MobileNet(0.4, n_classes=0).load_state_dict(tensors, strict=True)
    content = save(tensors)
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def main():
    """Write the weights of a checkpoint and their sha256 into the package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    checkpoint = torch.load(parser.parse_args().checkpoint, map_location="cpu", weights_only=True)
    sha256 = write_packaged_weights(checkpoint.get("student", checkpoint), WEIGHTS)
    text = REGISTRY.read_text(encoding="utf-8")
    REGISTRY.write_text(re.sub('(?<=_MINI_SHA256 = ")[0-9a-f]{64}', sha256, text), encoding="utf-8")
    print(f"{WEIGHTS}: {WEIGHTS.stat().st_size} bytes, sha256 {sha256}")


if __name__ == "__main__":
    main()
