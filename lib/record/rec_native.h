/* rec_native.h - records in our own format, a file or a stream alike: checked blocks of
 * columns, an index at the end (FORMAT.md has every byte).
 *
 * Order: as put.  The bytes depend on what was put alone, not on how it was cut into calls.
 * Memory: writing, about three blocks and 24 bytes for each block written; reading, two
 *   blocks, and opts.memory for a record that lies in several, or for unpacked blocks when
 *   records of a compressed file are picked.  Picking maps an uncompressed file: it must not
 *   shrink meanwhile.
 * Threads: one owner. */
#ifndef TSL_REC_NATIVE_H
#define TSL_REC_NATIVE_H

#include "io/sink.h"
#include "record/record.h"

/* ---- writing ---- */

struct tsl_recnative_opts {
    int zstd_level; /* 0: blocks are not compressed */
    uint32_t
        block_bytes; /* of a payload; 0: 256 KiB; at most 1 MiB; raised where a record's
                             fixed columns need more */
};

struct tsl_recnative_writer;

/* Writes the header.  sink is lent, and its done and commit are the caller's.  TSL_EUSAGE for a
 * schema without columns or meta that is no JSON object. */
int tsl_recnative_writer_create(struct tsl_recnative_writer **w, struct tsl_sink *sink,
                                const struct tsl_rechead *head,
                                const struct tsl_recnative_opts *o, struct tsl_err *err);
void tsl_recnative_writer_destroy(struct tsl_recnative_writer *w);

/* A whole record: values[ncolumns], counts as in the schema. */
int tsl_recnative_writer_put(struct tsl_recnative_writer *w,
                             const struct tsl_value *values, struct tsl_err *err);

/* Many whole records, of numbers and bits alone. */
int tsl_recnative_writer_put_rows(struct tsl_recnative_writer *w,
                                  const struct tsl_recrows *rows, struct tsl_err *err);

/* A record of any length, piece by piece: for schemas of lists of numbers and bits alone.
 * begin it; add values (of each column some or none) that fit in room bits, after spill where
 * they do not; end it. */
int tsl_recnative_writer_begin(struct tsl_recnative_writer *w, struct tsl_err *err);
uint64_t tsl_recnative_writer_room(const struct tsl_recnative_writer *w);
void tsl_recnative_writer_add(struct tsl_recnative_writer *w,
                              const struct tsl_value *values);
int tsl_recnative_writer_spill(struct tsl_recnative_writer *w, struct tsl_err *err);
void tsl_recnative_writer_end(struct tsl_recnative_writer *w);

/* The last block and the trailer. */
int tsl_recnative_writer_finish(struct tsl_recnative_writer *w, struct tsl_err *err);

struct tsl_recnative_counts {
    uint64_t nblocks, nrecords, raw_bytes; /* records that are whole; bytes of payloads */
    uint64_t nvalues[TSL_COLUMNS_MAX];     /* of each column */
};
void tsl_recnative_writer_counts(const struct tsl_recnative_writer *w,
                                 struct tsl_recnative_counts *n);
/* Bytes that the file would have if it ended now, not compressed from here on. */
uint64_t tsl_recnative_writer_bytes(const struct tsl_recnative_writer *w);

/* ---- reading ---- */

struct tsl_recnative_reader;

/* path as for tsl_source_open. */
int tsl_recnative_reader_open(struct tsl_recnative_reader **r, const char *path,
                              const struct tsl_recreader_opts *o, struct tsl_err *err);
/* The same of a source, which is moved in, also on failure. */
int tsl_recnative_reader_of_source(struct tsl_recnative_reader **r,
                                   struct tsl_source *src,
                                   const struct tsl_recreader_opts *o,
                                   struct tsl_err *err);
/* The same of n bytes, lent for the reader's life and aligned to 8; called name. */
int tsl_recnative_reader_of_memory(struct tsl_recnative_reader **r, const char *name,
                                   const uint8_t *p, size_t n,
                                   const struct tsl_recreader_opts *o,
                                   struct tsl_err *err);
void tsl_recnative_reader_destroy(struct tsl_recnative_reader *r);
/* Lent for the reader's life. */
const struct tsl_rechead *tsl_recnative_reader_head(const struct tsl_recnative_reader *r);

/* 1 and the next record, 0 behind the trailer, which was then found to be right.  A record of
 * several blocks that is larger than opts.memory is TSL_EFORMAT.  Lent until the next call. */
int tsl_recnative_reader_next(struct tsl_recnative_reader *r, struct tsl_record *rec,
                              struct tsl_err *err);

/* The whole records that are left of the block at hand, or of the next one, as tsl_recreader_rows
 * has them; none where a record lies in several blocks, of strings, or after seek. */
int tsl_recnative_reader_rows(struct tsl_recnative_reader *r, struct tsl_recrows *rows,
                              struct tsl_err *err);

/* What of a record lies in one block. */
struct tsl_recnative_piece {
    struct tsl_record
        rec;          /* a column of a fixed small count has values in the first alone */
    bool first, last; /* both: it is whole */
    uint64_t continues,
        cut; /* bit c: column c's first string is the rest of the last one of the
                                piece before; its last one goes on in the next piece */
};
/* As next, piece by piece. */
int tsl_recnative_reader_piece(struct tsl_recnative_reader *r,
                               struct tsl_recnative_piece *p, struct tsl_err *err);

/* The rest of the block at hand is passed over: 1 and the columns of the next one as they lie
 * in it, checked, or 0 as next. */
struct tsl_recblock;
int tsl_recnative_reader_block(struct tsl_recnative_reader *r,
                               const struct tsl_recblock **b, struct tsl_err *err);
/* What a stream was seen to have so far, its index too if keep was set before; where the block
 * at hand ends; the header's sum. */
struct tsl_recindex;
void tsl_recnative_reader_keep_index(struct tsl_recnative_reader *r);
const struct tsl_recindex *tsl_recnative_reader_seen(const struct tsl_recnative_reader *r,
                                                     uint64_t *end, uint64_t *sum);

/* For a regular file that is not compressed as a whole: what the trailer counts, and record i
 * (from 0) of it; then next goes on behind it.  TSL_EUSAGE for other streams and numbers. */
int tsl_recnative_reader_count(struct tsl_recnative_reader *r,
                               struct tsl_recnative_counts *n, struct tsl_err *err);
int tsl_recnative_reader_at(struct tsl_recnative_reader *r, uint64_t i,
                            struct tsl_record *rec, struct tsl_err *err);
/* Goes to record i, so that it is the next; i may be their number. */
int tsl_recnative_reader_seek(struct tsl_recnative_reader *r, uint64_t i,
                              struct tsl_err *err);

/* ---- what was cut short or damaged ---- */

struct tsl_recnative_recovered {
    uint64_t nblocks, nrecords;
    uint64_t bytes_kept, bytes_in; /* of blocks; of the file */
    bool whole;                    /* there was nothing to recover from */
    struct tsl_err why;            /* what reading met where it ended */
};
/* Copies everything of path, a regular file, up to the last whole block before any damage that
 * ends with a whole record, and gives it a trailer.  The header must be whole. */
int tsl_recnative_recover(const char *path, struct tsl_sink *out,
                          struct tsl_recnative_recovered *n, struct tsl_err *err);

#endif
