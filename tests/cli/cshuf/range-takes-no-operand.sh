. "$TESTS/cli/cshuf/check.bash"
refuses "extra operand 'x'" 'Try .*--help' -- cshuf -i 1-2 x
refuses "extra operand 'x'" -- cshuf -i 1-2 x y
refuses "extra operand '-'" -- cshuf -i 0-0 -
