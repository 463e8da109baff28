/* tokfile_spm.h - SentencePiece's .model files: reading and writing them.
 *
 * A protobuf message: pieces with scores and types, how it was trained, how text is
 * normalised.  What decides how text is encoded is kept, the rest is passed over.
 * Source: the field numbers of sentencepiece_model.proto, version 0.1.97.
 * Order: pieces by id.
 * Memory: the file's bytes and 24 bytes a piece; at most TSL_SPM_FILE_MAX.
 * Threads: read-only once it is read. */
#ifndef TSL_TOKFILE_SPM_H
#define TSL_TOKFILE_SPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tsl_vocab;

enum { TSL_SPM_FILE_MAX = 1 << 28, TSL_SPM_PIECES_MAX = 1 << 23 };

enum tsl_spm_algorithm {
    TSL_SPM_UNIGRAM = 1,
    TSL_SPM_BPE = 2,
    TSL_SPM_WORD = 3,
    TSL_SPM_CHAR = 4
};

enum tsl_spm_type {
    TSL_SPM_NORMAL = 1,
    TSL_SPM_UNKNOWN = 2,      /* one of them in each model */
    TSL_SPM_CONTROL = 3,      /* never comes out of text: <s> */
    TSL_SPM_USER_DEFINED = 4, /* always one token */
    TSL_SPM_UNUSED = 5,       /* comes out of no text */
    TSL_SPM_BYTE = 6          /* <0x00> to <0xFF>, with byte_fallback */
};

struct tsl_spm_piece {
    struct tsl_slice text; /* UTF-8, not empty; ▁ (U+2581) stands for a space */
    float score;
    enum tsl_spm_type type;
};

struct tsl_spm_normalizer {
    struct tsl_slice name;     /* nmt_nfkc, identity, ... */
    struct tsl_slice charsmap; /* charsmap.h; empty: none */
    bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
};

struct tsl_spm_options {
    enum tsl_spm_algorithm algorithm;
    bool whitespace_suffix, byte_fallback;
    int32_t unk_id, bos_id, eos_id, pad_id; /* as the trainer was told; -1: none */
    struct tsl_slice unk_piece, bos_piece, eos_piece, pad_piece;
    struct tsl_slice unk_surface; /* what an unknown token decodes to */
    struct tsl_spm_normalizer normalizer, denormalizer;
    /* Only told to whoever asks; written where they are not the format's defaults. */
    struct tsl_slice model_prefix; /* the name that the trainer was given */
    int32_t vocab_size, max_piece_chars;
    float character_coverage;
    bool split_by_unicode_script, split_by_number, split_by_whitespace, split_digits;
};

/* The format's defaults: what a file means by leaving a field out. */
struct tsl_spm_options tsl_tokfile_spm_defaults(void);

struct tsl_tokfile_spm {
    struct tsl_spm_piece *pieces;
    size_t npieces;
    struct tsl_spm_options options;
    uint8_t *bytes; /* the file; slices point into it or to constants */
    size_t nbytes;
    char *name;      /* for messages */
    uint32_t *index; /* ids by text, open addressing; UINT32_MAX: empty */
    size_t index_mask;
};

/* Could a file that begins with head be one?  For telling kinds of files apart: true if
 * its first field is a piece, as in all that SentencePiece writes. */
bool tsl_tokfile_spm_looks_like(struct tsl_slice head);

/* Reads a file, which may be compressed.  Checks what SentencePiece checks: every piece
 * has text, of pieces with the same text there is none, one is the unknown, all 256 bytes
 * are there if byte_fallback is on and else none.  *out is to be freed with
 * tsl_tokfile_spm_destroy. */
int tsl_tokfile_spm_open(struct tsl_tokfile_spm **out, const char *path,
                         struct tsl_err *err);

/* The same from memory, which is copied.  name is for messages. */
int tsl_tokfile_spm_read(struct tsl_tokfile_spm **out, struct tsl_slice file,
                         const char *name, struct tsl_err *err);
void tsl_tokfile_spm_destroy(struct tsl_tokfile_spm *m);

/* The file's bytes in *bytes, to be freed with tsl_mem_free: n pieces by id and what o
 * says.  SentencePiece 0.1.97 and later load it. */
int tsl_tokfile_spm_write(uint8_t **bytes, size_t *nbytes,
                          const struct tsl_spm_piece *pieces, size_t n,
                          const struct tsl_spm_options *o, struct tsl_err *err);

/* The piece with this text, -1 if there is none.  Where one piece that text can give (normal,
 * user-defined, unused) and one other (unknown, control, byte) are spelled alike, reserved
 * says which is wanted: SentencePiece keeps them apart. */
int64_t tsl_tokfile_spm_find(const struct tsl_tokfile_spm *m, struct tsl_slice text,
                             bool reserved);

/* The byte that a piece such as <0x0A> stands for; -1 for any other. */
int tsl_tokfile_spm_byte(struct tsl_slice piece);

/* The ids of pieces by use, as SentencePiece finds them: by the pieces' names, if their
 * types fit; -1: none. */
struct tsl_spm_specials {
    int64_t unk, bos, eos, pad;
};
struct tsl_spm_specials tsl_tokfile_spm_specials(const struct tsl_tokfile_spm *m);

/* Adds all pieces to v, spelled as in the file. */
int tsl_tokfile_spm_vocab(const struct tsl_tokfile_spm *m, struct tsl_vocab *v,
                          struct tsl_err *err);

#endif
