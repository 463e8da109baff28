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
    uint8_t type_id;
    bool left;
};

enum tsl_postproc_kind { TSL_POSTPROC_FIRST, TSL_POSTPROC_SECOND, TSL_POSTPROC_ID };

struct tsl_postproc_piece {
    enum tsl_postproc_kind kind;
    uint32_t id; /* TSL_POSTPROC_ID */
    uint8_t type_id;
    uint8_t type_rest; /* of what truncation cuts off: the peer sets it elsewhere */
    uint8_t part;      /* ours: encodings of the peer that are still apart */
};

struct tsl_postproc_list {
    struct tsl_postproc_piece *list;
    size_t n, cap;
    size_t nids; /* pieces that are ids */
    uint8_t nparts;
};

enum { TSL_POSTPROC_TRIMS = 4 };

struct tsl_postproc {
    struct tsl_postproc_list lists[2][2]; /* [pair][with special tokens] */
    unsigned ntrims;
    bool trim_prefix[TSL_POSTPROC_TRIMS]; /* add_prefix_space of each trimming */
};

/* As without any post-processor: the tokens, type id 0 and 1. */
int tsl_postproc_init(struct tsl_postproc *p, struct tsl_err *err);
void tsl_postproc_fini(struct tsl_postproc *p);

/* Each adds one post-processor behind those that there are. */
int tsl_postproc_bert(struct tsl_postproc *p, uint32_t cls, uint32_t sep,
                      struct tsl_err *err);
int tsl_postproc_roberta(struct tsl_postproc *p, uint32_t cls, uint32_t sep,
                         bool trim_offsets, bool add_prefix_space, struct tsl_err *err);
int tsl_postproc_byte_level(struct tsl_postproc *p, bool trim_offsets,
                            bool add_prefix_space, struct tsl_err *err);
/* kind, id and type_id of each piece count.  TSL_EFORMAT behind another template, or with
 * the second text in single (there the peer aborts). */
int tsl_postproc_template(struct tsl_postproc *p, const struct tsl_postproc_piece *single,
                          size_t nsingle, const struct tsl_postproc_piece *pair,
                          size_t npair, struct tsl_err *err);

/* Special tokens that are added: what truncation leaves room for. */
size_t tsl_postproc_added(const struct tsl_postproc *p, bool pair);

/* The span [*begin, *end) of a token of text without the white space that the token, as it
 * is spelled, begins and ends with; first: it is the row's first token, or begins at its
 * first byte. */
void tsl_postproc_trim(const struct tsl_postproc *p, struct tsl_slice token, bool first,
                       struct tsl_slice text, uint32_t *begin, uint32_t *end);

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
