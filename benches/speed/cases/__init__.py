"""The cases of `make bench`: each is a function that takes a Bench, and its doc string says what it
measures."""
