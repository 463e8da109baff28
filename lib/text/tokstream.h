/* tokstream.h - documents of ids in one binary stream or file: what `ctok` writes and
 * `cmask` and `cshard` read.
 *
 * A document has sentences, a sentence has tokens, a token has an id and a word-start bit.
 * A document may have no sentence; a sentence has at least one token.
 * Order: as put.  The bytes depend on what was put alone, not on how it was cut into calls.
 * Memory: writing, one block of 256 KiB and 16 bytes for each block written; reading, one
 *   block of at most 1 MiB, and a document that lies in several where it is asked for as a
 *   whole.
 * Threads: one owner.
 *
 * Layout, all little-endian:
 *   header   "TSLTOK1\n", u32 length of the JSON text, the text padded with blanks so that
 *            8 + 4 + length is a multiple of 8: {"vocab_size","id_bytes","vocab_id",
 *            "tokenizer","options","sentences","specials":{"pad":..},"made_by"};
 *            u64 XXH3-64 of all before
 *   block    u32 0x4b4c4254 "TBLK", u32 flags, u32 ndocs, u32 nsents, u32 ntokens, u32
 *            payload bytes as stored; u64 XXH3-64 of these 24 bytes and the payload as
 *            stored, seeded with the block's number; payload: u32 sentences[ndocs], u32
 *            tokens[nsents], ids[ntokens] of id_bytes each (2 or 4), bits (ntokens+7)/8
 *            (bit i%8 of byte i/8), padded to 8 with zeros; at most 1 MiB unpacked
 *            flags: 1 the payload is one zstd frame; 2 the first document began in an
 *            earlier block, 4 and so did its first sentence; 8 the last document goes on
 *            in the next block, 16 and so does its last sentence
 *   trailer  u32 0x444e4554 "TEND", u32 0, u64 nblocks, u64 ndocs, u64 nsents, u64
 *            ntokens, then per block u64 place of its first byte, u64 number of the first
 *            document that begins in it or later; u64 place of the trailer; u64 XXH3-64 of
 *            the trailer so far
 * A document that fits in a block of 256 KiB lies in one block.
 * A stream that ends without its trailer was cut short, and reading it is an error. */
#ifndef TSL_TOKSTREAM_H
#define TSL_TOKSTREAM_H

#include "io/sink.h"
#include "io/source.h"
#include "text/tokenizer.h"

/* What the header says. */
struct tsl_tokstream_head {
    uint32_t vocab_size;
    unsigned id_bytes;            /* set by the writer: 2 where 16 bits hold every id */
    bool sentences;               /* documents were cut into sentences */
    struct tsl_specials specials; /* -1: there is none */
    char vocab_id[40];            /* see vocabid.h; may be empty */
    char tokenizer[40], options[512], made_by[64]; /* for people */
};

struct tsl_tokstream_writer;

/* Writes the header.  sink is lent, and its done and commit are the caller's.  zstd_level
 * 0: blocks are not compressed. */
int tsl_tokstream_writer_create(struct tsl_tokstream_writer **w, struct tsl_sink *sink,
                                const struct tsl_tokstream_head *head, int zstd_level,
                                struct tsl_err *err);
/* n more tokens of the current sentence; marks: enum tsl_token_mark. */
int tsl_tokstream_writer_put(struct tsl_tokstream_writer *w, const uint32_t *ids,
                             const uint8_t *marks, size_t n, struct tsl_err *err);
/* The sentence ends, if it has a token. */
void tsl_tokstream_writer_end_sentence(struct tsl_tokstream_writer *w);
/* The document ends, and its sentence; one without any token counts, too. */
int tsl_tokstream_writer_end_document(struct tsl_tokstream_writer *w,
                                      struct tsl_err *err);
/* The last block and the trailer. */
int tsl_tokstream_writer_finish(struct tsl_tokstream_writer *w, struct tsl_err *err);
void tsl_tokstream_writer_destroy(struct tsl_tokstream_writer *w);

struct tsl_tokstream_counts {
    uint64_t nblocks, ndocs, nsents, ntokens;
};
struct tsl_tokstream_counts
tsl_tokstream_writer_counts(const struct tsl_tokstream_writer *w);

/* A document, or a piece of it. */
struct tsl_tokstream_doc {
    uint64_t number;
    bool first, last;        /* both: it is whole */
    bool continues, goes_on; /* its first sentence began before; its last one goes on */
    const uint32_t *sents;   /* tokens of each sentence, as far as they are here */
    size_t nsents;
    const uint32_t *ids;   /* all below vocab_size */
    const uint8_t *starts; /* 1: a word starts here, else 0 */
    size_t ntokens;
};

struct tsl_tokstream_reader;

/* path "-": standard input; compressed as a whole or not. */
int tsl_tokstream_reader_open(struct tsl_tokstream_reader **r, const char *path,
                              struct tsl_err *err);
/* The same of bytes; copied. */
int tsl_tokstream_reader_of_memory(struct tsl_tokstream_reader **r, const uint8_t *p,
                                   size_t n, struct tsl_err *err);
void tsl_tokstream_reader_destroy(struct tsl_tokstream_reader *r);
const struct tsl_tokstream_head *
tsl_tokstream_reader_head(const struct tsl_tokstream_reader *r);

/* 1 and the next piece of a document, 0 behind the trailer, which was then found to be
 * right.  Lent until the next call. */
int tsl_tokstream_reader_piece(struct tsl_tokstream_reader *r,
                               struct tsl_tokstream_doc *d, struct tsl_err *err);
/* The same with whole documents; one of more than tokens_max tokens is TSL_EFORMAT. */
int tsl_tokstream_reader_next(struct tsl_tokstream_reader *r, size_t tokens_max,
                              struct tsl_tokstream_doc *d, struct tsl_err *err);

/* For an uncompressed regular file: how many documents there are, and going to one, so
 * that it is the next.  TSL_EUSAGE for other streams. */
int tsl_tokstream_reader_count(struct tsl_tokstream_reader *r,
                               struct tsl_tokstream_counts *counts, struct tsl_err *err);
int tsl_tokstream_reader_seek(struct tsl_tokstream_reader *r, uint64_t number,
                              struct tsl_err *err);

#endif
