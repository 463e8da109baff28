. "$TESTS/cli/ctok/check.bash"
novel 300 >in
spm='ctok train --model=bpe --ties=spm --size=200'
ids() {
    ctok encode -V "$1" <(printf '%s\n' "$2")
}
same() {
    [[ $(ids "$1" "$2") == "$(ids "$1" "$3")" ]] || { echo "$1: '$2' is not as '$3'" >&2 && exit 1; }
}
differs() {
    [[ $(ids "$1" "$2") != "$(ids "$1" "$3")" ]] || { echo "$1: '$2' is as '$3'" >&2 && exit 1; }
}
# normalisation: nmt_nfkc is the default
quiet $spm -o default in
quiet $spm --normalization=nmt_nfkc -o nmt in
cmp default/tokenizer.model nmt/tokenizer.model
same nmt 'ｔｈ'$'\xe2\x80\x8b\xc2\xa0 at' 'th at'
quiet $spm --normalization=identity -o plain in
differs plain 'ｔh' 'th'
quiet $spm --normalization=nfkc_cf -o fold in
same fold 'THAT' 'that'
# a map of one's own model is as good as another's
quiet $spm --charsmap-from=nmt/tokenizer.model -o from in
cmp nmt/tokenizer.model from/tokenizer.model
# white space
same nmt ' a  b ' 'a b'
quiet $spm --keep-extra-spaces -o spaces in
differs spaces 'a  b' 'a b'
differs nmt 'ab' 'xab'
quiet $spm --whitespace-suffix -o suffix in
grep -q 'e▁' suffix/tokenizer.model
! grep -q 'e▁' nmt/tokenizer.model
# lines that are left out are told, and make no difference
{ cat in; for ((i = 0; i < 1000; i++)); do printf 'zebra '; done; echo; } >more
ctok train --model=bpe --ties=spm --size=200 -o long more 2>told
grep -q '1 texts were left out: longer than --max-line' told
cmp default/tokenizer.model long/tokenizer.model
quiet $spm --max-line=0 -o all more
! cmp -s default/tokenizer.model all/tokenizer.model
# special tokens by other names, and a limit that is meant
quiet $spm --unk-piece='<u>' --control-symbols='<x>,<y>' -o named in
ctok inspect -V named | grep -q 'unk *<u> 0'
[[ $(ids named '☃') == *' 0' ]]
refuses 'is too large' -- ctok train --model=unigram --size=20000 --hard-limit -o hard in
[[ ! -e hard ]]
quiet $spm --required-chars='☃' -o snow in
[[ $(ids snow '☃') != *' 0' ]]
