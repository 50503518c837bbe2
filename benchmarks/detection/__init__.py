"""How well detectors, scorers and thresholds work on published recordings."""
