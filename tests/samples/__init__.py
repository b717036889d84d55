"""The synthetic patients of `sample_bundles`, and the tests that hold them."""
