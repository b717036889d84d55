"""Tools for those who connect the service to an EHR and run it."""
