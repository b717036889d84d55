"""Tools for whoever connects an EHR: keys for a rehearsal, a check of the configuration."""
"""Tools for those who connect the service to an EHR and run it."""
