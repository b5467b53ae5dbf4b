"""Whether every interval is there: coverage of a directory of data files, gaps, and one HTML file to look at."""

__all__: list[str] = []
