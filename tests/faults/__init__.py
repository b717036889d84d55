"""A FHIR server on loopback that goes wrong in every way a network can: `tests.faults.server.FaultyServer`."""
