"""What `make bench` and `make bench-instructions` consist of; see docs/performance.md."""
