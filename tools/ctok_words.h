/* ctok_words.h - what `ctok train` and `ctok count` share: how texts become words, where
 * these are counted, and counts made before.
 * Memory: --memory, and token lists on the heap.
 * Threads: main's only. */
#ifndef TSL_CTOK_WORDS_H
#define TSL_CTOK_WORDS_H

#include "ctok.h"
#include "text/trainjob.h"

enum { CTOK_DIRS_MAX = 64, CTOK_COUNTS_MAX = 4096, CTOK_TOKENS_MAX = 4096 };

/* A list of tokens that options name. */
struct ctok_tokens {
    struct tsl_slice token[CTOK_TOKENS_MAX];
    size_t n;
    bool given;
};

struct ctok_words {
    const char *model, *ties, *pattern, *charsmap, *normalization, *invalid;
    const char *unk_piece, *bos_piece, *eos_piece, *pad_piece;
    bool lowercase, cased, prefix_space, newlines;
    bool no_dummy_prefix, keep_spaces, suffix, only_spaces, no_split_space, whole_words;
    struct ctok_tokens specials, controls, symbols;
    uint64_t min_count, line_max;
    uint8_t *map; /* what normalization is; never freed */
    char *counts[CTOK_COUNTS_MAX];
    size_t ncounts;
    const char *dirs[CTOK_DIRS_MAX];
    size_t ndirs;
};

extern struct ctok_words ctok_words;

/* --max-line was not given. */
#define CTOK_LINE_MAX_UNSET UINT64_MAX

/* Functions for CLI_CALL: to is &ctok_words, or the list of tokens. */
int ctok_add_tokens(void *to, const char *arg, struct tsl_err *err);
int ctok_add_counts(void *to, const char *arg, struct tsl_err *err);
int ctok_add_dir(void *to, const char *arg, struct tsl_err *err);

#define CTOK_CALL(letter, name, arg, to, help, call)                                     \
    {                                                                                    \
        letter, name, arg, CLI_CALL, to, help, call, false                               \
    }

#define CTOK_KIND                                                                        \
    CTOK_HEADING("What is trained, and so how texts become words:"),                     \
        CTOK_OPT(0, "model", "MODEL", CLI_STR, &ctok_words.model,                        \
                 "wordpiece (as BERT's), bpe (byte-level, as GPT-2's) or\n"              \
                 "unigram (as SentencePiece's)"),                                        \
        CTOK_OPT(0, "lowercase", NULL, CLI_FLAG, &ctok_words.lowercase,                  \
                 "of wordpiece: lower case, no accents (the default)"),                  \
        CTOK_OPT(0, "cased", NULL, CLI_FLAG, &ctok_words.cased,                          \
                 "of wordpiece: leave case and accents alone"),                          \
        CTOK_OPT(0, "pattern", "NAME", CLI_STR, &ctok_words.pattern,                     \
                 "of bpe: cut texts as gpt2 (the default), cl100k or o200k"),            \
        CTOK_OPT(0, "prefix-space", NULL, CLI_FLAG, &ctok_words.prefix_space,            \
                 "of bpe: a blank in front of a text without one"),                      \
        CTOK_OPT(0, "keep-newlines", NULL, CLI_FLAG, &ctok_words.newlines,               \
                 "of bpe: a line's newline belongs to the text, as where\n"              \
                 "Hugging Face's trainer reads files"),                                  \
        CTOK_OPT(0, "ties", "ORDER", CLI_STR, &ctok_words.ties,                          \
                 "of bpe: hf (the default), or spm: SentencePiece's BPE, its\n"          \
                 "order among equals, and its .model"),                                  \
        CTOK_OPT(0, "charsmap-from", "MODEL", CLI_STR, &ctok_words.charsmap,             \
                 "of a .model: normalise as that one does"),                             \
        CTOK_OPT(0, "normalization", "RULES", CLI_STR, &ctok_words.normalization,        \
                 "of a .model: nmt_nfkc (the default), nfkc, nmt_nfkc_cf,\n"             \
                 "nfkc_cf (folded case) or identity"),                                   \
        CTOK_OPT(0, "no-dummy-prefix", NULL, CLI_FLAG, &ctok_words.no_dummy_prefix,      \
                 "of a .model: no blank in front of a text"),                            \
        CTOK_OPT(0, "keep-extra-spaces", NULL, CLI_FLAG, &ctok_words.keep_spaces,        \
                 "of a .model: leave runs of blanks as they are"),                       \
        CTOK_OPT(0, "whitespace-suffix", NULL, CLI_FLAG, &ctok_words.suffix,             \
                 "of a .model: blanks end tokens, rather than begin them"),              \
        CTOK_OPT(0, "whitespace-tokens", NULL, CLI_FLAG, &ctok_words.only_spaces,        \
                 "of a .model: a run of blanks may be a token"),                         \
        CTOK_OPT(0, "no-split-by-whitespace", NULL, CLI_FLAG,                            \
                 &ctok_words.no_split_space,                                             \
                 "of a .model: tokens may hold several words"),                          \
        CTOK_OPT(0, "whole-words", NULL, CLI_FLAG, &ctok_words.whole_words,              \
                 "of unigram: any word that came twice may be a token, not\n"            \
                 "only what SentencePiece begins with"),                                 \
        CTOK_OPT(0, "max-line", "N", CLI_COUNT, &ctok_words.line_max,                    \
                 "of a .model: leave texts of more than N bytes out;\n"                  \
                 "default: 4192, as SentencePiece; 0: none"),                            \
        CTOK_CALL(0, "specials", "LIST", &ctok_words.specials,                           \
                  "special tokens, the first ids, with commas between;\n"                \
                  "default: [PAD],[UNK],[CLS],[SEP],[MASK] for wordpiece,\n"             \
                  "<|endoftext|> for bpe, <unk>,<s>,</s> for a .model",                  \
                  ctok_add_tokens),                                                      \
        CTOK_CALL(0, "control-symbols", "LIST", &ctok_words.controls,                    \
                  "more special tokens, behind those", ctok_add_tokens),                 \
        CTOK_CALL(0, "user-symbols", "LIST", &ctok_words.symbols,                        \
                  "texts, with commas between, that are one token always;\n"             \
                  "may be given again",                                                  \
                  ctok_add_tokens)

#define CTOK_WORDS_IN                                                                    \
    CTOK_INPUT,                                                                          \
        CTOK_OPT(0, "json-field", "NAME", CLI_STR, &ctok_given.field,                    \
                 "of --input=jsonl: text, or a.b for b in a"),                           \
        CTOK_OPT(0, "invalid", "HOW", CLI_STR, &ctok_words.invalid,                      \
                 "bytes that are not UTF-8: replace (by U+FFFD, the\n"                   \
                 "default), or bytes (kept; byte-level bpe)"),                           \
        CTOK_FILES0,                                                                     \
        CTOK_CALL(0, "counts", "FILE", &ctok_words,                                      \
                  "add the words of FILE, made by `ctok count` with the same\n"          \
                  "options; may be given again, and FILEs left out then",                \
                  ctok_add_counts),                                                      \
        CTOK_OPT(0, "min-count", "N", CLI_COUNT, &ctok_words.min_count,                  \
                 "leave words out that came fewer than N times; default: 1")

#define CTOK_TEMPORARY                                                                   \
    CTOK_CALL('T', "temporary-directory", "DIR", &ctok_words,                            \
              "folder for words beyond memory, not $TMPDIR or /tmp;\n"                   \
              "several are filled evenly",                                               \
              ctok_add_dir)

/* What the options say of the kind; sets ctok_words.specials where none were given.  The
 * map of --charsmap-from is lent by *from, to be destroyed after the spec's last use. */
int ctok_spec(struct tsl_trainspec *spec, struct tsl_tokfile_spm **from,
              struct tsl_err *err);

/* Inputs, counts, temporary folders and resources; standard input only where there is
 * nothing else.  c->paths is to be given back with ctok_free_paths. */
int ctok_count_opts(struct tsl_countjob_opts *c, char **operands, size_t n,
                    struct tsl_err *err);

/* "words", "memory", "temporary" of --explain */
int ctok_explain_count(const struct tsl_countjob_opts *c,
                       const struct tsl_trainspec *spec, struct tsl_err *err);

/* Numbers of what was counted, for --stats. */
struct tsl_json;
void ctok_count_stats(struct tsl_json *w, const struct tsl_countjob_stats *st,
                      const struct tsl_wordcount_stats *sort);
/* Tells what was left out. */
void ctok_count_warnings(const struct tsl_countjob_stats *st);

#endif
