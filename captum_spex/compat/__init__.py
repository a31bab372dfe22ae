"""What differs between versions of the libraries that we build on: one small module for each of them."""
