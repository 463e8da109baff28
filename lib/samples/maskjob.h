/* maskjob.h - a whole run: documents of ids into samples, files to a file: what cmask runs.
 *
 * Order: samples in the order of their documents, copy after copy; with compat the peer's own.
 *   The output depends on documents, options, seed and epoch alone.
 * Memory: opts.memory: the documents, a batch of samples for each thread; with compat some 50
 *   bytes an instance beside it (compat_pair.h).  Where every sample is made of documents that
 *   are near each other, they pass by (docring.h), and samples come out long before the input
 *   ends; else all documents are kept (docstore.h).
 * Threads: opts.nthreads make samples, one writes. */
#ifndef TSL_MASKJOB_H
#define TSL_MASKJOB_H

#include "prep/bestfit.h"
#include "prep/compat_albert.h"
#include "prep/compat_bert.h"
#include "prep/compat_electra.h"
#include "prep/dochist.h"
#include "prep/pack.h"
#include "prep/pair.h"
#include "prep/twoseg.h"
#include "samples/denoise.h"
#include "samples/docread.h"
#include "samples/samplerec.h"

enum tsl_maskjob_kind {
    TSL_MASKJOB_PAIR,    /* next sentence or sentence order */
    TSL_MASKJOB_TWOSEG,  /* one or two segments without a label */
    TSL_MASKJOB_PACK,    /* documents packed one behind the other */
    TSL_MASKJOB_BESTFIT, /* documents packed without cutting them */
    TSL_MASKJOB_COMPAT_BERT,
    TSL_MASKJOB_COMPAT_ALBERT,
    TSL_MASKJOB_COMPAT_ELECTRA
};

struct tsl_maskjob_opts {
    struct tsl_docread_opts docs; /* memory and progress are the job's to fill */
    const char *temp_dir;
    enum tsl_maskjob_kind kind;
    /* special ids, where the streams do not say: -1 each */
    struct tsl_special_ids special;
    /* Asked once the streams' ids are known, for what depends on them; may be NULL. */
    int (*specials_known)(struct tsl_maskjob_opts *o,
                          const struct tsl_special_ids *special, struct tsl_err *err);
    struct tsl_pair_opts pair;
    struct tsl_twoseg_opts twoseg;
    struct tsl_pack_opts pack; /* also of BESTFIT */
    struct tsl_denoise_opts denoise;
    struct tsl_compat_pair_opts bert;
    struct tsl_compat_albert_opts albert;
    struct tsl_compat_electra_opts electra;
    uint64_t seed, epoch;
    uint32_t copies; /* --static: so many masked copies; 0: samples for masking on read */
    const char *objective; /* as the header names it */
    const char *output;    /* NULL: standard output */
    bool jsonl;            /* lines with the peers' fields, else native records */
    int zstd_level;        /* of native blocks; 0: none */
    const char *made_by;
    uint64_t memory;
    unsigned nthreads;
    struct tsl_progress *progress; /* may be NULL */
    /* Where the recipe goes that travels with native records (maskmeta.h), but for synonyms and
     * reserved ids: for tsl_mem_free, NULL after an error.  NULL: nobody asks. */
    char **recipe;
};

struct tsl_maskjob_stats {
    struct tsl_docread_counts docs;
    struct tsl_pair_stats pair;
    struct tsl_pack_stats pack;
    uint64_t bins_waste; /* of BESTFIT: places that nothing was found for */
    struct tsl_denoise_stats denoise;
    uint64_t samples, tokens, masked, label1;
    uint64_t
        lengths[17]; /* samples by length: 16ths of tokens_max, the last: the longest */
    struct tsl_dochist contribution; /* of COMPAT_ELECTRA all 0 */
    uint64_t bytes_out;
    unsigned nthreads;
    double seconds;
};

/* Can the first sample be made only when all documents were read? */
bool tsl_maskjob_needs_all(const struct tsl_maskjob_opts *o);

int tsl_maskjob_run(const struct tsl_maskjob_opts *o, struct tsl_maskjob_stats *st,
                    struct tsl_err *err);

#endif
