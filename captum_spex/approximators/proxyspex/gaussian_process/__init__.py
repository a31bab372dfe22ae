"""The Gaussian process on masks: kernel, hyper-parameters, sparse terms, monotone link."""
