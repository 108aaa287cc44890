"""How Hypothesis works here: the same examples in every run, and nothing written outside build/."""

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from tools.console import BUILD

set_hypothesis_home_dir(BUILD / "cache" / "hypothesis")
# A noisy machine is no failure, hence no deadline.
settings.register_profile("core", deadline=None, derandomize=True, max_examples=40, print_blob=True)
settings.load_profile("core")
