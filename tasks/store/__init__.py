"""The store: paths, stages, exports, locks and leases."""
