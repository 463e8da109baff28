. "$TESTS/cli/cshuf/check.bash"
refuses ambiguous 'Try .*--help' -- cshuf --r -i 1-3
refuses ambiguous 'Try .*--help' -- cshuf --h -i 1-3
