/* samplerec.h - samples as records, and back: which columns, of what type, padded or not.
 *
 * Layouts:
 *   native  what dynamic masking needs and gives: key (the address), input_ids, starts (until
 *           it is masked), first (tokens of the first segment), label, ends (of the documents'
 *           pieces), positions, kind and prefix (prep/sample.h), and once masked places and
 *           targets, or outs (what a decoder says); nothing padded
 *   plain   the fields of google-research's scripts, not padded: input_ids, segment_ids,
 *           masked_lm_positions, masked_lm_ids, next_sentence_labels, token_boundary
 *   bert    the seven features of google-research/bert, padded with 0 to tokens_max and
 *           masks_max: input_ids, input_mask, segment_ids, masked_lm_positions,
 *           masked_lm_ids, masked_lm_weights, next_sentence_labels
 *   hf      what Hugging Face's models take, padded: input_ids, attention_mask,
 *           token_type_ids, labels (-100 where nothing is to be predicted),
 *           next_sentence_label
 * Memory: one record.
 * Threads: one owner. */
#ifndef TSL_SAMPLEREC_H
#define TSL_SAMPLEREC_H

#include "prep/sample.h"
#include "record/record.h"

/* Objectives may make samples a few tokens longer than they came: sentinels, a separator. */
enum { TSL_SAMPLE_SLACK = 8 };

enum tsl_sample_layout {
    TSL_LAYOUT_NATIVE,
    TSL_LAYOUT_PLAIN,
    TSL_LAYOUT_BERT,
    TSL_LAYOUT_HF
};

/* What samples have, and so which columns. */
struct tsl_sample_shape {
    enum tsl_sample_layout layout;
    bool labels, masked, starts; /* starts: word starts, also of masked samples */
    bool ends, positions, kinds, outs;
    bool wide;                      /* ids do not fit 16 bits */
    uint32_t tokens_max, masks_max; /* of padded layouts */
    uint32_t pad;                   /* id of padding; of google's layout 0 */
};

struct tsl_samplerec {
    struct tsl_sample_shape shape;
    struct tsl_schema schema;
    struct tsl_value values[TSL_COLUMNS_MAX];
    uint8_t *buf[TSL_COLUMNS_MAX]; /* of each column, as large as a sample's can be */
    uint32_t tokens_cap;
};

/* Samples of up to tokens_cap tokens.  TSL_EUSAGE for a layout that cannot hold the shape. */
int tsl_samplerec_init(struct tsl_samplerec *r, const struct tsl_sample_shape *shape,
                       uint32_t tokens_cap, struct tsl_err *err);
void tsl_samplerec_fini(struct tsl_samplerec *r);
/* rec->values is lent until the next call. */
int tsl_samplerec_fill(struct tsl_samplerec *r, const struct tsl_sample *s,
                       struct tsl_record *rec, struct tsl_err *err);

/* How a native record is read back. */
struct tsl_samplecols {
    /* columns; -1: there is none */
    int key, ids, starts, first, label, places, targets, ends, positions, kind, prefix,
        outs;
    enum tsl_dtype id_type;
};
/* TSL_EFORMAT for a schema that is not one of samples; name stands in messages. */
int tsl_samplecols_find(struct tsl_samplecols *c, const struct tsl_schema *s,
                        const char *name, struct tsl_err *err);
/* Fills s, whose arrays grow as need be.  TSL_EFORMAT for a record that is none. */
int tsl_samplecols_read(const struct tsl_samplecols *c, const struct tsl_record *rec,
                        struct tsl_sample *s, struct tsl_err *err);

#endif
