# cshard - completion for bash.  scripts/check-help compares its options with --help.
_cshard() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    # bash takes `--format=mds` for three words
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    compopt -o filenames
    case $prev in
    -f | --format | --from)
        COMPREPLY=($(compgen -W 'native tfrecord megatron mds npy webdataset llmc u16 u32 datatrove jsonl' -- "$cur"))
        ;;
    --layout) COMPREPLY=($(compgen -W 'document sentence native plain bert hf' -- "$cur")) ;;
    --compress) COMPREPLY=($(compgen -W 'zstd gzip none' -- "$cur")) ;;
    --progress) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")) ;;
    -o) COMPREPLY=($(compgen -d -- "$cur")) ;;
    -[mj] | --memory | --threads | --name | --shards | --epoch | --seq-length | --max-predictions | --shard-rows | --shard-bytes) ;;
    *)
        if [[ $cur == -* ]]; then
            compopt +o filenames
            COMPREPLY=($(compgen -W '-o --format= --layout= --epoch=
                --seq-length= --max-predictions= --name= --compress= --shards=
                --shard-rows= --shard-bytes= --round-robin --resume --force --from= --memory=
                --threads= --quiet --verbose --stats= --progress= --help --version' -- "$cur"))
            [[ ${COMPREPLY-} == *= ]] && compopt -o nospace
        else
            COMPREPLY=($(compgen -f -- "$cur"))
        fi
        ;;
    esac
    return 0
}
complete -F _cshard cshard
