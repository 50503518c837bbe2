"""How the packaged weights of ``MobileNetEmbedding("mini")`` were made: sounds, distillation, judgement.

A network of width 0.4 learns the feature maps of EfficientAT's mn04, the teacher, on synthesised sound alone. The
network hears no recording.

Sounds (``sounds.py``, ``recording.py``)
    Every clip is a mixture of one to three sources with random parameters: tones, noise, impacts, damaged bearings,
    friction, liquids, heart- and breath-like cycles, textures. A random chain of a room, a microphone and a recorder
    follows. The physics of noise bands and bearings is the code of :func:`skaudio_ad.datasets.make_machine_sounds`. The
    four machines of that function are held out: the generator never calls them.

Distillation (``distill.py``)
    ``python -m benchmarks.pretraining.distill OUTPUT --teacher mn04_as_mAP_432.pt [--start CHECKPOINT] [--clips N]``
    trains on a CPU or a GPU, writes a log, and goes on from its last checkpoint after an interruption. The log is a CSV
    table beside the checkpoint.

Judgement (``judge.py``)
    ``python -m benchmarks.pretraining.judge CHECKPOINT ...`` prints AUCs on real recordings. Labels of real recordings
    are used only here. Every run is a look at these labels, so count the runs.
"""
