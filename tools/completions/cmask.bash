# cmask - completion for bash.  scripts/check-help compares its options with --help.
_cmask() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    # bash takes `--input=jsonl` for three words
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W 'mlm nsp sop clm span ul2 prefix unilm plm electra mae --help --version' -- "$cur"))
        return 0
    fi
    compopt -o filenames
    case $prev in
    --compat) COMPREPLY=($(compgen -W 'bert albert electra' -- "$cur")) ;;
    --pack) COMPREPLY=($(compgen -W 'stream sentences docs bestfit bert4keras' -- "$cur")) ;;
    --lone) COMPREPLY=($(compgen -W 'split random drop' -- "$cur")) ;;
    --unit) COMPREPLY=($(compgen -W 'token word ngram macbert span' -- "$cur")) ;;
    --input | --output) COMPREPLY=($(compgen -W 'stream jsonl' -- "$cur")) ;;
    --compress) COMPREPLY=($(compgen -W 'zstd none' -- "$cur")) ;;
    --progress) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")) ;;
    -T | --temporary-directory) COMPREPLY=($(compgen -d -- "$cur")) ;;
    -[mjs] | --memory | --threads | --seed | --epoch | --static | --seq-length) ;;
    *)
        if [[ $cur == -* ]]; then
            compopt +o filenames
            COMPREPLY=($(compgen -W '--seq-length= --short-prob= --static= --dynamic --seed= --epoch= --lone=
                --window= --cut-words --pack= --overlap= --positions --drop-last --noise=
                --mean-span= --sentinel= --sentinels= --random-roll --separator --mask-prob=
                --max-predictions= --whole-word --unit= --ngram= --synonyms= --independent --split= --draw-specials
                --across-sep --compat= --dupe-factor= --python2 --np-seed= --favor-longer-ngram
                --permute --join-docs --vocab= --input= -o --output= --compress= --memory=
                --threads= --temporary-directory= --quiet --verbose --stats= --progress= --help
                --version' -- "$cur"))
            [[ ${COMPREPLY-} == *= ]] && compopt -o nospace
        else
            COMPREPLY=($(compgen -f -- "$cur"))
        fi
        ;;
    esac
    return 0
}
complete -F _cmask cmask
