"""One file for each step of the schema, up and down."""
