/* pack.h - documents packed into samples of a fixed length: what a sample consists of is
 * planned from lengths alone, and filled from the documents afterwards.
 *
 *   TSL_PACK_STREAM         all documents as one stream, cut every tokens_max tokens (GPT)
 *   TSL_PACK_SENTENCES      whole sentences as long as they fit, on across documents
 *                           (RoBERTa's FULL-SENTENCES; bert4keras)
 *   TSL_PACK_DOC_SENTENCES  the same within a document (RoBERTa's DOC-SENTENCES)
 *
 * A sample's ends say where each document's piece ends in it (cu_seqlens without the
 * leading 0), so that attention can be kept within documents.
 * Order: that of the documents as they are put.  Memory: 16 bytes for each token that a
 * sample can have, when the packer is made.
 * Threads: a packer has one owner; build is a pure function.
 * Sources: Radford et al. 2018, NVIDIA/Megatron-LM gpt_dataset (stream, one token of
 * overlap); Liu et al. 2019 and fairseq's token_block_dataset (complete, complete_doc);
 * bert4keras pretraining/data_utils.py. */
#ifndef TSL_PACK_H
#define TSL_PACK_H

#include "prep/docs.h"
#include "prep/sample.h"

enum tsl_pack_mode { TSL_PACK_STREAM, TSL_PACK_SENTENCES, TSL_PACK_DOC_SENTENCES };

struct tsl_pack_opts {
    enum tsl_pack_mode mode;
    uint32_t tokens_max; /* of a sample, first and last included */
    uint32_t overlap;    /* STREAM: so many tokens more, which the next one begins with;
                          * 1 for inputs and targets that are shifted by one */
    int64_t first, last; /* ids at a sample's begin and end; -1: none */
    int64_t doc_end;     /* an id behind each document; -1: none */
    bool cut_long;  /* a sentence that does not fit: the rest is dropped (bert4keras),
                          * not put into the next samples */
    bool drop_last; /* STREAM: the last sample, where it is not full */
    bool positions; /* samples have positions that start anew with each piece */
};

/* Tokens at .. at + len of a document; doc_end is the one behind its last. */
struct tsl_piece {
    uint64_t doc;
    uint32_t at, len;
};

struct tsl_pack_stats {
    uint64_t samples, tokens; /* first and last included */
    uint64_t docs, tokens_in; /* doc_end included */
    uint64_t tokens_dropped;  /* of long sentences, and of the last sample */
    uint64_t tokens_repeated; /* by overlap */
    uint64_t tokens_pad;      /* samples * (tokens_max + overlap) - tokens */
};

struct tsl_pack;

/* The three recipes; special says which ids there are. */
struct tsl_pack_opts tsl_pack_gpt(const struct tsl_special_ids *special);
struct tsl_pack_opts tsl_pack_roberta(const struct tsl_special_ids *special);
struct tsl_pack_opts tsl_pack_bert4keras(const struct tsl_special_ids *special);

/* TSL_EUSAGE where there is no room for a token. */
int tsl_pack_create(struct tsl_pack **p, const struct tsl_pack_opts *o,
                    struct tsl_err *err);
void tsl_pack_destroy(struct tsl_pack *p);

/* The next document; the one before must have been used up (next gave false).  sents:
 * lengths of its sentences, lent until then.  TSL_EFORMAT for 2^32 tokens or more. */
int tsl_pack_put(struct tsl_pack *p, uint64_t doc, const uint32_t *sents, size_t nsents,
                 struct tsl_err *err);

/* No document follows: next gives what is left. */
void tsl_pack_end(struct tsl_pack *p);

/* The next sample's pieces, lent until the next call; false: put the next document, or,
 * after end, there is no more. */
bool tsl_pack_next(struct tsl_pack *p, const struct tsl_piece **pieces, size_t *n);

const struct tsl_pack_stats *tsl_pack_stats(const struct tsl_pack *p);

/* The sample of these pieces; s has room for tokens_max + overlap.  TSL_EFORMAT where
 * docs are not what was planned from. */
int tsl_pack_build(const struct tsl_pack_opts *o, const struct tsl_piece *pieces,
                   size_t n, uint64_t address, const struct tsl_docs *docs,
                   struct tsl_sample *s, struct tsl_err *err);

#endif
