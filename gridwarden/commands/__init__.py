"""One module a command: reads its options, puts rooms together, shows the outcome."""
