/* decodejob.h - ids back into text: what `ctok decode` runs.
 *
 * Order: the rows as they come.  The output depends on input, tokenizer and options, not on
 *   memory, threads or batches.
 * Memory: opts.memory, with what the process holds already; a row is decoded as a whole and
 *   may take an eighth of it.
 * Threads: opts.nthreads that decode, one that reads, the caller's writes. */
#ifndef TSL_DECODEJOB_H
#define TSL_DECODEJOB_H

#include "io/inputs.h"
#include "io/sink.h"
#include "text/tokenizer.h"

enum tsl_decode_format {
    TSL_DECODE_IDS,    /* a line of numbers with blanks between them is a row */
    TSL_DECODE_JSONL,  /* a field of each JSON line: an array of numbers */
    TSL_DECODE_STREAM, /* tokstream.h: a document is a row */
    TSL_DECODE_U16,    /* little-endian; row_ids of them are a row, or each file is one */
    TSL_DECODE_U32
};

struct tsl_decodejob_opts {
    char *const *paths; /* as for inputs.h */
    size_t npaths;
    enum tsl_decode_format format;
    const char *field;      /* TSL_DECODE_JSONL */
    uint64_t row_ids;       /* TSL_DECODE_U16, U32; 0: the whole file */
    bool skip_special;      /* leave special tokens out */
    struct tsl_frame frame; /* of the rows that are written ... */
    bool json;              /* ... if they are not {"text":".."} */
    const char *output;     /* NULL: standard output */
    enum tsl_codec codec;
    int level;
    size_t memory, held; /* see encodejob.h */
    unsigned nthreads;
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_decodejob_stats {
    uint64_t rows, tokens, bytes; /* bytes: of the texts */
    uint64_t bytes_out;
    unsigned nthreads;
    double seconds;
};

int tsl_decodejob_run(const struct tsl_decodejob_opts *o, const struct tsl_tokenizer *t,
                      struct tsl_decodejob_stats *st, struct tsl_err *err);

#endif
