. "$TESTS/cli/ctok/check.bash"
tiny
echo the >in
refuses 'no vocabulary: -V names it' "Try 'ctok encode --help'" -- ctok encode in
refuses 'invalid --output: idz (ids, jsonl' -- ctok encode -V vocab.txt --output=idz in
refuses 'invalid --rules: x (hf, google or bert4keras)' -- ctok encode -V vocab.txt --rules=x in
refuses 'invalid --invalid: x' -- ctok encode -V vocab.txt --invalid=x in
refuses 'invalid --specials: x (none or add)' -- ctok encode -V vocab.txt --specials=x in
refuses 'invalid --input: x' -- ctok decode -V vocab.txt --input=x in
refuses 'cannot combine --lowercase and --cased' -- ctok encode -V vocab.txt --lowercase --cased in
refuses 'needs --input=jsonl' -- ctok encode -V vocab.txt --json-field=x in
refuses 'needs --output=jsonl' -- ctok encode -V vocab.txt --offset-unit=char in
refuses 'cannot combine -z with --rows=line' -- ctok encode -V vocab.txt -z --rows=line in
refuses 'JSON Lines are lines' -- ctok encode -V vocab.txt -z --input=jsonl in
refuses 'no fixed size' -- ctok decode -V vocab.txt --rows=fixed:3 in
refuses 'needs --input=u16 or u32' -- ctok decode -V vocab.txt --row-ids=3 in
refuses 'invalid --compress: x' -- ctok encode -V vocab.txt --compress=x in
refuses "unrecognized option '--jason'" -- ctok encode -V vocab.txt --jason in
refuses 'leaves no room for operands' -- ctok encode -V vocab.txt --files0-from=in in
refuses 'which command?' "Try 'ctok --help'" -- ctok
refuses 'no command is called encod' -- ctok encod -V vocab.txt
