# crec - completion for bash.  scripts/check-help compares its options with --help.
_crec() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    # bash takes `--from=mds` for three words
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W 'head at count stat verify diff recover order convert --help --version' \
            -- "$cur"))
        return 0
    fi
    compopt -o filenames
    case $prev in
    --from | --to)
        COMPREPLY=($(compgen -W 'native tfrecord megatron mds npy jsonl webdataset llmc u16 u32
            datatrove' -- "$cur"))
        ;;
    --layout) COMPREPLY=($(compgen -W 'document sentence native plain bert hf' -- "$cur")) ;;
    --compress) COMPREPLY=($(compgen -W 'zstd gzip none' -- "$cur")) ;;
    -[nms] | --count | --memory | --seed | --epoch | --rank | --world | --skip | --records) ;;
    *)
        if [[ $cur == -* ]]; then
            compopt +o filenames
            COMPREPLY=($(compgen -W '-n --count= --html= --from= --memory= -v --verbose -q --quiet -o
                --seed= --epoch= --rank= --world= --skip= --records= --to= --layout=
                --compress= --help --version' -- "$cur"))
            [[ ${COMPREPLY-} == *= ]] && compopt -o nospace
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        ;;
    esac
    return 0
}
complete -F _crec crec
