/* trainfields.h - a training sample out of a record, whatever its fields are called and typed:
 * cmask's own layouts, the features of BERT's scripts, what Hugging Face's models take, or
 * token ids alone.
 *
 * Fields are found by name (X below) and taken as any whole numbers; floats are taken where
 * they are weights.  Padding (where input_mask or attention_mask is 0)
 * goes.
 * Order: a pure function of the record.
 * Memory: the sample's arrays grow as need be.
 * Threads: read-only once found. */
#ifndef TSL_TRAINFIELDS_H
#define TSL_TRAINFIELDS_H

#include "prep/sample.h"
#include "record/record.h"

/* X(enumerator, names in the order in which they are looked for, each with \0 behind it) */
#define TSL_TRAINFIELDS(X)                                                               \
    X(TSL_FIELD_IDS, "input_ids\0ids\0tokens\0")                                         \
    X(TSL_FIELD_KEY, "key\0")                                                            \
    X(TSL_FIELD_MASK, "input_mask\0attention_mask\0") /* 1: a token, 0: padding */       \
    X(TSL_FIELD_SEGMENTS, "segment_ids\0token_type_ids\0")                               \
    X(TSL_FIELD_FIRST, "first\0") /* tokens of the first segment */                      \
    X(TSL_FIELD_LABEL, "label\0next_sentence_labels\0next_sentence_label\0")             \
    X(TSL_FIELD_STARTS, "starts\0token_boundary\0") /* 1: a word starts */               \
    X(TSL_FIELD_PLACES, "places\0masked_lm_positions\0")                                 \
    X(TSL_FIELD_TARGETS, "targets\0masked_lm_ids\0")                                     \
    X(TSL_FIELD_WEIGHTS, "masked_lm_weights\0") /* 0: not a masked place */              \
    X(TSL_FIELD_LABELS, "labels\0") /* of each token what stood there, or -100 */        \
    X(TSL_FIELD_ENDS, "ends\0")     /* of packed documents */                            \
    X(TSL_FIELD_POSITIONS, "positions\0position_ids\0")                                  \
    X(TSL_FIELD_KIND, "kind\0")                                                          \
    X(TSL_FIELD_PREFIX, "prefix\0")                                                      \
    X(TSL_FIELD_OUTS, "outs\0") /* of a decoder; targets, where there are no places */

enum tsl_trainfield {
#define X(id, names) id,
    TSL_TRAINFIELDS(X)
#undef X
        TSL_NTRAINFIELDS
};

struct tsl_trainfields {
    int column[TSL_NTRAINFIELDS]; /* -1: there is none */
    enum tsl_dtype type[TSL_NTRAINFIELDS];
    uint32_t count[TSL_NTRAINFIELDS]; /* values in each record; 0: any number */
    bool ids_only; /* no more than tokens: documents, or windows of them */
    bool masked;   /* what is to be predicted is in the records */
};

/* TSL_EFORMAT where there are no token ids, or fields do not fit together; name stands in
 * messages, and the columns that there are. */
int tsl_trainfields_find(struct tsl_trainfields *f, const struct tsl_schema *s,
                         const char *name, struct tsl_err *err);
/* "input_ids, segment_ids, ...": what was found, as the columns are called.  At most cap
 * bytes, the NUL among them. */
void tsl_trainfields_tell(const struct tsl_trainfields *f, const struct tsl_schema *s,
                          char *to, size_t cap);

/* Fills s, which init made; its address is the key, or where there is none the record's
 * number.  TSL_EFORMAT says what is wrong with the record (not which one it is). */
int tsl_trainfields_read(const struct tsl_trainfields *f, const struct tsl_record *rec,
                         struct tsl_sample *s, struct tsl_err *err);

/* v's whole numbers of type t, from at on n of them, as ids: true, or false where one is not in
 * [0, 2^32). */
bool tsl_trainfields_ids(uint32_t *to, enum tsl_dtype t, const struct tsl_value *v,
                         uint32_t at, uint32_t n);

#endif
