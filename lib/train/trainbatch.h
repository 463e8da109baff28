/* trainbatch.h - what one training step sees: rows of padded tokens, and what is to be said
 * of them.
 *
 * One layout for all objectives; what an objective does not have is filled so that it says
 * nothing (-100, -1, 0).
 *   mlm, nsp, sop, electra   masked_positions and masked_labels, the same as labels
 *   clm, prefix              labels: of each token the next one, where it is to be said
 *   unilm                    masked_positions as mlm, and kind and prefix of each row
 *   plm                      position_ids; kind and prefix; targets stand from prefix on:
 *                            masked_positions at them, labels at the tokens before them
 *   span, ul2                decoder_ids and decoder_labels
 *   mae                      position_ids of the tokens that are left; masked_positions is
 *                            row * tokens_max + the position of a token that is not
 * Order: rows as they were put.
 * Memory: fixed when it is made.
 * Threads: one owner. */
#ifndef TSL_TRAINBATCH_H
#define TSL_TRAINBATCH_H

#include "prep/sample.h"

/* X(enumerator, name) */
#define TSL_TRAIN_KINDS(X)                                                               \
    X(TSL_TRAIN_MLM, "mlm") /* nsp and sop, too: those have labels of rows beside it */  \
    X(TSL_TRAIN_CLM, "clm")                                                              \
    X(TSL_TRAIN_SPAN, "span") /* ul2, too */                                             \
    X(TSL_TRAIN_PREFIX, "prefix")                                                        \
    X(TSL_TRAIN_UNILM, "unilm")                                                          \
    X(TSL_TRAIN_PLM, "plm")                                                              \
    X(TSL_TRAIN_MAE, "mae")                                                              \
    X(TSL_TRAIN_ELECTRA, "electra")

enum tsl_train_kind {
#define X(id, name) id,
    TSL_TRAIN_KINDS(X)
#undef X
        TSL_NTRAIN_KINDS
};
const char *tsl_train_kind_name(enum tsl_train_kind k);

enum { TSL_IGNORE = -100 }; /* a label of what is not to be predicted */

struct tsl_trainbatch_shape {
    enum tsl_train_kind kind;
    uint32_t rows_max;   /* B */
    uint32_t tokens_max; /* T */
    uint32_t masks_max;  /* P, of a row; 0: none are masked */
    uint32_t outs_max;   /* D, of a row; 0: there is no decoder */
    uint32_t vocab_size; /* ids below it; 0: not known */
    int32_t pad;         /* fills input_ids and decoder_ids */
    int32_t outs_begin;  /* the decoder's first input (T5: pad) */
};

struct tsl_trainbatch {
    struct tsl_trainbatch_shape shape;
    uint32_t rows;     /* that hold a sample, at the front; the others are all padding */
    uint64_t position; /* of the first row in the whole run */
    uint64_t next;     /* where the batch behind it begins: what a checkpoint keeps */

    /* [B, T] */
    int32_t *input_ids;
    int32_t *segment_ids;  /* 0, or 1 in a second segment */
    int32_t *position_ids; /* 0, 1, ..., unless the sample says otherwise; padding 0 */
    int32_t
        *doc_ids; /* which of the documents packed into the row: 0, 1, ...; padding -1 */
    int32_t *labels; /* TSL_IGNORE where nothing is to be said */
    /* [B] */
    int32_t *lengths;    /* tokens of the row; 0: none */
    int32_t *kinds;      /* enum tsl_sample_kind: who sees whom */
    int32_t *prefix;     /* of TSL_SAMPLE_PREFIX: tokens that all see */
    int32_t *nsp_labels; /* nsp: 1 random next; sop: 1 swapped; -1: there is none */
    /* [B * P]: row * T + place, ascending, nmasked of them and then -1; ids, and then
     * TSL_IGNORE */
    int32_t *masked_positions, *masked_labels;
    uint32_t nmasked;
    /* [B, D]; NULL where there is no decoder.  decoder_ids: outs_begin and then what was to
     * be said so far; decoder_labels: what is to be said next, or TSL_IGNORE */
    int32_t *decoder_ids, *decoder_labels;
    int32_t *decoder_lengths; /* [B] */

    uint64_t ntokens;  /* input tokens that are not padding */
    uint64_t nouts;    /* the same of the decoder */
    uint64_t nlabels;  /* labels, or decoder labels, that are not TSL_IGNORE */
    uint64_t *records; /* [B]: which record of its set the row is */
    uint64_t *epochs;  /* [B]: of that set */
    uint32_t *sets;    /* [B] */
};

/* TSL_EUSAGE for a shape that cannot be: no rows, no tokens, more than 2^31 places. */
int tsl_trainbatch_init(struct tsl_trainbatch *b, const struct tsl_trainbatch_shape *s,
                        struct tsl_err *err);
void tsl_trainbatch_fini(struct tsl_trainbatch *b);
uint64_t tsl_trainbatch_bytes(const struct tsl_trainbatch_shape *s);
/* Without rows, all padding. */
void tsl_trainbatch_clear(struct tsl_trainbatch *b);
/* The next row, which there must be room for.  Of clm and prefix, a sample may have one
 * token more than T, which is a label only.  TSL_EFORMAT where the sample does not fit (more
 * tokens, masks or outs than there is room for) or has ids outside of the vocabulary; the
 * batch is then to be cleared. */
int tsl_trainbatch_put(struct tsl_trainbatch *b, const struct tsl_sample *s,
                       struct tsl_err *err);

#endif
