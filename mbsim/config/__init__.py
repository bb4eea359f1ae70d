"""What a run is asked to do: the configuration, checked."""

from mbsim.config.configuration import Config, known_keys, load_config, stored_config

__all__ = ["Config", "known_keys", "load_config", "stored_config"]
