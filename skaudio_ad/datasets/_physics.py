"""Formulas of sounds. Plain arithmetic, so that arrays of NumPy and tensors of torch both work."""


def band_gain(frequencies, low, high, *, order=2):
    """Gain of a band with skirts of 6 dB per octave times `order`, and 3 dB less at both corner frequencies.

    Parameters
    ----------
    frequencies : array of float
        Frequencies in Hz, above 0.
    low, high : float or array
        Corner frequencies in Hz.
    order : int, default=2

    Returns
    -------
    array of float
    """
    return ((1 + (low / frequencies) ** (2 * order)) * (1 + (frequencies / high) ** (2 * order))) ** -0.5


def bearing_orders(n_elements, diameter_ratio):
    """Defect frequencies of a rolling-element bearing without contact angle, in impacts per turn of the shaft.

    Parameters
    ----------
    n_elements : int or array
        Number of rolling elements.
    diameter_ratio : float or array
        Diameter of a rolling element over the pitch diameter.

    Returns
    -------
    outer, inner, element : float or array
        Impacts per turn for a damaged outer race, inner race and rolling element [1]_.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mechanical
       Systems and Signal Processing 25(2), 2011.
    """
    outer = n_elements / 2 * (1 - diameter_ratio)
    inner = n_elements / 2 * (1 + diameter_ratio)
    return outer, inner, (1 - diameter_ratio**2) / diameter_ratio / 2


def load_zone(angle, depth, cosine):
    """Strength of impacts at an angle of the shaft, in radians: 1 plus or minus `depth`.

    Parameters
    ----------
    angle, depth : float or array
    cosine : callable
        ``numpy.cos`` or ``torch.cos``.

    Returns
    -------
    array of float
    """
    return 1 + depth * cosine(angle)
