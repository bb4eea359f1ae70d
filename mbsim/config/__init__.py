"""What a run is asked to do: the configuration, checked."""

from mbsim.config.configuration import KEYS, Config, load_config

__all__ = ["KEYS", "Config", "load_config"]
