/* tokstream.h - documents of ids in one stream or file: what `ctok` writes and `cmask` and
 * `cshard` read.
 *
 * A document has sentences, a sentence has tokens, a token has an id and a word-start bit.
 * A document may have no sentence; a sentence has at least one token.
 * Order: as put.  The bytes depend on what was put alone, not on how it was cut into calls.
 * Memory: as rec_native.h; reading, a document that lies in several blocks where it is asked
 *   for as a whole.
 * Threads: one owner.
 *
 * The stream is a native record file (FORMAT.md), a record a document: columns "sents", a list
 * of u32, the tokens of each sentence; "ids", a list of u16 where 16 bits hold every id, else
 * of u32; "starts", a list of bits.  Of a document that is cut into pieces, a sentence's
 * number stands in the piece in which it ends.  Meta: {"vocab_size", "vocab_id", "tokenizer",
 * "options", "sentences", "specials": {"pad"...}, "made_by"}. */
#ifndef TSL_TOKSTREAM_H
#define TSL_TOKSTREAM_H

#include "base/specialtok.h"
#include "io/sink.h"
#include "io/source.h"

/* What the header says. */
struct tsl_tokstream_head {
    uint32_t vocab_size;
    unsigned id_bytes; /* set by the writer: 2 where 16 bits hold every id */
    bool sentences;    /* documents were cut into sentences */
    struct tsl_special_tokens specials; /* -1: there is none */
    char vocab_id[40];                  /* tells vocabularies apart; may be empty */
    char tokenizer[40], options[512], made_by[64]; /* for people */
};

struct tsl_tokstream_writer;

/* Writes the header.  sink is lent, and its done and commit are the caller's.  zstd_level
 * 0: blocks are not compressed. */
int tsl_tokstream_writer_create(struct tsl_tokstream_writer **w, struct tsl_sink *sink,
                                const struct tsl_tokstream_head *head, int zstd_level,
                                struct tsl_err *err);
/* n more tokens of the current sentence; bit 0 of a mark: a word starts here. */
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

/* For a regular file that is not compressed as a whole: how many documents there are, and
 * going to one, so that it is the next.  TSL_EUSAGE for other streams. */
int tsl_tokstream_reader_count(struct tsl_tokstream_reader *r,
                               struct tsl_tokstream_counts *counts, struct tsl_err *err);
int tsl_tokstream_reader_seek(struct tsl_tokstream_reader *r, uint64_t number,
                              struct tsl_err *err);

#endif
