# Short transfers and interrupted calls; unpleasant situations; power cuts.
B=$B "$TESTS/faults/run-cshuf" long same battery power
