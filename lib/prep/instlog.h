/* instlog.h - masked instances in few bytes each, to be taken out in any order.
 *
 * The peers' scripts draw all instances from one generator and then shuffle them.  A
 * generator cannot be set back to where an instance began (its state is 2.5 KB, and
 * jumping there takes a millisecond), and 128 tokens of an instance are 256 bytes or
 * more.  What must be kept is what was drawn: two stretches of documents, the masked
 * places and what is shown there; the rest stands in the documents.  That is some 20
 * bytes and one to two for each masked place, so 40 for 128 tokens and 8 more for the
 * place in the order.
 *
 * Order: the caller's.  Memory: as above; mapped 16 MiB at a time.
 * Threads: reading (at) may be done by many, each with documents and a sample of its
 *   own; writing by one. */
#ifndef TSL_INSTLOG_H
#define TSL_INSTLOG_H

#include <stdbool.h>

#include "prep/docs.h"
#include "prep/sample.h"

/* [at, at + len) of a document's tokens. */
struct tsl_stretch {
    uint64_t doc;
    uint32_t at, len;
};

/* What is drawn for one instance of two segments. */
struct tsl_instance {
    struct tsl_stretch a, b;
    uint8_t label;
    /* masks: bit i of chosen says that place i is one, shown[i] what is seen there */
    const uint64_t *chosen; /* [(n + 63) / 64] for n = a.len + b.len + 3 places */
    const uint32_t *shown;  /* an id, or TSL_INSTANCE_KEPT: the document's own */
};

#define TSL_INSTANCE_KEPT UINT32_MAX

struct tsl_instlog;

/* Instances of at most tokens_max tokens, which are special's [CLS] A [SEP] B [SEP].
 * special is copied. */
int tsl_instlog_create(struct tsl_instlog **log, const struct tsl_special_ids *special,
                       uint32_t tokens_max, struct tsl_err *err);
void tsl_instlog_destroy(struct tsl_instlog *log);

/* Copies one to the end. */
int tsl_instlog_put(struct tsl_instlog *log, const struct tsl_instance *inst,
                    struct tsl_err *err);

uint64_t tsl_instlog_count(const struct tsl_instlog *log);

/* Bytes held, the order's included. */
uint64_t tsl_instlog_bytes(const struct tsl_instlog *log);

/* The order of at(): places of instances, to be shuffled by the caller. [count] */
uint64_t *tsl_instlog_order(struct tsl_instlog *log);

/* Where a sample's starts come from; NULL: documents say. */
struct tsl_instlog_starts {
    bool wanted; /* else they are anything */
    const uint8_t
        *continues; /* one bit an id that continues a word; NULL: documents say */
};

/* The instance that stands at i of the order, from documents docs.  0 or an error;
 * TSL_EFORMAT where docs are not those that the instances were made of. */
int tsl_instlog_at(const struct tsl_instlog *log, uint64_t i, const struct tsl_docs *docs,
                   const struct tsl_instlog_starts *starts, struct tsl_sample *s,
                   struct tsl_err *err);

#endif
