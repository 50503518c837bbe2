# The public names of the package and where each is defined: type checkers read this file, and so does the package.
from . import (
    audio as audio,
)
from . import (
    datasets as datasets,
)
from . import (
    detectors as detectors,
)
from . import (
    embeddings as embeddings,
)
from . import (
    features as features,
)
from . import (
    inspection as inspection,
)
from . import (
    metrics as metrics,
)
from . import (
    model_selection as model_selection,
)
from . import (
    monitoring as monitoring,
)
from . import (
    networks as networks,
)
from . import (
    persistence as persistence,
)
from . import (
    presets as presets,
)
from . import (
    recordings as recordings,
)
from . import (
    report as report,
)
from . import (
    thresholds as thresholds,
)
from . import (
    training as training,
)
from ._versions import (
    show_versions as show_versions,
)
from .audio import (
    AudioClips as AudioClips,
)
from .audio import (
    AudioLoader as AudioLoader,
)
from .audio import (
    LevelNormalizer as LevelNormalizer,
)
from .detectors import (
    AutoencoderDetector as AutoencoderDetector,
)
from .detectors import (
    BandMemoryDetector as BandMemoryDetector,
)
from .detectors import (
    FleetDetector as FleetDetector,
)
from .detectors import (
    MahalanobisDetector as MahalanobisDetector,
)
from .detectors import (
    NearestNeighborsDetector as NearestNeighborsDetector,
)
from .detectors import (
    RLKLClassifier as RLKLClassifier,
)
from .detectors import (
    ScoreEnsemble as ScoreEnsemble,
)
from .detectors import (
    SequenceAutoencoderDetector as SequenceAutoencoderDetector,
)
from .detectors import (
    SequenceClassifier as SequenceClassifier,
)
from .detectors import (
    SequencePredictorDetector as SequencePredictorDetector,
)
from .detectors import (
    VAEDetector as VAEDetector,
)
from .embeddings import (
    BackboneEmbedding as BackboneEmbedding,
)
from .embeddings import (
    BEATsEmbedding as BEATsEmbedding,
)
from .embeddings import (
    CEDEmbedding as CEDEmbedding,
)
from .embeddings import (
    DashengEmbedding as DashengEmbedding,
)
from .embeddings import (
    EATEmbedding as EATEmbedding,
)
from .embeddings import (
    ECHOEmbedding as ECHOEmbedding,
)
from .embeddings import (
    FineTunedEmbedding as FineTunedEmbedding,
)
from .embeddings import (
    FISHEREmbedding as FISHEREmbedding,
)
from .embeddings import (
    HubEmbedding as HubEmbedding,
)
from .embeddings import (
    MobileNetEmbedding as MobileNetEmbedding,
)
from .embeddings import (
    ModuleEmbedding as ModuleEmbedding,
)
from .embeddings import (
    PaSSTEmbedding as PaSSTEmbedding,
)
from .features import (
    Augmenter as Augmenter,
)
from .features import (
    ChannelResidual as ChannelResidual,
)
from .features import (
    ClipScaler as ClipScaler,
)
from .features import (
    FrameTransformer as FrameTransformer,
)
from .features import (
    MelTransformer as MelTransformer,
)
from .features import (
    MFCCTransformer as MFCCTransformer,
)
from .features import (
    PatchTransformer as PatchTransformer,
)
from .features import (
    ShrinkageWhitener as ShrinkageWhitener,
)
from .features import (
    SoundQualities as SoundQualities,
)
from .features import (
    TemporalPooling as TemporalPooling,
)
from .model_selection import (
    NormalOnly as NormalOnly,
)
from .model_selection import (
    NormalOnlySplit as NormalOnlySplit,
)
from .presets import (
    DetectorPipeline as DetectorPipeline,
)
from .presets import (
    make_detector as make_detector,
)
from .thresholds import (
    ConformalThreshold as ConformalThreshold,
)
from .thresholds import (
    FBetaThreshold as FBetaThreshold,
)
from .thresholds import (
    GammaThreshold as GammaThreshold,
)
from .thresholds import (
    MeanStdThreshold as MeanStdThreshold,
)
from .thresholds import (
    ParetoTailThreshold as ParetoTailThreshold,
)
from .thresholds import (
    QuantileThreshold as QuantileThreshold,
)
from .thresholds import (
    ROCThreshold as ROCThreshold,
)
from .thresholds import (
    ThresholdedDetector as ThresholdedDetector,
)

__version__: str
