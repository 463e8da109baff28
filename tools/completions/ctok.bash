# ctok - completion for bash.  scripts/check-help compares its options with --help.
_ctok() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]-}
    # bash takes `--rows=nul` for three words
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W 'encode decode inspect train count --help --version' -- "$cur"))
        return 0
    fi
    compopt -o filenames
    case $prev in
    --pattern)
        if [[ $command == train || $command == count ]]; then
            COMPREPLY=($(compgen -W 'gpt2 cl100k o200k' -- "$cur"))
        else
            COMPREPLY=($(compgen -W 'r50k cl100k o200k' -- "$cur"))
        fi
        ;;
    --model) COMPREPLY=($(compgen -W 'wordpiece bpe unigram' -- "$cur")) ;;
    --ties) COMPREPLY=($(compgen -W 'hf spm' -- "$cur")) ;;
    --score) COMPREPLY=($(compgen -W 'count likelihood' -- "$cur")) ;;
    -T | --temporary-directory) COMPREPLY=($(compgen -d -- "$cur")) ;;
    --rules) COMPREPLY=($(compgen -W 'hf google bert4keras' -- "$cur")) ;;
    --special-text) COMPREPLY=($(compgen -W 'allow plain' -- "$cur")) ;;
    --invalid) COMPREPLY=($(compgen -W 'replace error bytes' -- "$cur")) ;;
    --rows) COMPREPLY=($(compgen -W 'line nul para fixed: u32' -- "$cur")) ;;
    --input)
        if [[ $command == decode ]]; then
            COMPREPLY=($(compgen -W 'ids jsonl stream u16 u32' -- "$cur"))
        else
            COMPREPLY=($(compgen -W 'rows jsonl' -- "$cur"))
        fi
        ;;
    --output)
        if [[ $command == decode ]]; then
            COMPREPLY=($(compgen -W 'rows jsonl' -- "$cur"))
        else
            COMPREPLY=($(compgen -W 'ids jsonl stream u16 u32' -- "$cur"))
        fi
        ;;
    --specials) [[ $command == train ]] || COMPREPLY=($(compgen -W 'none add' -- "$cur")) ;;
    --offset-unit) COMPREPLY=($(compgen -W 'byte char' -- "$cur")) ;;
    --compress) COMPREPLY=($(compgen -W 'zstd gzip none' -- "$cur")) ;;
    --progress | --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")) ;;
    -[mj] | --json-field | --row-ids | --memory | --threads | --size | --min-frequency) ;;
    --alphabet-limit | --coverage | --max-token-length | --min-count | --user-symbols) ;;
    --max-line | --control-symbols | --required-chars | --*-piece | --unk-surface | --shrink) ;;
    --seed-pieces | --em-steps) ;;
    --normalization)
        COMPREPLY=($(compgen -W 'nmt_nfkc nfkc nmt_nfkc_cf nfkc_cf identity' -- "$cur"))
        ;;
    *)
        if [[ $cur == -* ]]; then
            compopt +o filenames
            COMPREPLY=($(compgen -W '-V --vocab= --pattern= --lowercase --cased --rules= --words=
                --special-text= --invalid= --rows= -z --zero-terminated --input= --json-field=
                --split-sentences --pair --files0-from= -o --output= --specials= --offset-unit=
                --compress= --row-ids= --skip-specials --color= --model= --ties= --prefix-space --keep-newlines
                --charsmap-from= --normalization= --no-dummy-prefix --keep-extra-spaces
                --whitespace-suffix --whitespace-tokens --no-split-by-whitespace --whole-words
                --max-line= --control-symbols= --required-chars= --no-split-by-script
                --no-split-by-number --hard-limit --unk-piece= --bos-piece= --eos-piece= --pad-piece=
                --unk-surface= --seed-pieces= --shrink= --em-steps= --user-symbols= --size= --min-frequency= --alphabet-limit=
                --coverage= --max-token-length= --byte-fallback --split-digits --score= --counts=
                --min-count= -T --temporary-directory= --memory= --threads= -q --quiet
                -v --verbose --stats= --progress= --explain --help --version' -- "$cur"))
            [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        ;;
    esac
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
    return 0
}
complete -F _ctok ctok
