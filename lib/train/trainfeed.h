/* trainfeed.h - batches of the loader into a model's inputs.
 *
 * Order: none of its own.
 * Memory: none; tsl_trainfeed_save copies into the caller's.
 * Threads: pure, but for what it writes. */
#ifndef TSL_TRAINFEED_H
#define TSL_TRAINFEED_H

#include "nn/model.h"
#include "train/trainset.h"

/* What a model is asked for samples of that shape and kind.  TSL_EUSAGE where this kind of
 * model cannot do it (a decoder's samples for an encoder, ...), with what could. */
int tsl_trainfeed_task(struct tsl_model_task *task, const struct tsl_modelconfig *c,
                       const struct tsl_trainbatch_shape *shape,
                       const struct tsl_trainset_info *info, struct tsl_err *err);

/* Has the model what a batch asks for: its tokens, segments and positions, and the classes of
 * labels?  Kernels take that for granted.  TSL_EFORMAT names the record, its set and what the
 * model has not. */
int tsl_trainfeed_check(const struct tsl_trainbatch *b, const struct tsl_model_task *task,
                        const struct tsl_modelconfig *c, struct tsl_err *err);

/* How many labels a batch has of each loss. */
struct tsl_trainfeed_counts {
    uint64_t masked, pairs, labels, tokens;
};
void tsl_trainfeed_count(const struct tsl_trainbatch *b,
                         const struct tsl_model_task *task,
                         struct tsl_trainfeed_counts *n);

/* Bytes that a batch takes as inputs. */
size_t tsl_trainfeed_bytes(const struct tsl_model_inputs *in);
/* The batch as the inputs would have it, into bytes. */
void tsl_trainfeed_save(const struct tsl_trainbatch *b, const struct tsl_model_task *task,
                        const struct tsl_model_inputs *in, void *bytes);
/* What save has put there, into the inputs.  counts: what losses are divided by. */
void tsl_trainfeed_put(const struct tsl_model_inputs *in, const void *bytes,
                       const struct tsl_trainfeed_counts *counts);

#endif
