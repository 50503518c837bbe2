"""Shrinkage of a covariance matrix, from sums over rows."""


def find_shrinkage(covariance, n_rows, n_features, trace, squares, fourth):
    """Estimate the shrinkage as scikit-learn's `ledoit_wolf_shrinkage` and `oas` do, from sums over rows.

    Parameters
    ----------
    covariance : {"ledoit-wolf", "empirical", "oas"}
    n_rows, n_features : int
    trace, squares : float
        Trace and sum of the squared values of the scatter.
    fourth : float
        Sum of the fourth powers of the lengths of the centred rows.

    Returns
    -------
    float
        0 to 1.
    """
    mean_variance = trace / (n_rows * n_features)
    # Mean squared difference of the eigenvalues of the covariance from their mean.
    dispersion = squares / n_rows**2 / n_features - mean_variance**2
    if covariance == "empirical" or n_features == 1 or dispersion <= 0:
        return 0.0
    if covariance == "ledoit-wolf":
        error = (fourth - squares / n_rows) / n_rows**2 / n_features
    else:
        error = (squares / (n_rows * n_features) ** 2 + mean_variance**2) * n_features / (n_rows + 1)
    return min(max(error / dispersion, 0.0), 1.0)
