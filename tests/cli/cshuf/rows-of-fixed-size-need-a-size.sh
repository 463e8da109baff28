. "$TESTS/cli/cshuf/check.bash"
refuses 'fixed' -- cshuf --rows fixed /dev/null
refuses 'fixed' -- cshuf --rows fixed: /dev/null
refuses 'fixed' -- cshuf --rows fixed:0 /dev/null
refuses 'fixed' -- cshuf --rows fixed:x /dev/null
