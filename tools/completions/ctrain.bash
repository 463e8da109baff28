# ctrain - completion for bash.  scripts/check-help compares its options with --help.
_ctrain() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    # bash takes `--model=bert-tiny` for three words
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    compopt -o filenames
    case $prev in
    --model)
        COMPREPLY=($(compgen -W 'bert-tiny bert-mini bert-small bert-base roberta-tiny roberta-mini
            roberta-small roberta-base albert-tiny albert-mini albert-small albert-base
            roformer-tiny roformer-mini roformer-small roformer-base unilm-tiny unilm-mini
            unilm-small unilm-base gpt2-tiny gpt2-mini gpt2-small gpt2' -- "$cur")
            $(compgen -f -- "$cur"))
        ;;
    --objective) COMPREPLY=($(compgen -W 'clm electra' -- "$cur")) ;;
    --optimizer)
        COMPREPLY=($(compgen -W 'adamw lamb adafactor lion sgd bert bert4keras gpt2' -- "$cur"))
        ;;
    --schedule) COMPREPLY=($(compgen -W 'constant linear cosine rsqrt bert piecewise' -- "$cur")) ;;
    --dtype) COMPREPLY=($(compgen -W 'f32 bf16' -- "$cur")) ;;
    --progress) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")) ;;
    -o) COMPREPLY=($(compgen -d -- "$cur")) ;;
    -[njms] | --vocab-size | --layers | --hidden | --heads | --intermediate | --dropout) ;;
    --batch | --accumulate | --seq-length | --steps | --lr | --beta1 | --beta2 | --eps) ;;
    --weight-decay | --clip | --ema | --lookahead | --group | --baseline | --seed) ;;
    --save-every | --keep | --keep-every | --log-every | --eval-every | --eval-batches) ;;
    --batches | --length | --temperature | --top-k | --top-p | --beam | --samples | --top) ;;
    --pattern) COMPREPLY=($(compgen -W 'r50k cl100k o200k' -- "$cur")) ;;
    --rules) COMPREPLY=($(compgen -W 'hf google bert4keras' -- "$cur")) ;;
    --initializer-range | --memory | --threads) ;;
    *)
        if [[ $cur == -* ]]; then
            compopt +o filenames
            COMPREPLY=($(compgen -W '--model= --vocab-size= --layers= --hidden= --heads=
                --intermediate= --dropout= --initializer-range= --init= --data= --batch=
                --accumulate= --seq-length= --truncate --objective= --steps= --optimizer= --lr= --schedule= --beta1= --beta2=
                --eps= --weight-decay= --clip= --ema= --lookahead= --group= --baseline= --dtype=
                --seed= -o --resume --force --save-every= --keep= --keep-every= --log-every=
                --eval= --eval-every= --eval-batches= --memory= --threads= --quiet
                --verbose --progress= --stats= --explain --profile --help --version
                --batches= --baselines= --vocab= --pattern= --lowercase --cased --rules= --json
                --length= --temperature= --top-k= --top-p= --beam= --samples= --next --top=' -- "$cur"))
            [[ ${COMPREPLY-} == *= ]] && compopt -o nospace
        else
            COMPREPLY=($(compgen -f -- "$cur"))
            ((COMP_CWORD == 1)) && COMPREPLY+=($(compgen -W 'train eval fill sample' -- "$cur"))
        fi
        ;;
    esac
    return 0
}
complete -F _ctrain ctrain
