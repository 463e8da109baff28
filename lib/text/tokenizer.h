/* tokenizer.h - the face of the room: a vocabulary file of any kind becomes a tokenizer,
 * which encodes and decodes as the tool that the file was made for.
 *
 * Order: tokens as in the text.  The same ids for any memory, thread count, cache and
 * cutting into stretches.
 * Memory: the vocabulary, and for each coder what create was given.
 * Threads: a tokenizer is read-only once open; a coder has one owner. */
#ifndef TSL_TOKENIZER_H
#define TSL_TOKENIZER_H

#include "base/rowbatch.h"
#include "base/slice.h"
#include "base/specialtok.h"
#include "text/tokens.h"
#include "text/vocab.h"

enum tsl_tokenizer_kind {
    TSL_TOKENIZER_BERT,     /* vocab.txt */
    TSL_TOKENIZER_GPT2,     /* vocab.json and merges.txt */
    TSL_TOKENIZER_TIKTOKEN, /* .tiktoken */
    TSL_TOKENIZER_HF,       /* tokenizer.json */
    TSL_TOKENIZER_SPM       /* SentencePiece's .model */
};

enum tsl_rules { TSL_RULES_HF, TSL_RULES_GOOGLE, TSL_RULES_BERT4KERAS };
enum tsl_invalid { TSL_INVALID_REPLACE, TSL_INVALID_ERROR, TSL_INVALID_BYTES };
enum tsl_case { TSL_CASE_AUTO, TSL_CASE_LOWER, TSL_CASE_KEEP };

struct tsl_tokenizer_opts {
    enum tsl_rules rules;    /* vocab.txt */
    enum tsl_case lowercase; /* vocab.txt; AUTO: keep where the vocabulary has capitals */
    const char *pattern;     /* .tiktoken: r50k, cl100k, o200k; NULL: by the size */
    enum tsl_invalid invalid; /* what ill-formed UTF-8 becomes */
    bool plain_specials;      /* special tokens' text in the input is ordinary text */
    bool slow;                /* not the fast engine: an oracle for tests */
    const char *words;        /* a user's word list; NULL: none (words.h) */
};

struct tsl_tokenizer;
struct tsl_coder;

/* path: a file, or a folder with tokenizer.json, or vocab.json and merges.txt, or
 * vocab.txt, or one .model or .tiktoken (in this order; a folder's vocab.txt comes first
 * where the rules are not Hugging Face's).  The kind of a file is told by content, and it
 * may be compressed.  TSL_EFORMAT for a file that is malformed, TSL_EUSAGE for options that
 * do not fit it. */
int tsl_tokenizer_open(struct tsl_tokenizer **t, const char *path,
                       const struct tsl_tokenizer_opts *o, struct tsl_err *err);
void tsl_tokenizer_destroy(struct tsl_tokenizer *t);

enum tsl_tokenizer_kind tsl_tokenizer_kind(const struct tsl_tokenizer *t);
const char *tsl_tokenizer_engine(const struct tsl_tokenizer *t);
const struct tsl_vocab *tsl_tokenizer_vocab(const struct tsl_tokenizer *t);
/* Whether encoding or wrapping gives texts of tokens (TSL_WANT_TEXTS) where they are not as
 * the vocabulary spells them; other tokenizers have none such, and do not take the wish. */
bool tsl_tokenizer_says(const struct tsl_tokenizer *t);
/* The text of token i, which came from tsl_coder_wrap or encoding; data NULL: as the
 * vocabulary spells it.  Lent until the list's store changes. */
struct tsl_slice tsl_tokenizer_said(const struct tsl_tokenizer *t,
                                    const struct tsl_tokens *tokens, size_t i);
/* How many ids there can be: the vocabulary's and the added tokens'. */
uint32_t tsl_tokenizer_size(const struct tsl_tokenizer *t);
/* A token as its file spells it, UTF-8 where the kind has such (Ġthe, ##ing, ▁the); a
 * .tiktoken's in the alphabet of bytealpha.h.  Returns its bytes, of which at most cap are
 * written, and a NUL if there is room; -1 where no token has this id. */
int tsl_tokenizer_spell(const struct tsl_tokenizer *t, uint32_t id, char *buf,
                        size_t cap);
/* Ids of special tokens by use; -1 where the vocabulary has none. */
struct tsl_special_tokens tsl_tokenizer_specials(const struct tsl_tokenizer *t);
/* Whether wrap truncates or pads: the file says so. */
bool tsl_tokenizer_cuts(const struct tsl_tokenizer *t);
/* Warnings met while the file was read, one line each; NULL after the last. */
const char *tsl_tokenizer_warning(const struct tsl_tokenizer *t, size_t i);

struct tsl_coder *tsl_coder_create(const struct tsl_tokenizer *t, size_t memory,
                                   struct tsl_err *err);
void tsl_coder_destroy(struct tsl_coder *c);

/* See tsl_engine.encode.  Adds to out. */
int tsl_coder_encode(struct tsl_coder *c, struct tsl_slice text, bool first, bool last,
                     size_t *used, struct tsl_tokens *out, struct tsl_err *err);

/* Many whole rows at once: see tsl_engine.encode_rows. */
int tsl_coder_encode_rows(struct tsl_coder *c, const uint8_t *bytes,
                          const struct tsl_row *rows, size_t nrows,
                          struct tsl_tokens *out, size_t *ends, struct tsl_err *err);

/* Puts the file's template around one text's tokens, or a pair's (b NULL: none): [CLS] a
 * [SEP] b [SEP] and what else the file says; truncation and padding, too, where a
 * tokenizer.json asks for them: then a pair needs marks to be cut as the peer does.  type_ids: out->n of them in *type_ids, grown;
 * NULL: not wanted. */
int tsl_coder_wrap(struct tsl_coder *c, const struct tsl_tokens *a,
                   const struct tsl_tokens *b, struct tsl_tokens *out, uint8_t **type_ids,
                   size_t *type_cap, struct tsl_err *err);

/* The text of n ids, added to *text (grown); skip_special: without those of the template.
 * An id out of range is TSL_EFORMAT and names it. */
int tsl_coder_decode(struct tsl_coder *c, const uint32_t *ids, size_t n,
                     bool skip_special, uint8_t **text, size_t *len, size_t *cap,
                     struct tsl_err *err);

/* Ill-formed parts met so far, and tokens that stand for unknown text. */
struct tsl_coder_counts {
    uint64_t invalid, unknown;
};
struct tsl_coder_counts tsl_coder_counts(const struct tsl_coder *c);

#endif
