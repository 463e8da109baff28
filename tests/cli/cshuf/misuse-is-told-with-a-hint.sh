. "$TESTS/cli/cshuf/check.bash"
refuses "invalid option -- 'x'" "Try 'cshuf --help' for more information" -- cshuf -x
refuses "unrecognized option '--bogus'" "Try 'cshuf --help' for more information" -- cshuf --bogus
refuses "option requires an argument -- 'n'" "Try 'cshuf --help'" -- cshuf -n
refuses "option '--output' requires an argument" "Try 'cshuf --help'" -- cshuf --output
refuses "option '--echo' doesn't allow an argument" "Try 'cshuf --help'" -- cshuf --echo=3
