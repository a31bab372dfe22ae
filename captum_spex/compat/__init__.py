"""What differs between versions of the libraries below: one small module for each."""
