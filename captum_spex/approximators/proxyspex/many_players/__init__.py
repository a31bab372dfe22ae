"""ProxySPEX among more players than surrogates can be fitted to: screening first."""
