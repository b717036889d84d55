"""Launches: from the EHR to our pages and back, by SMART App Launch 2.2; the token never leaves the server."""
