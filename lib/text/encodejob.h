/* encodejob.h - files of text into ids: what `ctok encode` runs.
 *
 * A row is a document; it has one sentence, or those that sentence.h finds.  A sentence
 * without a token is left out.
 * Order: the documents as they come.  The output depends on input, tokenizer and options,
 *   not on memory, threads or batches.
 * Memory: opts.memory, with what the process holds already; at least what plan says.  A
 *   row longer than a batch goes through in stretches; where it is needed as a whole (JSON
 *   lines, pairs, the output JSONL, a tokenizer that finds no place to cut it) and does not
 *   fit, a temporary file has it (filemem.h), of some 20 to 50 times its size.  2 GiB of it
 *   are the limit.
 * Threads: opts.nthreads that encode, one that reads, the caller's writes. */
#ifndef TSL_ENCODEJOB_H
#define TSL_ENCODEJOB_H

#include "io/inputs.h"
#include "io/sink.h"
#include "text/tokenizer.h"

enum tsl_encode_format {
    TSL_ENCODE_IDS, /* a line of numbers for each row; with sentences, for each sentence,
                        * and an empty line behind each row */
    TSL_ENCODE_JSONL,  /* {"ids":[..],"tokens":[..],"offsets":[[b,e],..]} */
    TSL_ENCODE_STREAM, /* tokstream.h */
    TSL_ENCODE_U16,    /* ids behind each other, little-endian */
    TSL_ENCODE_U32
};

enum { TSL_ENCODE_BUCKETS = 40 };

struct tsl_encodejob_opts {
    char *const *paths; /* as for inputs.h */
    size_t npaths;
    struct tsl_frame frame;
    const char *field,
        *field2; /* of JSON lines; NULL: rows are text.  field2: the pair's */
    bool pair;   /* two texts a row, or a tab between them */
    bool sentences, specials, chars; /* chars: offsets count characters */
    enum tsl_encode_format format;
    const char *output; /* NULL: standard output */
    const char *tmpdir; /* for rows that do not fit in memory; NULL: /tmp */
    enum tsl_codec codec;
    int level;   /* of codec, or of the stream's blocks */
    bool blocks; /* compress the stream's blocks (zstd), not the file */
    size_t memory;
    size_t held; /* bytes that the process holds already, the tokenizer included */
    unsigned nthreads;
    const char *options, *made_by; /* what the stream's header says */
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_encodejob_plan {
    size_t memory, batch_bytes, coder_bytes, whole_max;
    unsigned nthreads, nbatches;
};

struct tsl_encodejob_stats {
    struct tsl_encodejob_plan plan;
    uint64_t rows, sentences, tokens, bytes; /* bytes: of the texts */
    uint64_t unknown, invalid; /* tokens for unknown text; ill-formed parts */
    uint64_t longest;          /* tokens of the longest row */
    /* rows of 0 tokens, of 1, of 2 to 3, 4 to 7, ... */
    uint64_t lengths[TSL_ENCODE_BUCKETS];
    uint64_t bytes_out;
    double seconds;
};

/* How memory is shared out; TSL_EUSAGE when there is too little, and how much it takes. */
int tsl_encodejob_plan(const struct tsl_encodejob_opts *o, struct tsl_encodejob_plan *p,
                       struct tsl_err *err);

int tsl_encodejob_run(const struct tsl_encodejob_opts *o, const struct tsl_tokenizer *t,
                      struct tsl_encodejob_stats *st, struct tsl_err *err);

#endif
