"""Keras layers that prepare inputs: pictures, categories, sound; and those that only Keras itself can run."""

from __future__ import annotations

from edgerig.models.graph.keras_types import Config, Shape, Weights, class_names, is_channels_first, slid

#: Layers that change the colours or places of pixels, in training or always; the picture keeps its shape.
SAME_PICTURE = class_names(
    """
    AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MixUp RandAugment
    RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomElasticTransform RandomErasing
    RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization
    RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom Solarization
    """
)

#: Those of them that change it in inference, too.
ALWAYS = class_names("AutoContrast ContrastLimitedAdaptiveHistogramEqualization Equalization")

#: Layers that no device can run, with the reason.
NOT_FOR_DEVICES = {
    **dict.fromkeys(
        ("Lambda", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "TFSMLayer"),
        "it is code of another program within the file, which is never run",
    ),
    **dict.fromkeys(
        ("StringLookup", "TextVectorization", "Hashing", "HashedCrossing", "IntegerLookup"),
        "it looks words or numbers up in a table, which Keras does with TensorFlow on the host",
    ),
    "MaxNumBoundingBoxes": "it cuts lists of labels, which are no input of a network",
}


def resized(config: Config, shape: Shape) -> Shape:
    """Resizing, RandomCrop, CenterCrop: a picture of stated height and width."""
    return (*shape[:-3], config["height"], config["width"], shape[-1])


def adaptive(config: Config, shape: Shape) -> Shape:
    """Adaptive pooling: as many windows as stated."""
    size = config["output_size"]
    return (shape[0], *((size,) * (len(shape) - 2) if isinstance(size, int) else size), shape[-1])


def _in_bins(shape: Shape, bins: int, one_hot: bool) -> Shape:
    """A number becomes a vector: for each number (``one_hot``), or together for all of the last axis."""
    if one_hot and not (shape[-1] == 1 and len(shape) > 1):
        return (*shape, bins)
    return (*shape[:-1], bins)


def category_shape(config: Config, shape: Shape) -> Shape:
    """CategoryEncoding."""
    return _in_bins(shape, config["num_tokens"], config.get("output_mode") == "one_hot")


def discretized_shape(config: Config, shape: Shape) -> Shape:
    """Discretization: the number of a bin, or a vector with an element for each bin."""
    mode = config.get("output_mode", "int")
    if mode == "int":
        return shape
    boundaries = config.get("bin_boundaries")
    return _in_bins(shape, config["num_bins"] if boundaries is None else len(boundaries) + 1, mode == "one_hot")


def _fft_length(config: Config) -> int:
    """A power of two that holds a frame, where none is stated."""
    return int(config.get("fft_length") or 1 << (config["frame_length"] - 1).bit_length())


def _frequencies(config: Config) -> int:
    return _fft_length(config) // 2 + 1


def stft_shape(config: Config, shape: Shape) -> Shape:
    """STFTSpectrogram of (batch, samples, channels), in the order of axes that the layer states."""
    first = is_channels_first(config, shape)
    batch, samples, channels = (shape[0], shape[2], shape[1]) if first else shape
    step = config.get("frame_step") or config["frame_length"] // 2
    (frames,) = slid(config, (samples,), (config["frame_length"],), (step,), (1,))
    frequencies = _frequencies(config) * (2 if config["mode"] == "stft" else 1)
    if config.get("expand_dims"):
        return (batch, channels, frames, frequencies) if first else (batch, frames, frequencies, channels)
    return (batch, channels * frequencies, frames) if first else (batch, frames, channels * frequencies)


def stft_weights(config: Config) -> Weights:
    """The waves of STFTSpectrogram, as kernels of a convolution."""
    shape = (config["frame_length"], 1, _frequencies(config))
    names = [("real_kernel", config["mode"] != "imag"), ("imag_kernel", config["mode"] != "real")]
    return {name: shape for name, present in names if present}


def mel_shape(config: Config, shape: Shape) -> Shape:
    """MelSpectrogram of (batch, samples), centred frames."""
    return (*shape[:-1], config["num_mel_bins"], shape[-1] // config["sequence_stride"] + 1)
