"""Tools for whoever connects an EHR: keys for a rehearsal, a check of the configuration."""
