/* postproc.h - what stands around the tokens of a text or of a pair: special tokens, type
 * ids, truncation, padding.
 *
 * Every post-processor of a tokenizer.json, and any sequence of them, comes down to a list
 * of pieces: the first text's tokens, the second's, single ids.
 * Source: huggingface/tokenizers 0.23: processors/, utils/truncation.rs, utils/padding.rs,
 * tokenizer/encoding.rs.
 * Order: as the list says.
 * Memory: the lists; wrapping grows what the caller gives.
 * Threads: read-only once made. */
#ifndef TSL_POSTPROC_H
#define TSL_POSTPROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/tokens.h"

enum tsl_truncation_strategy {
    TSL_TRUNCATE_LONGEST_FIRST,
    TSL_TRUNCATE_ONLY_FIRST,
    TSL_TRUNCATE_ONLY_SECOND
};

struct tsl_truncation {
    size_t max_length, stride; /* tokens; max_length counts the special ones, too */
    enum tsl_truncation_strategy strategy;
    bool left; /* what is cut off is at the beginning */
};

struct tsl_padding {
    size_t fixed;    /* to this length; 0: to the batch's longest, here the text itself */
    size_t multiple; /* and up to a multiple of this; 0: no */
    uint32_t id;
    uint16_t name; /* as in struct tsl_postproc_token */
    uint8_t type_id;
    bool left;
};

/* A token that is put in.  The file spells it there once more: name is 1 + the place of
 * that spelling in the post-processor's names, 0 for as the vocabulary has it. */
struct tsl_postproc_token {
    uint32_t id;
    uint16_t name;
};

enum tsl_postproc_kind {
    TSL_POSTPROC_FIRST,
    TSL_POSTPROC_SECOND,
    TSL_POSTPROC_ID,
    TSL_POSTPROC_NOTHING /* only to tsl_postproc_template: a special token of no ids */
};

struct tsl_postproc_piece {
    enum tsl_postproc_kind kind;
    uint32_t id;   /* TSL_POSTPROC_ID */
    uint16_t name; /* as in struct tsl_postproc_token */
    bool more;     /* one more id of the special token whose id is in front of it */
    uint8_t type_id;
    uint8_t type_rest; /* of what truncation cuts off: the peer sets it elsewhere */
    uint8_t part;      /* ours: encodings of the peer that are still apart */
};

struct tsl_postproc_list {
    struct tsl_postproc_piece *list;
    size_t n, cap;
    size_t nids;  /* pieces that are ids */
    size_t added; /* those that the peer thinks it adds */
    uint8_t nparts;
    uint8_t too_many; /* parts that a template was to be put around: the peer aborts */
};

enum { TSL_POSTPROC_TRIMS = 4 };

struct tsl_postproc {
    struct tsl_postproc_list lists[2][2]; /* [pair][with special tokens] */
    unsigned ntrims;
    bool trim_prefix[TSL_POSTPROC_TRIMS]; /* add_prefix_space of each trimming */
    struct tsl_slice *names;              /* copies */
    size_t nnames, names_cap;
    bool named; /* by forget: a name is left, of a token or of padding */
};

/* As without any post-processor: the tokens, type id 0 and 1. */
int tsl_postproc_init(struct tsl_postproc *p, struct tsl_err *err);
void tsl_postproc_fini(struct tsl_postproc *p);

/* Sets *name to that of text (copied), a new one or one that is there.  TSL_EFORMAT where
 * there are TSL_TOKENS_NAMES. */
int tsl_postproc_name(struct tsl_postproc *p, struct tsl_slice text, uint16_t *name,
                      struct tsl_err *err);
/* Forgets the name of every token that is spelled so without it: as spell (ctx) says. */
void tsl_postproc_forget(struct tsl_postproc *p, struct tsl_padding *pad,
                         struct tsl_slice (*spell)(const void *ctx, uint32_t id),
                         const void *ctx);
/* The name of token i of what tsl_postproc_wrap has put out; data NULL: it has none. */
struct tsl_slice tsl_postproc_named(const struct tsl_postproc *p,
                                    const struct tsl_tokens *t, size_t i);

/* Each adds one post-processor behind those that there are. */
int tsl_postproc_bert(struct tsl_postproc *p, struct tsl_postproc_token cls,
                      struct tsl_postproc_token sep, struct tsl_err *err);
int tsl_postproc_roberta(struct tsl_postproc *p, struct tsl_postproc_token cls,
                         struct tsl_postproc_token sep, bool trim_offsets,
                         bool add_prefix_space, struct tsl_err *err);
int tsl_postproc_byte_level(struct tsl_postproc *p, bool trim_offsets,
                            bool add_prefix_space, struct tsl_err *err);
/* kind, id, name, more and type_id of each piece count.  As the peer has it, single is for
 * one encoding and pair for two, whichever texts they were: behind another template an
 * added token is one, too.  Where there are more, wrapping is TSL_EUSAGE.  TSL_EFORMAT with
 * the second text in single (there the peer aborts). */
int tsl_postproc_template(struct tsl_postproc *p, const struct tsl_postproc_piece *single,
                          size_t nsingle, const struct tsl_postproc_piece *pair,
                          size_t npair, struct tsl_err *err);

/* Special tokens that truncation leaves room for: those of each post-processor, without
 * those that one behind a template adds to each of its encodings. */
size_t tsl_postproc_added(const struct tsl_postproc *p, bool pair);

/* The span [*begin, *end) of a token of text without the white space that the token, as it
 * is spelled, begins and ends with; start: text begins where the row does; first: it is the
 * row's first token. */
void tsl_postproc_trim(const struct tsl_postproc *p, struct tsl_slice token, bool start,
                       bool first, struct tsl_slice text, uint32_t *begin, uint32_t *end);

/* The same; in *marks (NULL: no) is noted what would be otherwise, were it the first token, see enum tsl_token_mark, for truncation may give it to this one. */
void tsl_postproc_trim_noted(const struct tsl_postproc *p, struct tsl_slice token,
                             bool start, bool first, struct tsl_slice text,
                             uint32_t *begin, uint32_t *end, uint8_t *marks);

struct tsl_postproc_opts {
    bool plain;                              /* without special tokens */
    const struct tsl_truncation *truncation; /* NULL: none */
    const struct tsl_padding *padding;       /* NULL: none */
    bool one_piece; /* words are marked, but the model saw the text as a whole */
};

/* With truncation, what is there to be cut is what 0.23.2 has: it stops tokenizing a text
 * that the strategy may cut behind the piece with which there are max_length tokens (from
 * the end backwards where the left is cut off).  Versions up to 0.22 and from 0.23.3 on do
 * not stop.  It shows in what overflows, and in which of two long texts keeps the odd token.
 * For that the tokens need marks; without, each token is taken for a piece.
 *
 * Adds the tokens of a, or of the pair a and b (NULL: none), with what stands around them,
 * to out.  type_ids (NULL: not wanted): grown so that (*type_ids)[i] is that of out's token
 * i; they count from out's beginning, those that out had before are left alone.  Ids that
 * were put in have the mark TSL_TOKEN_SPECIAL and the span [0, 0).  TSL_EUSAGE where the
 * texts cannot be cut as truncation says. */
int tsl_postproc_wrap(const struct tsl_postproc *p, const struct tsl_tokens *a,
                      const struct tsl_tokens *b, const struct tsl_postproc_opts *o,
                      struct tsl_tokens *out, uint8_t **type_ids, size_t *type_cap,
                      struct tsl_err *err);

/* The peer's Encoding: what was cut off stands beside it, wrapped and padded alike. */
struct tsl_postproc_item {
    uint32_t id, begin, end;
    uint8_t type_id, marks;
    bool special, attention;
};

struct tsl_encoding {
    struct tsl_postproc_item *items;
    size_t n, cap;
    struct tsl_encoding *over; /* overflowing */
    size_t nover, over_cap;
};

/* The same as a tree.  out is zeroed before.  A pair that is cut into many parts has their
 * product: TSL_EUSAGE beyond 100,000 encodings. */
int tsl_postproc_tree(const struct tsl_postproc *p, const struct tsl_tokens *a,
                      const struct tsl_tokens *b, const struct tsl_postproc_opts *o,
                      struct tsl_encoding *out, struct tsl_err *err);
void tsl_encoding_fini(struct tsl_encoding *e);

#endif
