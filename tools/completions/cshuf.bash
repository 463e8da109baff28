# cshuf - completion for bash.  scripts/check-help compares its options with --help.
_cshuf() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    # bash takes `--rows=nul` for three words
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    compopt -o filenames
    case $prev in
    --rows) COMPREPLY=($(compgen -W 'line nul para fixed: u32' -- "$cur")) ;;
    --compress) COMPREPLY=($(compgen -W 'zstd gzip none' -- "$cur")) ;;
    --compress-temp) COMPREPLY=($(compgen -W 'auto none zstd' -- "$cur")) ;;
    --progress) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")) ;;
    -T | --temporary-directory) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    -[imnsSj] | --input-range | --head-count | --seed | --sample | --header | --split | --shards | \
        --shard-rows | --shard-bytes | --memory | --buffer-size | --threads) ;;
    *)
        if [[ $cur == -* ]]; then
            compopt +o filenames
            COMPREPLY=($(compgen -W '-e --echo --input-range= --head-count= --output=
                --random-source= -r --repeat -z --zero-terminated --seed= --unique --sample=
                --rows= --header= --files0-from= --with= --split= --shards= --shard-rows=
                --shard-bytes= --compress= --memory= --buffer-size= --threads=
                --temporary-directory= --compress-temp= --no-verify -q --quiet -v --verbose
                --stats= --progress= --explain --help --version' -- "$cur"))
            [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        ;;
    esac
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
    return 0
}
complete -F _cshuf cshuf
