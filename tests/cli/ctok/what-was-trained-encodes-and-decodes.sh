. "$TESTS/cli/ctok/check.bash"
novel 400 >in
# KIND ENGINE OPTION...: trains, and looks at the files and at who reads them.
trains() {
    local kind=$1 engine=$2 file
    shift 2
    quiet ctok train --size=400 -o "$kind" "$@" in
    ctok inspect -V "$kind" >about
    grep -q "engine $engine\$" about || { cat about >&2 && return 1; }
    grep -q '^ids *400;' about || { cat about >&2 && return 1; }
    ctok encode -V "$kind" in >"$kind.ids"
    ctok decode -V "$kind" "$kind.ids" >"$kind.txt"
}
trains bytes 'byte-level BPE' --model=bpe
cmp in bytes.txt
[[ $(cd bytes && echo *) == 'merges.txt tokenizer.json vocab.json' ]]
# the pair of files alone says the same
mkdir pair && mv bytes/vocab.json bytes/merges.txt pair
ctok encode -V pair in | cmp - bytes.ids

trains cl100k 'byte-level BPE' --model=bpe --pattern=cl100k
cmp in cl100k.txt
trains o200k 'byte-level BPE' --model=bpe --pattern=o200k
cmp in o200k.txt
trains bert bert --model=wordpiece
[[ $(cd bert && echo *) == 'tokenizer.json vocab.txt' ]]
head -n 5 bert/vocab.txt | tr '\n' ' ' | grep -qx '\[PAD\] \[UNK\] \[CLS\] \[SEP\] \[MASK\] '
ctok encode -V bert/vocab.txt in | cmp - bert.ids
is $'the kalo miten. 中 国\n' ctok decode -V bert <(echo 'The KALO miten. 中国' | ctok encode -V bert)
trains spm spm --model=bpe --ties=spm --coverage=1
[[ $(cd spm && echo *) == "tokenizer.json tokenizer.model" ]]
# nmt_nfkc makes one blank of several, and none of those at the ends; in has no others
cmp in spm.txt
trains unigram spm --model=unigram --byte-fallback --split-digits
cmp in unigram.txt
is $'snow ☃ 42\n' ctok decode -V unigram <(echo 'snow ☃ 42' | ctok encode -V unigram)
