"""What tests of pictures ask of their artists."""

from matplotlib.figure import Figure


def axes():
    """Axes off screen."""
    return Figure().subplots()


def line(ax, label):
    """The one line whose label begins so."""
    (found,) = [artist for artist in ax.lines if artist.get_label().startswith(label)]
    return found


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def scatters(ax):
    """Groups of points by label."""
    return {c.get_label(): c for c in ax.collections if not c.get_label().startswith("_")}
