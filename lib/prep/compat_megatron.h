/* compat_megatron.h - the index maps of NVIDIA/Megatron-LM's helpers, entry for entry:
 * which sentences make a BERT sample, where in the stream a GPT sample begins, and how
 * data sets are blended.
 *
 * Kept, as they decide the result: a document with a sentence of more than 512 tokens is
 * left out whole; one draw decides both whether a sample is short and how long it is, so
 * not every length occurs; shuffling takes a remainder; entries stand in single precision
 * where theirs do.
 * Order: theirs.  Memory: the result's, grown as it comes.
 * Threads: pure functions.
 * Source: Megatron-LM d98e8a6 megatron/core/datasets/helpers.cpp: the algorithms, not the
 * code. */
#ifndef TSL_COMPAT_MEGATRON_H
#define TSL_COMPAT_MEGATRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Sentences first .. end, numbered through all documents, and the length aimed at. */
struct tsl_compat_megatron_row {
    uint64_t first, end;
    uint32_t target;
};

struct tsl_compat_megatron_opts {
    uint32_t epochs;
    uint64_t samples_max; /* looked at before each epoch */
    uint32_t length;      /* max_seq_length: 2 or more */
    double short_rate;    /* short_seq_prob */
    uint32_t seed;
    uint32_t sents_min; /* min_num_sent */
};

/* build_mapping, shuffled.  docs[ndocs + 1]: the first sentence of each document; sizes:
 * tokens of each sentence.  *rows is to be freed by tsl_mem_free. */
int tsl_compat_megatron_mapping(const uint64_t *docs, uint64_t ndocs,
                                const uint32_t *sizes,
                                const struct tsl_compat_megatron_opts *o,
                                struct tsl_compat_megatron_row **rows, uint64_t *nrows,
                                struct tsl_err *err);

/* build_sample_idx: nsamples + 1 pairs (place in document_idx, token in that document)
 * where samples of length tokens begin.  sizes: tokens of each document; document_idx[n]:
 * documents in their shuffled order, all epochs of them.  extra: 1, as one token more is
 * read.  *pairs: 2 * (*nsamples + 1) numbers, to be freed by tsl_mem_free.  Whole samples
 * only (drop_last_partial_sequence). */
int tsl_compat_megatron_sample_idx(const uint32_t *sizes, const uint32_t *document_idx,
                                   uint64_t n, uint32_t length, uint32_t extra,
                                   uint64_t **pairs, uint64_t *nsamples,
                                   struct tsl_err *err);

/* build_blending_indices: of size samples, which data set each is of, and its number
 * there: always the set that lags most behind its weight, the first of equals. */
void tsl_compat_megatron_blend(const double *weights, uint32_t nsets, uint64_t size,
                               uint16_t *sets, uint64_t *numbers, uint64_t *taken);

#endif
