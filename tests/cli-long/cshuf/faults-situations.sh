# Short transfers and interrupted calls; unpleasant situations.
B=$B "$TESTS/faults/run-cshuf" long same battery
